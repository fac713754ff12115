// SPDX-License-Identifier: MIT
// JSON of any origin, within bounds: what is too large, too deep or too wide is a clear error before it costs
// memory or time.
#pragma once

#include <cstddef>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace farcall::bench {

constexpr size_t kLargestText = size_t{8} << 20;  ///< bytes; forty times a record of the longest bench
constexpr int kDeepestJson = 8;                   ///< objects and arrays in each other; a record has 4
constexpr size_t kMostMembers = 1000;             ///< of one object, which is searched from its start

/// Throws farcall::Error: deeper or wider than the above; an exception of the JSON library: not JSON.
nlohmann::ordered_json parse_json(std::string_view text);

/// All bytes of a file. Throws farcall::Error: it cannot be read, or is larger than kLargestText.
std::string read_text(const std::string& path);

/// Lets `use` take a record of the present schema (record.h) from its text. Throws farcall::Error that begins
/// with `origin`: deeper or wider than the above, not JSON, another schema, or what `use` has thrown, an
/// Error or an exception of the JSON library.
void use_record(std::string_view text, const std::string& origin,
                const std::function<void(const nlohmann::ordered_json&)>& use);

}  // namespace farcall::bench
