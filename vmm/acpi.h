// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace farcall::vmm {

/// The ACPI tables of a machine with `cpus` CPUs, as the bytes that belong at layout::kAcpiTables: RSDP,
/// XSDT, a hardware-reduced FADT, MADT and a DSDT with the PCI host bridge, COM1 and \_S5. Without ACPI a
/// stock kernel finds no local APIC, hence no MSI-X.
std::vector<uint8_t> make_acpi_tables(unsigned cpus);

}  // namespace farcall::vmm
