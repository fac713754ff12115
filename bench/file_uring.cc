// SPDX-License-Identifier: MIT
#include "bench/file_uring.h"

#include <algorithm>
#include <cerrno>

#include "bench/host_client.h"
#include "bench/uring.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

constexpr unsigned kEntries = 256;

}  // namespace

std::string FileUring::unavailable() {
    return Uring::unavailable(Uring::Mode::kEnter, 0);
}

FileUring::FileUring(Mode mode, int fd, std::byte* memory, size_t bytes)
    : mode_(mode), fd_(fd), memory_(memory) {
    // What the manual recommends for one thread; older kernels take it plain.
    int result =
        io_uring_queue_init(kEntries, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (result == -EINVAL) result = io_uring_queue_init(kEntries, &ring_, 0);
    if (result < 0) throw errno_error("cannot start io_uring", -result);
    io_uring_register_ring_fd(&ring_);
    if (mode == Mode::kPlain) return;
    const iovec all{memory, bytes};
    result = io_uring_register_files(&ring_, &fd, 1);
    if (result == 0) result = io_uring_register_buffers(&ring_, &all, 1);
    if (result == 0) return;
    io_uring_queue_exit(&ring_);
    throw errno_error("cannot register files and buffers with io_uring", -result);
}

FileUring::~FileUring() {
    io_uring_queue_exit(&ring_);
}

io_uring_sqe* FileUring::prepare(uint32_t place, uint32_t bytes, uint64_t offset) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    std::byte* to = memory_ + size_t{place} * bytes;
    if (mode_ == Mode::kPlain) {
        io_uring_prep_read(sqe, fd_, to, bytes, offset);
    } else {
        io_uring_prep_read_fixed(sqe, 0, to, bytes, offset, 0);
        sqe->flags |= IOSQE_FIXED_FILE;
    }
    return sqe;
}

void FileUring::finish(uint32_t count, uint32_t bytes) {
    const int result = io_uring_submit_and_wait(&ring_, count);
    if (result < 0) throw errno_error("cannot submit to io_uring", -result);
    io_uring_cqe* cqe;
    unsigned head;
    uint32_t reaped = 0;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        if (cqe->res != static_cast<int>(bytes)) throw errno_error("an io_uring read failed", -cqe->res);
        reaped++;
    }
    io_uring_cq_advance(&ring_, reaped);
    if (reaped != count) throw Error("io_uring completed fewer reads than it waited for");
}

std::vector<uint32_t> FileUring::reads(uint32_t count, uint32_t depth, uint32_t chunk, uint32_t bytes,
                                       const Offset& offset) {
    std::vector<uint32_t> samples;
    uint32_t next = chunk;
    uint64_t before = bench_ticks();
    for (uint32_t done = 0; done < count;) {
        const uint32_t batch = std::min(depth, count - done);
        for (uint32_t i = 0; i < batch; i++)
            prepare(i, bytes, offset(done + i));
        finish(batch, bytes);
        done += batch;
        if (done < next) continue;
        const uint64_t now = bench_ticks();
        samples.push_back(bench_sample(now - before));
        before = now;
        next += chunk;
    }
    return samples;
}

std::vector<uint32_t> FileUring::chains(Chain how, uint32_t count, uint32_t length, uint32_t bytes,
                                        const Offset& offset) {
    std::vector<uint32_t> samples;
    for (uint32_t chain = 0; chain < count; chain++) {
        const uint64_t before = bench_ticks();
        for (uint32_t i = 0; i < length; i++) {
            io_uring_sqe* sqe = prepare(i, bytes, offset(chain * length + i));
            if (how == Chain::kSteps)
                finish(1, bytes);
            else if (how == Chain::kFan && (i == 0 || i + 2 >= length))
                finish(i + 2 == length ? length - 2 : 1, bytes);
            else if (how == Chain::kLinks && i + 1 < length)
                sqe->flags |= IOSQE_IO_LINK;
        }
        if (how == Chain::kLinks) finish(length, bytes);
        samples.push_back(bench_sample(bench_ticks() - before));
    }
    return samples;
}

}  // namespace farcall::bench
