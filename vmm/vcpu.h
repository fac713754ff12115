// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include "vmm/kvm_api.h"

#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "host-lib/unique_fd.h"
#include "vmm/io_bus.h"
#include "vmm/kvm.h"
#include "vmm/stop.h"

namespace farcall::vmm {

/// One virtual CPU and its thread.
class Vcpu {
  public:
    /// Creates it in `vm`. Throws farcall::Error.
    Vcpu(const Kvm& kvm, Vm& vm, unsigned index);
    /// Kicks and joins the thread.
    ~Vcpu();
    Vcpu(const Vcpu&) = delete;
    Vcpu& operator=(const Vcpu&) = delete;

    int fd() const { return fd_.get(); }

    /// Starts a thread for it that counts `ready` down and runs it, once `go` is open, until the stop event;
    /// `cpus`: host cores it may use, empty for any.
    void start(IoBus& bus, StopEvent& stop, const std::vector<int>& cpus, std::latch& ready, std::latch& go);
    /// Makes the thread leave the guest and end. Any thread, repeatable.
    void kick();

    uint64_t exits() const { return exits_; }

  private:
    void loop(IoBus& bus, StopEvent& stop);
    bool handle_exit(IoBus& bus, StopEvent& stop);
    void port_exit(IoBus& bus);
    std::string describe_failure(const char* what) const;

    unsigned index_;
    UniqueFd fd_;
    kvm_run* run_ = nullptr;
    size_t run_bytes_;
    std::thread thread_;
    std::atomic<bool> ending_ = false;
    std::atomic<uint64_t> exits_ = 0;
};

/// The signal that kicks a vCPU out of the guest. Installs its (empty) handler once; call before any start().
void install_kick_signal();

}  // namespace farcall::vmm
