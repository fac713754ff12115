// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace farcall::vmm {

/// The 256 bytes of a PCI function's configuration space: each bit is fixed or writable, and 32-bit memory
/// BARs need nothing more. Not thread-safe: PciBus serializes.
class PciConfig {
  public:
    static constexpr unsigned kBytes = 256;
    static constexpr unsigned kBars = 6;

    PciConfig(uint16_t vendor, uint16_t device, uint32_t class_code, uint8_t revision);

    /// A 32-bit memory BAR of `bytes` (a power of two, at least 16), placed at `address`.
    void add_memory_bar(unsigned index, uint32_t bytes, uint32_t address);
    /// Adds the MSI-X capability: table and pending bits in `bar` at the given offsets.
    void add_msix(unsigned vectors, unsigned bar, uint32_t table_offset, uint32_t pending_offset);

    uint32_t read(unsigned offset, unsigned bytes) const;
    void write(unsigned offset, unsigned bytes, uint32_t value);

    /// Where the BAR is now; nothing while the guest has memory decoding off.
    std::optional<uint64_t> bar_address(unsigned index) const;
    uint32_t bar_bytes(unsigned index) const { return bar_bytes_[index]; }
    bool msix_enabled() const;
    bool msix_all_masked() const;

  private:
    void put(unsigned offset, unsigned bytes, uint32_t value, uint32_t writable);

    std::array<uint8_t, kBytes> data_{};
    std::array<uint8_t, kBytes> writable_{};
    std::array<uint32_t, kBars> bar_bytes_{};
    unsigned msix_offset_ = 0;
};

/// A PCI function: its configuration, and what its memory BARs do.
class PciDevice {
  public:
    virtual ~PciDevice() = default;
    virtual PciConfig& config() = 0;
    /// After each write to the configuration space.
    virtual void config_changed() {}
    virtual uint64_t bar_read(unsigned bar, uint64_t offset, unsigned bytes) = 0;
    virtual void bar_write(unsigned bar, uint64_t offset, unsigned bytes, uint64_t value) = 0;
};

/// Bus 0 with configuration mechanism 1 (ports 0xcf8 and 0xcfc) and the BARs' memory. Any thread.
class PciBus {
  public:
    /// Devices sit at 00:00.0, 00:01.0, … in order of addition. Borrowed. Not after the guest runs.
    void add(PciDevice& device) { devices_.push_back(&device); }

    /// Port accesses, 1, 2 or 4 bytes; false: not a port of ours.
    bool port_read(uint16_t port, unsigned bytes, uint32_t& value);
    bool port_write(uint16_t port, unsigned bytes, uint32_t value);
    /// Memory accesses, 1 to 8 bytes; false: no BAR there.
    bool memory_read(uint64_t address, unsigned bytes, uint64_t& value);
    bool memory_write(uint64_t address, unsigned bytes, uint64_t value);

  private:
    struct Target {
        PciDevice* device = nullptr;
        unsigned bar = 0;
        uint64_t offset = 0;
    };
    PciDevice* selected() const;
    Target find(uint64_t address, unsigned bytes);

    std::mutex mutex_;
    uint32_t address_ = 0;
    std::vector<PciDevice*> devices_;
};

/// The host bridge at 00:00.0: identity only.
class HostBridge final : public PciDevice {
  public:
    HostBridge();
    PciConfig& config() override { return config_; }
    uint64_t bar_read(unsigned, uint64_t, unsigned) override { return ~0ull; }
    void bar_write(unsigned, uint64_t, unsigned, uint64_t) override {}

  private:
    PciConfig config_;
};

}  // namespace farcall::vmm
