// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <ctime>
#include <mutex>
#include <new>

#include <farcall/control.h>
#include <farcall/ring.h>

#include "guest-lib/src/control_socket.h"
#include "guest-lib/src/extents.h"
#include "guest-lib/src/transport.h"

namespace farcall::client {

namespace {

/// A memfd of `bytes`, sealed against shrinking: the server refuses memory that we could pull from under it.
int create_memory(uint64_t bytes, Fd& out) {
    Fd memory(::memfd_create("farcall", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (memory.get() < 0) return -errno;
    if (::ftruncate(memory.get(), static_cast<off_t>(bytes)) < 0) return -errno;
    if (::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) return -errno;
    out = std::move(memory);
    return 0;
}

int map_memory(int fd, uint64_t bytes, void*& base) {
    base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) return -errno;
    ::madvise(base, bytes, MADV_DONTFORK);
    return 0;
}

/// One memfd holds the arena and, behind it, the rings of all channels.
class LocalTransport final : public Transport {
  public:
    int open(const char* path, const farcall_options& options);
    int create_channel(const ChannelShape& shape, Rings& out) override;
    void destroy_channel(Rings& rings, bool owner) override;
    int add_region(void*, uint64_t, uint32_t, uint32_t&) override { return -ENOTSUP; }
    int remove_region(uint32_t key) override;
    int allocate_region(uint64_t bytes, farcall_region& out) override;
    int event_ids(uint32_t count, uint64_t& first, uint32_t& got) override;
    int vm_exit(uint32_t) override { return -ENOTSUP; }
    void shut_down(bool owner) override;
    int ring_doorbell(Rings& rings, uint64_t& system_calls) override;
    int sleep(Rings& rings, int64_t timeout_ns, uint64_t& system_calls) override;
    int drain(Rings& rings, uint64_t& system_calls) override;

  private:
    int hello(int memory, uint64_t bytes);
    int request(fc_control& control, int fd = -1, Fd* answer_fd = nullptr);

    ControlSocket socket_;
    uint32_t client_ = 0;
    uint64_t mapped_bytes_ = 0;
    std::mutex ring_lock_;
    Extents ring_space_;  ///< of the memfd behind the arena
};

int LocalTransport::request(fc_control& control, int fd, Fd* answer_fd) {
    control.client = client_;
    return socket_.request(control, fd, answer_fd);
}

int LocalTransport::hello(int memory, uint64_t bytes) {
    fc_control control{};
    int rc = 0;
    uint64_t features = FC_FEATURE_ALL;
    for (int attempt = 0; attempt < 2; attempt++) {
        control = {};
        control.op = FC_CTL_HELLO;
        control.arg[0] = FC_ABI_VERSION;
        control.arg[1] = features;
        control.arg[2] = bytes;
        rc = request(control, memory);
        if (rc != -ENOTSUP) break;
        features &= control.arg[1];  // a refusal names what is on offer
    }
    if (rc < 0) return rc;
    if (control.arg[0] != FC_ABI_VERSION) return -EPROTO;
    info_.version = FC_ABI_VERSION;
    info_.features = features;
    info_.max_channels = static_cast<uint32_t>(control.arg[2]);
    info_.max_regions = static_cast<uint32_t>(control.arg[2] >> 32);
    info_.max_command_slots = static_cast<uint32_t>(control.arg[3]);
    info_.max_event_slots = static_cast<uint32_t>(control.arg[3] >> 32);
    info_.max_region_bytes = control.arg[4];
    info_.local = 1;
    return 0;
}

int LocalTransport::open(const char* path, const farcall_options& options) {
    if (int rc = socket_.connect(path); rc < 0) return rc;
    const uint64_t bytes = options.arena_bytes + options.channel_bytes;
    Fd memory;
    if (int rc = create_memory(bytes, memory); rc < 0) return rc;
    if (int rc = hello(memory.get(), bytes); rc < 0) return rc;
    void* base = nullptr;
    if (int rc = map_memory(memory.get(), bytes, base); rc < 0) return rc;
    arena_ = static_cast<std::byte*>(base);
    arena_bytes_ = options.arena_bytes;
    mapped_bytes_ = bytes;
    ring_space_.set_size(options.channel_bytes);

    fc_control create{};
    create.op = FC_CTL_CLIENT_CREATE;
    if (options.flags & FARCALL_OPEN_STREAMS) create.flags = FC_CLIENT_STREAMS;
    if (options.near_serial != 0) create.flags |= FC_CLIENT_NEAR;
    create.arg[0] = options.near_serial;
    if (int rc = request(create); rc < 0) return rc;
    client_ = create.client;
    info_.serial = static_cast<uint32_t>(create.arg[0]);

    fc_control arena{};
    arena.op = FC_CTL_REGION_ADD;
    arena.flags = FC_REGION_ARENA | FC_REGION_WRITE;
    arena.arg[2] = arena_bytes_;
    return request(arena);
}

void LocalTransport::shut_down(bool owner) {
    if (owner && arena_ != nullptr) ::munmap(arena_, mapped_bytes_);
}

int LocalTransport::create_channel(const ChannelShape& shape, Rings& out) {
    const uint64_t bytes = fc_channel_bytes(shape.command_slots, shape.event_slots, shape.event_size);
    const uint64_t pages = round_to_pages(bytes);
    std::unique_lock lock(ring_lock_);
    const uint64_t offset = ring_space_.allocate(pages, kPage);
    lock.unlock();
    if (offset == Extents::kNone) return -ENOMEM;
    out.memory = arena_ + arena_bytes_ + offset;
    out.bytes = pages;
    // A ring starts from zero, also when another channel lived here before.
    __builtin_memset(out.memory, 0, bytes);

    fc_control control{};
    control.op = FC_CTL_CHANNEL_CREATE;
    control.flags = shape.flags;
    control.arg[0] = arena_bytes_ + offset;
    control.arg[1] = bytes;
    control.arg[2] = shape.command_slots | static_cast<uint64_t>(shape.event_slots) << 32;
    int rc = request(control, -1, &out.fd);
    if (rc == 0 && out.fd.get() < 0) rc = -EPROTO;
    if (rc < 0) {
        lock.lock();
        ring_space_.free(offset);
        return rc;
    }
    out.host_channel = control.channel;
    return 0;
}

void LocalTransport::destroy_channel(Rings& rings, bool owner) {
    if (owner) {
        fc_control control{};
        control.op = FC_CTL_CHANNEL_DESTROY;
        control.channel = rings.host_channel;
        const int rc = request(control);
        // Without the host's word that it is done with them, the pages can't be given to another channel.
        if (rc == 0) {
            std::lock_guard lock(ring_lock_);
            ring_space_.free(static_cast<uint64_t>(rings.memory - arena_) - arena_bytes_);
        }
    }
    rings.fd.reset();
}

int LocalTransport::remove_region(uint32_t key) {
    fc_control control{};
    control.op = FC_CTL_REGION_REMOVE;
    control.arg[0] = key;
    return request(control);
}

int LocalTransport::allocate_region(uint64_t bytes, farcall_region& out) {
    Fd memory;
    if (int rc = create_memory(bytes, memory); rc < 0) return rc;
    void* base = nullptr;
    if (int rc = map_memory(memory.get(), bytes, base); rc < 0) return rc;
    fc_control control{};
    control.op = FC_CTL_REGION_ADD;
    control.flags = FC_REGION_WRITE;
    control.arg[2] = bytes;
    if (int rc = request(control, memory.get()); rc < 0) {
        ::munmap(base, bytes);
        return rc;
    }
    out.base = base;
    out.bytes = bytes;
    out.key = static_cast<uint32_t>(control.arg[0]);
    return 0;
}

int LocalTransport::event_ids(uint32_t count, uint64_t& first, uint32_t& got) {
    fc_control control{};
    control.op = FC_CTL_EVENT_IDS;
    control.arg[0] = count;
    if (int rc = request(control); rc < 0) return rc;
    first = control.arg[0];
    got = (count + FC_ID_BLOCK - 1) / FC_ID_BLOCK * FC_ID_BLOCK;
    return 0;
}

int LocalTransport::ring_doorbell(Rings& rings, uint64_t& system_calls) {
    const uint64_t one = 1;
    system_calls++;
    // A full socket holds doorbells that the worker has not looked at yet: as good as one more.
    if (::send(rings.fd.get(), &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        return -EPIPE;
    return 0;
}

int LocalTransport::sleep(Rings& rings, int64_t timeout_ns, uint64_t& system_calls) {
    timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
    pollfd entry{rings.fd.get(), POLLIN, 0};
    system_calls++;
    const int rc = ::ppoll(&entry, 1, timeout_ns < 0 ? nullptr : &timeout, nullptr);
    if (rc < 0) return -errno;
    if (rc == 0) return -ETIME;
    return drain(rings, system_calls);
}

int LocalTransport::drain(Rings& rings, uint64_t& system_calls) {
    char bytes[256];
    ssize_t got = 0;
    do {
        got = ::recv(rings.fd.get(), bytes, sizeof(bytes), MSG_DONTWAIT);
        system_calls++;
    } while (got == static_cast<ssize_t>(sizeof(bytes)));
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return 0;
    return -EPIPE;
}

}  // namespace

int open_local(const char* path, const farcall_options& options, std::unique_ptr<Transport>& out) {
    auto* transport = new (std::nothrow) LocalTransport;
    if (transport == nullptr) return -ENOMEM;
    out.reset(transport);
    return transport->open(path, options);
}

}  // namespace farcall::client
