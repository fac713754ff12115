// SPDX-License-Identifier: MIT
#include "host-lib/uring_backend.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "host-lib/error.h"

namespace farcall {
namespace {

constexpr unsigned kEntries = 64;
constexpr uint32_t kMostInFlight = 2 * kEntries;  // the completion queue's size: it never overflows
constexpr size_t kReapBatch = 32;

constexpr uint8_t kOperations[] = {
    IORING_OP_READV,   // transfers from files that are not in the page cache, and long ones
    IORING_OP_WRITEV,  // transfers to files
    IORING_OP_FSYNC,   // FC_OP_FSYNC
};

// From the newest kernels' best to plain: one submitter (6.0), completions that do not interrupt it (5.19).
// Not IORING_SETUP_DEFER_TASKRUN: with it a ring does not wake who sleeps in epoll until it is asked.
constexpr unsigned kCalm = IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
constexpr unsigned kSetups[] = {kCalm | IORING_SETUP_SINGLE_ISSUER, kCalm, 0};

int init(io_uring& ring) {
    int result = -EINVAL;
    for (const unsigned setup : kSetups) {
        io_uring_params params{};
        params.flags = setup | IORING_SETUP_R_DISABLED;
        result = io_uring_queue_init_params(kEntries, &ring, &params);
        if (result != -EINVAL) break;
    }
    return result;
}

int restrict_ring(io_uring& ring) {
    std::vector<io_uring_restriction> rules;
    for (const uint8_t operation : kOperations) {
        io_uring_restriction& rule = rules.emplace_back();
        rule.opcode = IORING_RESTRICTION_SQE_OP;
        rule.sqe_op = operation;
    }
    io_uring_restriction& flags = rules.emplace_back();
    flags.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    flags.sqe_flags = IOSQE_ASYNC;
    // liburing 2.3 declares its own functions for this and the next, and does not export them.
    return io_uring_register(static_cast<unsigned>(ring.ring_fd), IORING_REGISTER_RESTRICTIONS, rules.data(),
                             static_cast<unsigned>(rules.size()));
}

int enable(const io_uring& ring) {
    return io_uring_register(static_cast<unsigned>(ring.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
}

std::string explain(const char* what, int error) {
    if (error == -ENOSYS) return "this kernel has no io_uring";
    if (error == -EPERM || error == -EACCES)
        return "io_uring is forbidden here (kernel.io_uring_disabled, or a container's system-call filter)";
    return std::string(what) + ": " + std::strerror(-error);
}

/// Runs an operation that fails in a known way: entering the ring may be forbidden although making it is not.
int try_operation(io_uring& ring) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_fsync(sqe, -1, 0);
    if (int result = io_uring_submit_and_wait(&ring, 1); result < 0) return result;
    io_uring_cqe* cqe;
    if (int result = io_uring_peek_cqe(&ring, &cqe); result < 0) return result;
    const int result = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    return result == -EBADF ? 0 : -EIO;
}

}  // namespace

std::string UringBackend::unavailable() {
    io_uring ring{};
    if (int err = init(ring)) return explain("io_uring does not start", err);
    const char* step = "this kernel's io_uring can't be restricted";
    int err = restrict_ring(ring);
    if (err == 0) {
        step = "io_uring does not work";
        err = enable(ring);
    }
    if (err == 0) err = try_operation(ring);
    io_uring_queue_exit(&ring);
    return err < 0 ? explain(step, err) : std::string();
}

UringBackend::UringBackend() {
    if (int err = init(ring_)) throw Error(explain("io_uring does not start", err));
    if (int err = restrict_ring(ring_)) {
        io_uring_queue_exit(&ring_);
        throw Error(explain("this kernel's io_uring can't be restricted", err));
    }
}

UringBackend::~UringBackend() {
    io_uring_queue_exit(&ring_);
}

int UringBackend::start() {
    return enable(ring_);
}

bool UringBackend::take(std::unique_ptr<Job>& job) {
    if (in_flight_ == kMostInFlight) return false;
    io_uring_sqe step{};
    if (!job->prepare(step)) return false;
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) {
        submit();
        sqe = io_uring_get_sqe(&ring_);
        if (sqe == nullptr) return false;
    }
    *sqe = step;
    io_uring_sqe_set_data(sqe, job.release());
    in_flight_++;
    return true;
}

void UringBackend::submit() {
    // What the kernel does not take now (no memory, a signal) stays queued until the worker's next round.
    if (unsubmitted()) io_uring_submit(&ring_);
}

size_t UringBackend::reap(Worker& worker, BlockingPool& pool) {
    if (in_flight_ == 0) return 0;
    if (IO_URING_READ_ONCE(*ring_.sq.kflags) & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW))
        io_uring_get_events(&ring_);
    std::array<io_uring_cqe*, kReapBatch> done;
    const unsigned count = io_uring_peek_batch_cqe(&ring_, done.data(), done.size());
    // Copied first: a job may queue the next one, whose completion may come at once.
    std::array<std::pair<Job*, int32_t>, kReapBatch> ends;
    for (unsigned i = 0; i < count; i++)
        ends[i] = {static_cast<Job*>(io_uring_cqe_get_data(done[i])), done[i]->res};
    io_uring_cq_advance(&ring_, count);
    in_flight_ -= count;
    for (unsigned i = 0; i < count; i++)
        ended(std::unique_ptr<Job>(ends[i].first), ends[i].second, worker, pool);
    return count;
}

void UringBackend::ended(std::unique_ptr<Job> job, int32_t result, Worker& worker, BlockingPool& pool) {
    const Job::Next next = job->stepped(result);
    if (next == Job::Next::kDone) return job->run(worker);
    if (next == Job::Next::kStep && take(job)) return;
    pool.post(std::move(job));
}

}  // namespace farcall
