// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

/// Just enough of an AML encoder for one DSDT. Each function returns the bytes of one term.
namespace farcall::vmm::aml {

using Bytes = std::vector<uint8_t>;

inline void append(Bytes& to, const Bytes& more) {
    to.insert(to.end(), more.begin(), more.end());
}
void append_le(Bytes& to, uint64_t value, unsigned bytes);

/// Name strings are a path of 4-character segments: "PC00", "\\_S5_".
Bytes name(std::string_view path, const Bytes& value);
Bytes scope(std::string_view path, const Bytes& terms);
Bytes device(std::string_view path, const Bytes& terms);
Bytes integer(uint64_t value);
Bytes package(const std::vector<Bytes>& elements);
Bytes eisa_id(std::string_view id);  ///< "PNP0A03"

/// A resource template of the descriptors below.
Bytes resources(const Bytes& descriptors);
Bytes io_ports(uint16_t first, uint8_t count);
Bytes interrupt(uint32_t gsi);  ///< edge, active high, exclusive
Bytes bus_numbers(uint16_t first, uint16_t last);
Bytes port_window(uint16_t first, uint16_t last);
Bytes memory_window(uint32_t first, uint32_t last);  ///< 32-bit, not cacheable, read and write

}  // namespace farcall::vmm::aml
