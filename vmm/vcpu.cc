// SPDX-License-Identifier: MIT
#include "vmm/vcpu.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cstring>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {

int kick_signal() {
    return SIGRTMIN;
}

void pin_this_thread(const std::vector<int>& cpus) {
    if (cpus.empty()) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (const int cpu : cpus)
        CPU_SET(static_cast<size_t>(cpu), &set);
    // A core that went away since the command line was checked only costs speed.
    ::sched_setaffinity(0, sizeof set, &set);
}

}  // namespace

void install_kick_signal() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(kick_signal(), &action, nullptr);
}

Vcpu::Vcpu(const Kvm& kvm, Vm& vm, unsigned index)
    : index_(index), fd_(vm.create_vcpu(index)), run_bytes_(kvm.run_bytes()) {
    void* run = ::mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
    if (run == MAP_FAILED) throw errno_error("cannot map a virtual CPU's state");
    run_ = static_cast<kvm_run*>(run);
}

Vcpu::~Vcpu() {
    kick();
    if (thread_.joinable()) thread_.join();
    ::munmap(run_, run_bytes_);
}

void Vcpu::start(IoBus& bus, StopEvent& stop, const std::vector<int>& cpus, std::latch& ready,
                 std::latch& go) {
    thread_ = std::thread([this, &bus, &stop, &ready, &go, cpus] {
        pin_this_thread(cpus);
        ::pthread_setname_np(::pthread_self(), fmt::format("vcpu{}", index_).c_str());
        ready.count_down();
        go.wait();
        loop(bus, stop);
    });
}

void Vcpu::kick() {
    ending_ = true;
    // Seen at the next entry; the signal ends the present one.
    __atomic_store_n(&run_->immediate_exit, uint8_t{1}, __ATOMIC_RELEASE);
    if (thread_.joinable()) ::pthread_kill(thread_.native_handle(), kick_signal());
}

void Vcpu::loop(IoBus& bus, StopEvent& stop) {
    while (!ending_ && !stop.requested()) {
        if (::ioctl(fd_.get(), KVM_RUN, 0) < 0) {
            if (errno == EINTR || errno == EAGAIN) continue;
            stop.request(StopReason::kFailure, 0, describe_failure(std::strerror(errno)));
            return;
        }
        exits_.store(exits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (!handle_exit(bus, stop)) return;
    }
}

std::string Vcpu::describe_failure(const char* what) const {
    kvm_regs regs{};
    ::ioctl(fd_.get(), KVM_GET_REGS, &regs);
    return fmt::format("KVM cannot go on with the guest: {} (virtual CPU {} at {:#x})", what, index_,
                       regs.rip);
}

void Vcpu::port_exit(IoBus& bus) {
    const auto& io = run_->io;
    auto* data = reinterpret_cast<uint8_t*>(run_) + io.data_offset;
    for (uint32_t i = 0; i < io.count; i++, data += io.size) {
        if (io.direction == KVM_EXIT_IO_OUT) {
            bus.port_write(io.port, {data, io.size});
        } else {
            bus.port_read(io.port, {data, io.size});
        }
    }
}

/// Returns false when the machine has stopped.
bool Vcpu::handle_exit(IoBus& bus, StopEvent& stop) {
    switch (run_->exit_reason) {
        case KVM_EXIT_IO:
            port_exit(bus);
            return true;
        case KVM_EXIT_MMIO: {
            const size_t bytes = std::min<size_t>(run_->mmio.len, sizeof run_->mmio.data);
            if (run_->mmio.is_write) {
                bus.memory_write(run_->mmio.phys_addr, {run_->mmio.data, bytes});
            } else {
                bus.memory_read(run_->mmio.phys_addr, {run_->mmio.data, bytes});
            }
            return true;
        }
        case KVM_EXIT_INTR:
        case KVM_EXIT_HLT:
        case KVM_EXIT_IRQ_WINDOW_OPEN:
            return true;
        case KVM_EXIT_SHUTDOWN:
            stop.request(StopReason::kReset);
            return false;
        case KVM_EXIT_SYSTEM_EVENT: {
            const bool off = run_->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN;
            stop.request(off ? StopReason::kPowerOff : StopReason::kReset);
            return false;
        }
        case KVM_EXIT_FAIL_ENTRY:
            stop.request(StopReason::kFailure, 0,
                         describe_failure(fmt::format("entry refused, reason {:#x}",
                                                      static_cast<uint64_t>(
                                                          run_->fail_entry.hardware_entry_failure_reason))
                                              .c_str()));
            return false;
        case KVM_EXIT_INTERNAL_ERROR:
            stop.request(
                StopReason::kFailure, 0,
                describe_failure(fmt::format("internal error {}, an instruction that it does not emulate",
                                             static_cast<uint32_t>(run_->internal.suberror))
                                     .c_str()));
            return false;
        default:
            stop.request(
                StopReason::kFailure, 0,
                describe_failure(
                    fmt::format("unknown exit {}", static_cast<uint32_t>(run_->exit_reason)).c_str()));
            return false;
    }
}

}  // namespace farcall::vmm
