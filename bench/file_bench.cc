// SPDX-License-Identifier: MIT
#include "bench/file_bench.h"

#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "bench/sampling.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

constexpr uint64_t kFileBytes = 4u << 20;  // fits into the caches beside the page cache: the least copying
constexpr uint32_t kChunks = 16;
constexpr uint32_t kChains = 64;
constexpr uint32_t kDepths[] = {1, 8, 32, 128};
constexpr uint32_t kLengths[] = {3, 30};
constexpr uint32_t kFan = 30;
constexpr uint64_t kWaitList = HostRig::kArenaBytes - 4096;  // arena offset
constexpr uint64_t kBuffer = 4096;                           // arena offset; the path lies before it
constexpr uint32_t k4k = 4096, k64k = 65536;

/// Every block once in a while, in an order that nothing predicts, or one after the other.
uint64_t offset_of(uint32_t index, uint32_t bytes, bool sequential) {
    const auto blocks = static_cast<uint32_t>(kFileBytes / bytes);
    return uint64_t{sequential ? index % blocks : (index * 2654435761u >> 8) % blocks} * bytes;
}

std::string in_flight(const std::string& name, uint32_t depth) {
    return name + "_in_flight_" + std::to_string(depth);
}

std::string fan_name() {
    return "fan_" + std::to_string(kFan);
}

fc_command read_command(uint32_t handle, uint32_t index, uint32_t place, uint32_t bytes, bool sequential) {
    fc_command command{};
    command.opcode = FC_OP_READ;
    command.handle = handle;
    command.id = index;
    command.offset = offset_of(index, bytes, sequential);
    command.buffer = kBuffer + uint64_t{place} * bytes;
    command.length = bytes;
    return command;
}

/// One pread() after the other.
std::vector<uint32_t> pread_loop(int fd, std::byte* to, uint32_t count, uint32_t chunk, uint32_t bytes,
                                 bool sequential) {
    return sample_each(count / chunk, chunk, [&](uint32_t i) {
        if (pread(fd, to + size_t{i % 32} * bytes, bytes,
                  static_cast<off_t>(offset_of(i, bytes, sequential))) != static_cast<ssize_t>(bytes))
            throw errno_error("cannot read the bench's file");
    });
}

}  // namespace

FileBench::FileBench(int worker_core, Results& results)
    : results_(results),
      rig_({.worker_core = worker_core, .share = directory_.path()}),
      fd_(directory_.make_file("file", kFileBytes)),
      memory_(HostRig::kArenaBytes) {
    const std::string reason = FileUring::unavailable();
    if (reason.empty()) {
        plain_ = std::make_unique<FileUring>(FileUring::Mode::kPlain, fd_.get(), memory_.data(),
                                             HostRig::kArenaBytes);
        fixed_ = std::make_unique<FileUring>(FileUring::Mode::kFixed, fd_.get(), memory_.data(),
                                             HostRig::kArenaBytes);
    } else {
        results_.skip("io_uring", reason);
    }
    handle_ = rig_.open("file");
}

std::string FileBench::file_system() const {
    struct statfs fs {};
    if (fstatfs(fd_.get(), &fs) < 0) return "unknown";
    switch (static_cast<unsigned long>(fs.f_type)) {
        case EXT4_SUPER_MAGIC:
            return "ext4";
        case TMPFS_MAGIC:
            return "tmpfs";
        case BTRFS_SUPER_MAGIC:
            return "btrfs";
        case OVERLAYFS_SUPER_MAGIC:
            return "overlayfs";
        default:
            return "other";
    }
}

void FileBench::reads(const std::string& name, uint32_t bytes, bool sequential, uint32_t depth) {
    const uint32_t chunk = std::max(bytes == k4k ? 64u : 16u, depth);
    const uint32_t count = chunk * kChunks;
    const auto make = [&](uint32_t i) { return read_command(handle_, i, i % depth, bytes, sequential); };
    const auto offset = [&](uint32_t i) { return offset_of(i, bytes, sequential); };
    rig_.channel().pipeline(chunk, depth, chunk, static_cast<int>(bytes), make);  // wakes the worker
    results_.add(in_flight(name, depth),
                 rig_.channel().pipeline(count, depth, chunk, static_cast<int>(bytes), make), chunk, depth);
    if (plain_ != nullptr) {
        results_.add(in_flight("io_uring_" + name, depth), plain_->reads(count, depth, chunk, bytes, offset),
                     chunk, depth);
        results_.add(in_flight("io_uring_fixed_" + name, depth),
                     fixed_->reads(count, depth, chunk, bytes, offset), chunk, depth);
    }
    // Once a round is not enough: it stands beside each of the others.
    results_.add(in_flight("pread_" + name, depth),
                 pread_loop(fd_.get(), memory_.data(), count, chunk, bytes, sequential), chunk, 1);
}

