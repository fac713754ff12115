// SPDX-License-Identifier: MIT
#include "bench/html/markup.h"

#include <algorithm>
#include <array>

namespace farcall::bench::html {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// In UTF-8: what turns the direction of text, and what is no character.
constexpr std::array<std::string_view, 15> kRefused{
    "\xe2\x80\x8e", "\xe2\x80\x8f",                                                  // marks
    "\xe2\x80\xaa", "\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",  // embeddings, overrides
    "\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",                  // isolates
    "\xd8\x9c",     "\xef\xbf\xbe", "\xef\xbf\xbf", "\x7f"};

/// A line's end after them would be a space.
constexpr std::array<std::string_view, 5> kInline{"a", "code", "small", "span", "strong"};

std::string_view entity(char c) {
    switch (c) {
        case '&':
            return "&amp;";
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '"':
            return "&quot;";
        case '\'':
            return "&#39;";
        default:
            return {};
    }
}

}  // namespace

std::string escaped(std::string_view utf8) {
    std::string out;
    while (!utf8.empty()) {
        const auto* refused = std::ranges::find_if(
            kRefused, [&](std::string_view sequence) { return utf8.starts_with(sequence); });
        const char c = utf8.front();
        const std::string_view instead = entity(c);
        if (refused != kRefused.end()) {
            out += kReplacement;
            utf8.remove_prefix(refused->size());
            continue;
        }
        if (!instead.empty())
            out += instead;
        else if (static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t')
            out += kReplacement;
        else
            out += c;
        utf8.remove_prefix(1);
    }
    return out;
}

void Markup::start(std::string_view tag, Attributes attributes) {
    out_.append("<").append(tag);
    for (const auto& [name, value] : attributes)
        out_.append(" ").append(name).append("=\"").append(escaped(value)).append("\"");
}

void Markup::open(std::string_view tag, Attributes attributes) {
    start(tag, attributes);
    out_ += '>';
    open_.emplace_back(tag);
}

void Markup::close() {
    out_.append("</").append(open_.back()).append(">");
    if (std::ranges::find(kInline, open_.back()) == kInline.end()) out_ += '\n';
    open_.pop_back();
}

void Markup::leaf(std::string_view tag, Attributes attributes, std::string_view text) {
    open(tag, attributes);
    this->text(text);
    close();
}

void Markup::empty(std::string_view tag, Attributes attributes) {
    start(tag, attributes);
    out_ += "/>";
}

void Markup::breakable(std::string_view text) {
    while (!text.empty()) {
        const size_t end = std::min(text.find_first_of("_,"), text.size() - 1) + 1;
        this->text(text.substr(0, end));
        text.remove_prefix(end);
        if (!text.empty()) empty("wbr");
    }
}

void Markup::name(std::string_view name) {
    open("code");
    breakable(name);
    close();
}

}  // namespace farcall::bench::html
