// SPDX-License-Identifier: MIT
// Which series belong beside each other in a chart, by their names and by the ratios between them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/full_record.h"

namespace farcall::bench::html {

/// Series whose names differ by the number at their end; or one whose name has none.
struct Family {
    struct Member {
        const Series* series;
        uint64_t number;
    };
    std::string name;             ///< without the number
    std::vector<Member> members;  ///< by number
};

/// Families that are compared with each other.
struct Group {
    bool numbered = false;
    std::vector<Family> families;  ///< the one that most others are compared with first
};

/// A name of the form family_number.
struct NumberedName {
    std::string_view family;
    uint64_t number;
};
/// Nothing for a number of more than nine digits or with a leading zero: such names stay apart.
std::optional<NumberedName> numbered_name(std::string_view name);

/// All series without a number are one group, the first. Families with numbers share a group when a ratio
/// compares them at a number, or when few do and one's name is the other's with words put in. Refers to the
/// record.
std::vector<Group> groups_of(const FullRecord& record);

/// The words that all families of a group end with, at most two: what its numbers count. "" if
/// none, and of one family alone.
std::string counted_by(const Group& group);

}  // namespace farcall::bench::html
