// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "host-lib/engine.h"
#include "host-lib/stats_server.h"
#include "host-lib/unique_fd.h"
#include "vmm/doorbells.h"
#include "vmm/guest_image.h"
#include "vmm/machine.h"
#include "vmm/offload_device.h"
#include "vmm/terminal.h"

namespace farcall::vmm {

struct SessionConfig {
    uint64_t memory_bytes = 512ull << 20;
    MemoryBacking backing = MemoryBacking::kAnonymous;
    MachineConfig machine;
    EngineConfig engine;
    std::vector<ShareConfig> shares;
    UniqueFd image;  ///< what one of them lends
    NetConfig net;
    GuestFiles files;
    GuestCommand command;
    std::string command_line;
    std::string control;  ///< socket for statistics, or empty
    Limits limits;
    std::string kernel_log;               ///< file for the guest's kernel log, or empty
    std::chrono::nanoseconds timeout{0};  ///< 0: none
    bool sandbox = true;
};

/// What of a run needs no KVM.
struct PreparedGuest {
    std::unique_ptr<GuestRam> ram;  ///< with kernel, initial RAM disk, command line
    LoadedKernel kernel;
    UniqueFd log;  ///< SessionConfig::kernel_log
};

/// Looks at all files and directories that the user named and loads the guest. Done before KVM is asked for
/// anything, so that a mistake in the input is reported as such on every machine. Throws farcall::Error.
PreparedGuest prepare_guest(const SessionConfig& config);

/// One run of a guest: machine, engine and offload device with this process's standard streams, from set-up
/// to the end. Used by the main thread, which has blocked the signals of blocked_signals() before any other
/// thread exists.
class Session {
  public:
    /// Sets everything up. Throws farcall::Error.
    Session(const Kvm& kvm, const SessionConfig& config, PreparedGuest guest);
    /// Stops the guest, then the engine, then frees their memory.
    ~Session();

    /// Starts the guest and waits for its end: its own, by a signal, or by the timeout.
    Stop run();
    const ConsoleLog& console() const { return machine_.console(); }
    const Engine& engine() const { return *engine_; }
    uint64_t exits() const { return machine_.exits(); }

    /// Blocks what run() reads by signalfd, in the calling thread and those that it starts later.
    static void block_signals();

  private:
    void make_engine(const SessionConfig& config);
    void wait_for_end();
    void take_signal();
    void send_record(uint32_t type, uint32_t a, uint32_t b);

    UniqueFd control_read_;
    UniqueFd control_write_;
    UniqueFd log_;
    UniqueFd signals_;
    UniqueFd timer_;
    bool on_terminal_;
    bool sandbox_;
    bool network_;  ///< clients may use sockets
    bool asked_to_end_ = false;
    Machine machine_;
    std::unique_ptr<Engine> engine_;
    std::optional<StatsServer> stats_;
    std::unique_ptr<Domain> domain_;
    std::optional<KvmDoorbells> doorbells_;
    std::optional<OffloadDevice> device_;
    std::optional<RawTerminal> raw_;
};

}  // namespace farcall::vmm
