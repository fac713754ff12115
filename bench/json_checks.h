// SPDX-License-Identifier: MIT
// Members of JSON of any origin: each is taken if it is what it must be, and named if it is not. All throw
// farcall::Error, or an exception of the JSON library for another type.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace farcall::bench {

constexpr size_t kMostItems = 1000;   ///< of each kind: what is made of them grows faster than their number
constexpr size_t kMostParts = 40;     ///< of a split, and counts beside it
constexpr size_t kLongestName = 160;  ///< bytes; two of them and a colon make a ratio's
constexpr size_t kLongestText = 2000;
constexpr double kLongestNs = 1e15;  ///< eleven days

/// Text without control characters, which neither a terminal nor XML may see. what: for the error.
std::string text_of(const nlohmann::ordered_json& json, const char* what, size_t longest = kLongestText);

/// Of at most kLongestName bytes, not empty.
std::string name_of(const nlohmann::ordered_json& json);

/// Text or a number, as text.
std::string fact_of(const nlohmann::ordered_json& json);

/// An array, or an object, of at most `most` items: returns it.
const nlohmann::ordered_json& bounded(const nlohmann::ordered_json& json, const char* what, size_t most,
                                      bool object = false);

/// Finite and not negative; `least` leaves out 0 where nothing can be 0. of: for the error.
double number(const nlohmann::ordered_json& json, const std::string& of, double most = kLongestNs,
              double least = 0);

/// The values of one round after the other: above 0, as all that is measured is, and at least one.
std::vector<double> rounds_of(const nlohmann::ordered_json& json, const std::string& name);

/// Counts by name, beside a split of that name.
std::vector<std::pair<std::string, double>> counts_of(const nlohmann::ordered_json& json,
                                                      const std::string& name);

}  // namespace farcall::bench