/// Each read after the one before; fan: all but the first and the last after the first, the last after those.
void FileBench::engine_chains(const std::string& name, uint32_t length, bool fan) {
    std::vector<uint32_t> samples;
    HostChannel& channel = rig_.channel();
    auto* list = reinterpret_cast<uint64_t*>(rig_.arena() + kWaitList);
    for (uint32_t chain = 0; chain < kChains; chain++) {
        const uint64_t id = rig_.take_ids(length);
        const uint64_t before = bench_ticks();
        for (uint32_t i = 0; i < length; i++) {
            fc_command command = read_command(handle_, chain * length + i, i, k4k, false);
            command.id = id + i;
            command.flags = FC_F_ID;
            if (i != 0) command.wait_count = 1, command.wait = fan ? id : id + i - 1;
            if (fan && i + 1 == length) {
                for (uint32_t j = 1; j < i; j++)
                    list[j - 1] = id + j;
                command.wait_count = static_cast<uint16_t>(length - 2);
                command.wait = kWaitList;
            }
            channel.post(command);
        }
        channel.announce();
        for (uint32_t done = 0; done < length;)
            done += channel.collect(k4k);
        samples.push_back(bench_sample(bench_ticks() - before));
    }
    results_.add(name, std::move(samples));
}

void FileBench::chains(uint32_t length) {
    const std::string name = "chain_" + std::to_string(length);
    const auto offset = [](uint32_t i) { return offset_of(i, k4k, false); };
    engine_chains(name, length, false);
    results_.add("calls_" + name,
                 pread_loop(fd_.get(), memory_.data(), kChains * length, length, k4k, false));
    if (plain_ == nullptr) return;
    results_.add("io_uring_links_" + name,
                 plain_->chains(FileUring::Chain::kLinks, kChains, length, k4k, offset));
    results_.add("io_uring_steps_" + name,
                 plain_->chains(FileUring::Chain::kSteps, kChains, length, k4k, offset));
}

void FileBench::fan() {
    engine_chains(fan_name(), kFan, true);
    results_.add("calls_" + fan_name(),
                 pread_loop(fd_.get(), memory_.data(), kChains * kFan, kFan, k4k, false));
    if (plain_ != nullptr)
        results_.add("io_uring_steps_" + fan_name(),
                     plain_->chains(FileUring::Chain::kFan, kChains, kFan, k4k,
                                    [](uint32_t i) { return offset_of(i, k4k, false); }));
}

void FileBench::round() {
    for (const uint32_t depth : kDepths) {
        reads("read_4k", k4k, false, depth);
        reads("read_4k_sequential", k4k, true, depth);
        if (depth <= 32) reads("read_64k", k64k, false, depth);
    }
    for (const uint32_t length : kLengths)
        chains(length);
    fan();
}

void FileBench::add_ratios() {
    // ns per operation, so the other system comes first: more than 1 means that ours does more per second.
    const auto against = [&](const std::string& name, uint32_t depth, const char* aim) {
        for (const char* other : {"io_uring_", "io_uring_fixed_", "pread_"})
            results_.add_ratio(in_flight(other + name, depth), in_flight(name, depth), aim);
    };
    for (const uint32_t depth : kDepths) {
        against("read_4k", depth, depth >= 32 ? "io_uring: >= 1.1" : "");
        against("read_4k_sequential", depth, depth >= 32 ? "io_uring: >= 1.1" : "");
        if (depth <= 32) against("read_64k", depth, ">= 0.9");
    }
    for (const uint32_t length : kLengths) {
        const std::string name = "chain_" + std::to_string(length);
        for (const char* other : {"calls_", "io_uring_links_", "io_uring_steps_"})
            results_.add_ratio(other + name, name, "");
    }
    for (const char* other : {"calls_", "io_uring_steps_"})
        results_.add_ratio(other + fan_name(), fan_name(), "");
}

}  // namespace farcall::bench
