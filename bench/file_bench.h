// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

#include "bench/file_uring.h"
#include "bench/host_rig.h"
#include "bench/results.h"
#include "bench/scratch.h"
#include "host-lib/unique_fd.h"

namespace farcall::bench {

/// Reads of a file in the page cache, alone and in chains: the engine, system calls of the client's thread,
/// and io_uring. Each round() adds one sample set of each to the results, in turn, so that drift cancels.
class FileBench {
  public:
    /// Makes a file in the directory for temporary files. Before the calling thread is pinned.
    FileBench(int worker_core, Results& results);
    void round();
    void add_ratios();
    const Engine& engine() const { return rig_.engine(); }
    std::string file_system() const;

  private:
    void reads(const std::string& name, uint32_t bytes, bool sequential, uint32_t depth);
    void chains(uint32_t length);
    void fan();
    void engine_chains(const std::string& name, uint32_t length, bool fan);

    Results& results_;
    ScratchDirectory directory_;
    HostRig rig_;
    UniqueFd fd_;
    Memory memory_;
    std::unique_ptr<FileUring> plain_;
    std::unique_ptr<FileUring> fixed_;
    uint32_t handle_ = 0;
};

}  // namespace farcall::bench
