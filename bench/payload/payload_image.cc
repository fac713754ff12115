// SPDX-License-Identifier: MIT
#include "bench/payload/payload_image.h"

// FARCALL_PAYLOAD_IMAGE comes from CMake, which builds the image first.
__asm__(
    ".pushsection .rodata\n"
    ".balign 16\n"
    "farcall_payload_begin:\n"
    ".incbin \"" FARCALL_PAYLOAD_IMAGE
    "\"\n"
    "farcall_payload_end:\n"
    ".popsection\n");

extern "C" const std::byte farcall_payload_begin[];
extern "C" const std::byte farcall_payload_end[];

namespace farcall::bench {

std::span<const std::byte> payload_image() {
    return {farcall_payload_begin, farcall_payload_end};
}

}  // namespace farcall::bench
