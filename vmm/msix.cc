// SPDX-License-Identifier: MIT
#include "vmm/msix.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {
constexpr uint32_t kMasked = 1;
constexpr uint64_t kTableBytes = Msix::kVectors * Msix::kEntryBytes;
constexpr uint64_t kPendingBytes = Msix::kVectors / 8;
}  // namespace

Msix::Msix(InterruptSink& sink) : sink_(sink), vectors_(kVectors) {
    for (Vector& vector : vectors_) {
        vector.event.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
        if (!vector.event) throw errno_error("cannot create an eventfd for an interrupt vector");
    }
}

void Msix::raise(unsigned vector) const {
    const uint64_t one = 1;
    // Fails only when the counter is full, and then the vector is pending already.
    [[maybe_unused]] const ssize_t written = ::write(fd(vector), &one, sizeof one);
}

void Msix::set_control(bool enabled, bool all_masked) {
    const std::scoped_lock lock(mutex_);
    if (enabled == enabled_ && all_masked == all_masked_) return;
    enabled_ = enabled;
    all_masked_ = all_masked;
    for (unsigned i = 0; i < kVectors; i++)
        update(i);
}

void Msix::update(unsigned index) {
    Vector& vector = vectors_[index];
    const bool open = enabled_ && !all_masked_ && (vector.entry[3] & kMasked) == 0;
    const MsiMessage message{vector.entry[0] | static_cast<uint64_t>(vector.entry[1]) << 32, vector.entry[2]};
    if (open && (!vector.connected || message != vector.connected_message)) {
        // Taken out and put back, so that the sink sees an edge for what came while the vector was masked.
        uint64_t count = 0;
        const bool pending =
            !vector.connected && ::read(vector.event.get(), &count, sizeof count) == sizeof count;
        sink_.connect(index, vector.event.get(), message);
        vector.connected = true;
        vector.connected_message = message;
        if (pending) raise(index);
    } else if (!open && vector.connected) {
        sink_.disconnect(index, vector.event.get());
        vector.connected = false;
    }
}

bool Msix::is_pending(const Vector& vector) const {
    if (vector.connected) return false;
    pollfd item{vector.event.get(), POLLIN, 0};
    return ::poll(&item, 1, 0) == 1 && (item.revents & POLLIN) != 0;
}

uint32_t Msix::read_word(uint64_t offset) const {
    if (offset < kTableBytes) return vectors_[offset / kEntryBytes].entry[offset % kEntryBytes / 4];
    if (offset >= kPendingOffset && offset < kPendingOffset + kPendingBytes) {
        const auto first = static_cast<unsigned>((offset - kPendingOffset) * 8);
        uint32_t bits = 0;
        for (unsigned i = 0; i < 32; i++)
            bits |= static_cast<uint32_t>(is_pending(vectors_[first + i])) << i;
        return bits;
    }
    return 0;
}

void Msix::write_word(uint64_t offset, uint32_t value) {
    if (offset >= kTableBytes) return;
    const auto index = static_cast<unsigned>(offset / kEntryBytes);
    const auto word = static_cast<unsigned>(offset % kEntryBytes / 4);
    vectors_[index].entry[word] = word == 3 ? value & kMasked : word == 0 ? value & ~3u : value;
    update(index);
}

uint64_t Msix::read(uint64_t offset, unsigned bytes) {
    if ((bytes != 4 && bytes != 8) || offset % bytes != 0) return ~0ull;
    const std::scoped_lock lock(mutex_);
    const uint64_t low = read_word(offset);
    return bytes == 4 ? low : low | static_cast<uint64_t>(read_word(offset + 4)) << 32;
}

void Msix::write(uint64_t offset, unsigned bytes, uint64_t value) {
    if ((bytes != 4 && bytes != 8) || offset % bytes != 0) return;
    const std::scoped_lock lock(mutex_);
    write_word(offset, static_cast<uint32_t>(value));
    if (bytes == 8) write_word(offset + 4, static_cast<uint32_t>(value >> 32));
}

}  // namespace farcall::vmm
