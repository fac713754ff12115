// SPDX-License-Identifier: MIT
// Writes markup that is HTML and well-formed XML at once. All text and all attributes are escaped: what a
// record says can become nothing but text.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace farcall::bench::html {

/// Names and values, in quotes. Names are this program's own.
using Attributes = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Harmless in text and in attributes in quotes. What XML has no place for, and what turns the direction of
/// the text around it, is replaced by U+FFFD.
std::string escaped(std::string_view utf8);

class Markup {
  public:
    void open(std::string_view tag, Attributes attributes = {});
    /// Closes what was opened last.
    void close();
    void text(std::string_view text) { out_ += escaped(text); }
    /// An element with text alone.
    void leaf(std::string_view tag, Attributes attributes, std::string_view text);
    /// An element without content: HTML's void ones, and SVG's.
    void empty(std::string_view tag, Attributes attributes = {});
    /// Text that may also be broken after underscores and commas.
    void breakable(std::string_view text);
    /// A series' name.
    void name(std::string_view name);
    /// This program's own text, as it is.
    void verbatim(std::string_view text) { out_ += text; }

    std::string take() && { return std::move(out_); }

  private:
    void start(std::string_view tag, Attributes attributes);

    std::string out_;
    std::vector<std::string> open_;
};

/// Open for as long as it lives.
class Element {
  public:
    Element(Markup& out, std::string_view tag, Attributes attributes = {}) : out_(out) {
        out_.open(tag, attributes);
    }
    ~Element() { out_.close(); }
    Element(const Element&) = delete;
    Element& operator=(const Element&) = delete;

  private:
    Markup& out_;
};

}  // namespace farcall::bench::html
