// SPDX-License-Identifier: MIT
#include "guest-lib/init/config.h"

#include <farcall/abi.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

namespace farcall::init {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool decode(const std::string& text, std::string& out) {
    out.clear();
    for (size_t i = 0; i < text.size(); i++) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return false;
        const int high = hex_digit(text[i + 1]);
        const int low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return true;
}

/// "A<separator>B" as two numbers.
template <typename Number>
bool parse_pair(const std::string& text, char separator, Number& first, Number& second) {
    const char* end = text.data() + text.size();
    const auto one = std::from_chars(text.data(), end, first);
    if (one.ec != std::errc() || one.ptr == end || *one.ptr != separator) return false;
    const auto two = std::from_chars(one.ptr + 1, end, second);
    return two.ec == std::errc() && two.ptr == end;
}

/// "SHARE:ro" or "SHARE:rw", and what follows.
bool parse_mount(const std::string& text, Mount& out, std::string& rest) {
    const char* end = text.data() + text.size();
    const auto number = std::from_chars(text.data(), end, out.share);
    if (number.ec != std::errc() || out.share >= FC_MAX_SHARES) return false;
    rest.assign(number.ptr, end);
    out.writable = rest.starts_with(":rw");
    if (!out.writable && !rest.starts_with(":ro")) return false;
    rest.erase(0, 3);
    constexpr std::string_view kTimeout = ",timeout=";
    if (!rest.starts_with(kTimeout)) return true;
    rest.erase(0, kTimeout.size());
    const auto time = std::from_chars(rest.data(), rest.data() + rest.size(), out.timeout_ms);
    rest.erase(0, static_cast<size_t>(time.ptr - rest.data()));
    return time.ec == std::errc();
}

bool apply_root(const std::string& value, Config& out) {
    std::string rest;
    out.root.emplace();
    out.root->where = "/";
    return parse_mount(value, *out.root, rest) && rest.empty();
}

bool apply_mount(const std::string& value, Config& out) {
    std::string rest;
    Mount& mount = out.mounts.emplace_back();
    if (!parse_mount(value, mount, rest) || !rest.starts_with(":/")) return false;
    mount.where = rest.substr(1);
    return true;
}

bool apply(const std::string& key, const std::string& value, Config& out) {
    if (key == "arg") {
        out.arguments.push_back(value);
    } else if (key == "env") {
        out.environment.push_back(value);
    } else if (key == "cwd") {
        out.directory = value;
    } else if (key == "user") {
        return parse_pair(value, ':', out.user, out.group);
    } else if (key == "tty") {
        out.terminal = true;
        return parse_pair(value, 'x', out.rows, out.columns);
    } else if (key == "root") {
        return apply_root(value, out);
    } else if (key == "module") {
        out.modules.push_back(value);
        return value.starts_with('/');
    } else if (key == "image") {
        out.image = value;
        return !value.empty() && value.find('/') == std::string::npos;
    } else if (key == "mount") {
        return apply_mount(value, out);
    } else if (key == "trace") {
        out.trace = value;
        return value.starts_with('/');
    } else if (key == "summary") {
        out.summary = value;
        return value.starts_with('/');
    } else if (key == "log") {
        out.log = value == "1";
    } else {
        return false;
    }
    return true;
}

}  // namespace

bool read_config(const char* path, Config& out, std::string& error) {
    std::ifstream file(path);
    if (!file) {
        error = std::string("can't read ") + path + ": " + std::strerror(errno);
        return false;
    }
    std::string value;
    for (std::string line; std::getline(file, line);) {
        if (line.empty()) continue;
        const size_t space = line.find(' ');
        const std::string key = line.substr(0, space);
        if (!decode(space == std::string::npos ? "" : line.substr(space + 1), value) ||
            !apply(key, value, out)) {
            error = std::string(path) + ": can't understand \"" + line + "\"";
            return false;
        }
    }
    if (!out.image.empty() && !out.root) error = std::string(path) + " has an image without a root";
    if (out.arguments.empty()) error = std::string(path) + " names no command";
    return !out.arguments.empty() && (out.image.empty() || out.root);
}

}  // namespace farcall::init
