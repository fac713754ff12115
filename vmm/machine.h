// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <latch>
#include <memory>
#include <vector>

#include "vmm/guest_ram.h"
#include "vmm/interrupts.h"
#include "vmm/io_bus.h"
#include "vmm/kernel_loader.h"
#include "vmm/kvm.h"
#include "vmm/msix.h"
#include "vmm/pci.h"
#include "vmm/serial.h"
#include "vmm/stop.h"
#include "vmm/vcpu.h"

namespace farcall::vmm {

struct MachineConfig {
    unsigned cpus = 1;
    std::vector<int> vcpu_cores;  ///< host cores for the vCPU threads; empty: any
    int console_fd = -1;          ///< borrowed; gets the serial console's output
};

/// A virtual machine without its offload device: RAM, vCPUs, interrupt controllers, buses, console. Built,
/// given a kernel and devices, started, stopped; used by one thread, except stop_event().
class Machine {
  public:
    /// `ram` may hold the guest already. Throws farcall::Error.
    Machine(const Kvm& kvm, const MachineConfig& config, std::unique_ptr<GuestRam> ram);
    /// Stops the vCPUs if they run.
    ~Machine();

    const GuestRam& ram() const { return *ram_; }
    Vm& vm() { return vm_; }
    PciBus& pci() { return pci_; }
    InterruptSink& interrupts() { return interrupts_; }
    StopEvent& stop_event() { return stop_; }
    const ConsoleLog& console() const { return console_; }

    /// Writes the tables for `kernel`, which is in RAM with all else that it boots with, and makes it the
    /// first vCPU's start. Throws farcall::Error.
    void boot(const LoadedKernel& kernel);
    /// Starts the vCPUs' threads, which wait. The PCI bus takes no further devices.
    void prepare();
    /// Lets the guest run.
    void start();
    /// Ends the vCPU threads. Repeatable.
    void stop();

    /// Exits to this process so far, of all vCPUs.
    uint64_t exits() const;

  private:
    MachineConfig config_;
    std::unique_ptr<GuestRam> ram_;
    Vm vm_;
    StopEvent stop_;
    ConsoleLog console_;
    PciBus pci_;
    HostBridge bridge_;
    std::unique_ptr<KvmInterrupts> interrupts_holder_;
    KvmInterrupts& interrupts_;
    Serial serial_;
    IoBus bus_;
    std::latch ready_;
    std::latch go_{1};
    bool going_ = false;
    std::vector<std::unique_ptr<Vcpu>> vcpus_;
    uint64_t past_exits_ = 0;
};

}  // namespace farcall::vmm
