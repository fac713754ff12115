// SPDX-License-Identifier: MIT
#include "host-lib/transfer.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace farcall {
namespace {

uint64_t total(std::span<const iovec> pieces) {
    uint64_t sum = 0;
    for (const iovec& piece : pieces)
        sum += piece.iov_len;
    return sum;
}

// 0 when `fd` is ready, else -errno.
int wait_ready(int fd, short events, int cancel_fd) {
    pollfd fds[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};
    while (poll(fds, 2, -1) < 0) {
        if (errno != EINTR) return -errno;
    }
    return fds[1].revents != 0 ? -ECANCELED : 0;
}

}  // namespace

void advance(std::vector<iovec>& pieces, size_t* first, uint64_t bytes) {
    while (bytes > 0) {
        iovec& piece = pieces[*first];
        const size_t step = std::min<uint64_t>(piece.iov_len, bytes);
        piece.iov_base = static_cast<char*>(piece.iov_base) + step;
        piece.iov_len -= step;
        bytes -= step;
        if (piece.iov_len == 0) ++*first;
    }
}

int64_t Transfer::once(const File& file, std::span<const iovec> pieces, int flags) const {
    const int count = static_cast<int>(std::min<size_t>(pieces.size(), IOV_MAX));
    // For a single piece without flags the older calls: fetching an iovec costs a sixth of a short read.
    const bool plain = count == 1 && flags == 0 && offset >= 0;
    const iovec& one = pieces[0];
    ssize_t n;
    do {
        if (plain) {
            n = write ? pwrite(file.fd, one.iov_base, one.iov_len, offset)
                      : pread(file.fd, one.iov_base, one.iov_len, offset);
        } else {
            n = write ? pwritev2(file.fd, pieces.data(), count, offset, flags)
                      : preadv2(file.fd, pieces.data(), count, offset, flags);
        }
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int64_t Transfer::all(const File& file, std::vector<iovec>& pieces) {
    int64_t moved = 0;
    size_t first = 0;
    while (first < pieces.size()) {
        const std::span rest = std::span(pieces).subspan(first);
        const int64_t n = once(file, rest, 0);
        if (n < 0) return moved > 0 ? moved : n;
        if (n == 0) break;
        moved += n;
        if (offset >= 0) offset += n;
        advance(pieces, &first, static_cast<uint64_t>(n));
    }
    return moved;
}

int64_t Transfer::stream(const File& file, std::span<const iovec> pieces, int cancel_fd) const {
    if (file.fd < 0) return write ? static_cast<int64_t>(total(pieces)) : 0;  // no such stream: as /dev/null
    int64_t moved = 0;
    for (const iovec& piece : pieces) {
        size_t at = 0;
        while (at < piece.iov_len) {
            if (int err = wait_ready(file.fd, write ? POLLOUT : POLLIN, cancel_fd))
                return moved > 0 ? moved : err;
            // A pipe that polls writable takes PIPE_BUF bytes without blocking, and no more than that for
            // certain.
            const size_t step = write ? std::min<size_t>(piece.iov_len - at, PIPE_BUF) : piece.iov_len - at;
            char* base = static_cast<char*>(piece.iov_base) + at;
            const ssize_t n = write ? ::write(file.fd, base, step) : ::read(file.fd, base, step);
            if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
            if (n < 0) return moved > 0 ? moved : -errno;
            moved += n;
            if (!write) return moved;
            at += static_cast<size_t>(n);
        }
    }
    return moved;
}

}  // namespace farcall
