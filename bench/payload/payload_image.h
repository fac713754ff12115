// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

namespace farcall::bench {

/// The flat image of payload.c, to be loaded at vmm::BareGuest::kPayloadAddress and entered at its first
/// byte.
std::span<const std::byte> payload_image();

}  // namespace farcall::bench
