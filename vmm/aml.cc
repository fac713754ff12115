// SPDX-License-Identifier: MIT
#include "vmm/aml.h"

#include <cctype>
#include <utility>

namespace farcall::vmm::aml {

namespace {

// AML package lengths count their own bytes.
Bytes with_length(const Bytes& body) {
    Bytes out;
    const size_t size = body.size();
    if (size + 1 < 0x40) {
        out.push_back(static_cast<uint8_t>(size + 1));
    } else if (size + 2 < 0x1000) {
        const size_t total = size + 2;
        out = {static_cast<uint8_t>(0x40 | (total & 0xf)), static_cast<uint8_t>(total >> 4)};
    } else {
        const size_t total = size + 3;
        out = {static_cast<uint8_t>(0x80 | (total & 0xf)), static_cast<uint8_t>(total >> 4),
               static_cast<uint8_t>(total >> 12)};
    }
    append(out, body);
    return out;
}

Bytes block(std::initializer_list<uint8_t> opcode, Bytes body) {
    Bytes out(opcode);
    append(out, with_length(body));
    return out;
}

Bytes text(std::string_view value) {
    return Bytes(value.begin(), value.end());
}

// The word (2) and double word (4) address space descriptors share their shape.
Bytes address_space(unsigned width, uint8_t type, uint8_t type_flags, uint64_t first, uint64_t last) {
    constexpr uint8_t kFixed = 0x0c;  // minimum and maximum are fixed
    Bytes out = {static_cast<uint8_t>(width == 2 ? 0x88 : 0x87)};
    append_le(out, 3 + 5 * width, 2);
    append(out, {type, kFixed, type_flags});
    append_le(out, 0, width);
    append_le(out, first, width);
    append_le(out, last, width);
    append_le(out, 0, width);
    append_le(out, last - first + 1, width);
    return out;
}

}  // namespace

void append_le(Bytes& to, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        to.push_back(static_cast<uint8_t>(value >> (8 * i)));
}

Bytes name(std::string_view path, const Bytes& value) {
    Bytes out = {0x08};
    append(out, text(path));
    append(out, value);
    return out;
}

Bytes scope(std::string_view path, const Bytes& terms) {
    Bytes body = text(path);
    append(body, terms);
    return block({0x10}, std::move(body));
}

Bytes device(std::string_view path, const Bytes& terms) {
    Bytes body = text(path);
    append(body, terms);
    return block({0x5b, 0x82}, std::move(body));
}

Bytes integer(uint64_t value) {
    if (value <= 1) return {static_cast<uint8_t>(value)};
    Bytes out;
    const unsigned width = value <= 0xff ? 1 : value <= 0xffff ? 2 : value <= 0xffffffff ? 4 : 8;
    out.push_back(width == 1 ? 0x0a : width == 2 ? 0x0b : width == 4 ? 0x0c : 0x0e);
    append_le(out, value, width);
    return out;
}

Bytes package(const std::vector<Bytes>& elements) {
    Bytes body = {static_cast<uint8_t>(elements.size())};
    for (const Bytes& element : elements)
        append(body, element);
    return block({0x12}, std::move(body));
}

Bytes eisa_id(std::string_view id) {
    const auto letter = [&](size_t i) { return static_cast<unsigned>(id[i] - '@') & 0x1f; };
    const auto digit = [&](size_t i) {
        return static_cast<unsigned>(std::isdigit(static_cast<unsigned char>(id[i])) ? id[i] - '0'
                                                                                     : id[i] - 'A' + 10);
    };
    const unsigned vendor = letter(0) << 10 | letter(1) << 5 | letter(2);
    const unsigned product = digit(3) << 12 | digit(4) << 8 | digit(5) << 4 | digit(6);
    return {0x0c, static_cast<uint8_t>(vendor >> 8), static_cast<uint8_t>(vendor),
            static_cast<uint8_t>(product >> 8), static_cast<uint8_t>(product)};
}

Bytes resources(const Bytes& descriptors) {
    Bytes data = descriptors;
    append(data, {0x79, 0});  // end tag; checksum 0 means none
    Bytes body = integer(data.size());
    append(body, data);
    return block({0x11}, std::move(body));
}

Bytes io_ports(uint16_t first, uint8_t count) {
    Bytes out = {0x47, 0x01};  // 16-bit decode
    append_le(out, first, 2);
    append_le(out, first, 2);
    append(out, {1, count});
    return out;
}

Bytes interrupt(uint32_t gsi) {
    Bytes out = {0x89, 6, 0, 0x03, 1};  // consumer, edge, active high, exclusive; one number
    append_le(out, gsi, 4);
    return out;
}

Bytes bus_numbers(uint16_t first, uint16_t last) {
    return address_space(2, 2, 0, first, last);
}

Bytes port_window(uint16_t first, uint16_t last) {
    return address_space(2, 1, 0x03, first, last);
}

Bytes memory_window(uint32_t first, uint32_t last) {
    return address_space(4, 0, 0x01, first, last);
}

}  // namespace farcall::vmm::aml
