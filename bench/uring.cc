// SPDX-License-Identifier: MIT
#include "bench/uring.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bench/host_client.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

constexpr unsigned kEntries = 256;
constexpr unsigned kSqIdleMs = 1000;  // longer than any measurement: the polling thread must not sleep in one

/// 0 or -errno. Tries the settings that liburing's own advice calls fastest, then plain ones for older
/// kernels.
int init(io_uring& ring, Uring::Mode mode, int sqpoll_core) {
    io_uring_params params{};
    if (mode == Uring::Mode::kSqPoll) {
        params.flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF;
        params.sq_thread_cpu = static_cast<unsigned>(sqpoll_core);
        params.sq_thread_idle = kSqIdleMs;
        return io_uring_queue_init_params(kEntries, &ring, &params);
    }
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN;
    const int result = io_uring_queue_init_params(kEntries, &ring, &params);
    if (result != -EINVAL) return result;
    params = {};
    return io_uring_queue_init_params(kEntries, &ring, &params);
}

/// A kernel thread that polls for a ring of ours.
bool polls_for_us() {
    std::error_code gone;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", gone)) {
        std::ifstream comm(task.path() / "comm");
        std::string name;
        if (std::getline(comm, name) && name.starts_with("iou-sqp")) return true;
    }
    return false;
}

}  // namespace

std::string Uring::unavailable(Mode mode, int sqpoll_core) {
    io_uring ring{};
    const int result = init(ring, mode, sqpoll_core);
    if (result >= 0) {
        io_uring_queue_exit(&ring);
        return "";
    }
    if (result == -ENOSYS) return "this kernel has no io_uring";
    if (result == -EPERM || result == -EACCES)
        return "io_uring is forbidden here (kernel.io_uring_disabled, or a container's seccomp filter)";
    return std::string("io_uring does not start: ") + std::strerror(-result);
}

std::vector<Uring::Mode> Uring::usable(int sqpoll_core, Results& results) {
    std::vector<Mode> modes;
    for (const Mode mode : {Mode::kEnter, Mode::kSqPoll}) {
        const std::string reason = unavailable(mode, sqpoll_core);
        if (reason.empty())
            modes.push_back(mode);
        else
            results.skip(name(mode), reason);
    }
    return modes;
}

Uring::Uring(Mode mode, int sqpoll_core) : mode_(mode) {
    const int result = init(ring_, mode, sqpoll_core);
    if (result < 0) throw errno_error("cannot start io_uring", -result);
    // Saves the look-up of the descriptor in each system call, where the kernel can do it (5.18).
    if (mode == Mode::kEnter) io_uring_register_ring_fd(&ring_);
}

Uring::~Uring() {
    io_uring_queue_exit(&ring_);
    // The kernel ends the thread later, and until then it has half of the core of whoever is measured next.
    for (int i = 0; mode_ == Mode::kSqPoll && i < 200 && polls_for_us(); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void Uring::submit(uint32_t commands, uint32_t wait_for) {
    for (uint32_t i = 0; i < commands; i++) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        // SQPOLL only: the kernel has completed nops but not yet published that it took their entries.
        while (sqe == nullptr) {
            io_uring_submit(&ring_);
            sqe = io_uring_get_sqe(&ring_);
        }
        io_uring_prep_nop(sqe);
    }
    const int result = wait_for != 0 ? io_uring_submit_and_wait(&ring_, wait_for) : io_uring_submit(&ring_);
    if (result < 0) throw errno_error("cannot submit to io_uring", -result);
}

uint32_t Uring::reap() {
    io_uring_cqe* cqe;
    unsigned head;
    uint32_t reaped = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        if (cqe->res < 0) throw errno_error("an io_uring nop failed", -cqe->res);
        reaped++;
    }
    if (reaped != 0) io_uring_cq_advance(&ring_, reaped);
    return reaped;
}

std::vector<uint32_t> Uring::nops(uint32_t count, uint32_t depth, uint32_t chunk) {
    std::vector<uint32_t> samples;
    samples.reserve(count / chunk);
    uint32_t posted = 0, done = 0, next = chunk;
    uint64_t before = bench_ticks();
    while (done < count) {
        const uint32_t batch = std::min(depth - (posted - done), count - posted);
        if (batch != 0) submit(batch, mode_ == Mode::kEnter ? batch : 0);
        posted += batch;
        const uint32_t reaped = reap();
        if (reaped == 0) bench_pause();
        done += reaped;
        if (done < next) continue;
        const uint64_t now = bench_ticks();
        samples.push_back(bench_sample(now - before));
        before = now;
        next += chunk;
    }
    return samples;
}

}  // namespace farcall::bench
