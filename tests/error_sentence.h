// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "host-lib/error.h"

namespace farcall::test {

/// What the user would read: the text of the farcall::Error that `action` throws.
inline std::string sentence(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing was refused";
}

}  // namespace farcall::test
