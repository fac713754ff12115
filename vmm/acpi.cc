// SPDX-License-Identifier: MIT
#include "vmm/acpi.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string_view>

#include "vmm/aml.h"
#include "vmm/layout.h"

namespace farcall::vmm {

namespace {

using aml::append;
using aml::append_le;
using Bytes = std::vector<uint8_t>;

constexpr size_t kHeaderBytes = 36;
constexpr size_t kRsdpBytes = 36;

uint8_t checksum(const uint8_t* data, size_t bytes) {
    return static_cast<uint8_t>(-std::accumulate(data, data + bytes, 0u));
}

// Signature, length, revision and the rest of the common header before `body`.
Bytes table(std::string_view signature, uint8_t revision, const Bytes& body) {
    Bytes out(signature.begin(), signature.end());
    append_le(out, kHeaderBytes + body.size(), 4);
    append(out, {revision, 0});
    for (const std::string_view id : {std::string_view("FARCAL"), std::string_view("FARCALL ")}) {
        out.insert(out.end(), id.begin(), id.end());
    }
    append_le(out, 1, 4);
    append(out, {'F', 'C', 'A', 'L'});
    append_le(out, 1, 4);
    append(out, body);
    out[9] = checksum(out.data(), out.size());
    return out;
}

Bytes dsdt() {
    constexpr auto kWindowEnd = static_cast<uint32_t>(layout::kPciWindow + layout::kPciWindowBytes - 1);
    Bytes bridge_resources = aml::bus_numbers(0, 0);
    append(bridge_resources, aml::io_ports(layout::kPortPciAddress, 8));
    append(bridge_resources, aml::port_window(0, layout::kPortPciAddress - 1));
    append(bridge_resources, aml::port_window(layout::kPortPciAddress + 8, 0xffff));
    append(bridge_resources, aml::memory_window(static_cast<uint32_t>(layout::kPciWindow), kWindowEnd));
    Bytes bridge = aml::name("_HID", aml::eisa_id("PNP0A03"));
    append(bridge, aml::name("_UID", aml::integer(0)));
    append(bridge, aml::name("_CRS", aml::resources(bridge_resources)));

    Bytes serial_resources = aml::io_ports(layout::kPortCom1, 8);
    append(serial_resources, aml::interrupt(layout::kGsiCom1));
    Bytes serial = aml::name("_HID", aml::eisa_id("PNP0501"));
    append(serial, aml::name("_UID", aml::integer(0)));
    append(serial, aml::name("_CRS", aml::resources(serial_resources)));

    Bytes devices = aml::device("PC00", bridge);
    append(devices, aml::device("COM1", serial));
    Bytes body = aml::scope("\\_SB_", devices);
    append(body,
           aml::name("\\_S5_", aml::package({aml::integer(layout::kSleepTypePowerOff), aml::integer(0)})));
    return table("DSDT", 6, body);
}

Bytes fadt(uint64_t dsdt_address) {
    constexpr size_t kBytes = 276;
    constexpr uint16_t kNoVga = 1 << 2, kNoRtc = 1 << 5;  // and no 8042: bit 1 stays clear
    constexpr uint32_t kNoPowerButton = 1 << 4, kNoSleepButton = 1 << 5, kResetRegister = 1 << 10;
    constexpr uint32_t kHardwareReduced = 1 << 20;
    Bytes out(kBytes - kHeaderBytes);
    const auto put = [&](size_t table_offset, uint64_t value, unsigned bytes) {
        for (unsigned i = 0; i < bytes; i++)
            out[table_offset - kHeaderBytes + i] = static_cast<uint8_t>(value >> (8 * i));
    };
    const auto put_port = [&](size_t table_offset, uint16_t port) {  // a Generic Address Structure
        put(table_offset, 1, 1);                                     // system I/O
        put(table_offset + 1, 8, 1);
        put(table_offset + 3, 1, 1);  // byte access
        put(table_offset + 4, port, 8);
    };
    put(109, kNoVga | kNoRtc, 2);
    put(112, kNoPowerButton | kNoSleepButton | kResetRegister | kHardwareReduced, 4);
    put_port(116, layout::kPortKeyboardCommand);
    put(128, layout::kKeyboardReset, 1);
    put(131, 5, 1);  // minor revision
    put(140, dsdt_address, 8);
    put_port(244, layout::kPortSleepControl);
    put_port(256, layout::kPortSleepControl + 1);
    return table("FACP", 6, out);
}

Bytes madt(unsigned cpus) {
    Bytes out;
    append_le(out, layout::kLocalApic, 4);
    append_le(out, 0, 4);  // no legacy PICs to mask
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        append(out, {0, 8, static_cast<uint8_t>(cpu), static_cast<uint8_t>(cpu)});
        append_le(out, 1, 4);  // enabled
    }
    append(out, {1, 12, 0, 0});
    append_le(out, layout::kIoApic, 4);
    append_le(out, 0, 4);                // its first global interrupt
    append(out, {4, 6, 0xff, 0, 0, 1});  // NMI on LINT1 of every CPU
    return table("APIC", 5, out);
}

Bytes rsdp(uint64_t xsdt_address) {
    constexpr std::string_view kSignature = "RSD PTR ";
    Bytes out(kSignature.begin(), kSignature.end());
    append(out, {0, 'F', 'A', 'R', 'C', 'A', 'L', 2});
    append_le(out, 0, 4);
    append_le(out, kRsdpBytes, 4);
    append_le(out, xsdt_address, 8);
    append_le(out, 0, 4);
    out[8] = checksum(out.data(), 20);
    out[32] = checksum(out.data(), out.size());
    return out;
}

}  // namespace

std::vector<uint8_t> make_acpi_tables(unsigned cpus) {
    constexpr size_t kAlign = 64;
    Bytes out(kAlign);  // room for the RSDP
    const auto add = [&](const Bytes& bytes) {
        const uint64_t address = layout::kAcpiTables + out.size();
        append(out, bytes);
        out.resize((out.size() + kAlign - 1) / kAlign * kAlign);
        return address;
    };
    const uint64_t dsdt_address = add(dsdt());
    Bytes pointers;
    append_le(pointers, add(fadt(dsdt_address)), 8);
    append_le(pointers, add(madt(cpus)), 8);
    const Bytes root = rsdp(add(table("XSDT", 1, pointers)));
    std::copy(root.begin(), root.end(), out.begin());
    return out;
}

}  // namespace farcall::vmm
