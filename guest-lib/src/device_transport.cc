// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>
#include <new>

#include <farcall/control.h>
#include <farcall/ioctl.h>
#include <farcall/ring.h>

#include "guest-lib/src/transport.h"

namespace farcall::client {

namespace {

int call(int fd, unsigned long request, void* argument) {
    return ::ioctl(fd, request, argument) < 0 ? -errno : 0;
}

class DeviceTransport final : public Transport {
  public:
    int open(const farcall_options& options);
    int create_channel(const ChannelShape& shape, Rings& out) override;
    void destroy_channel(Rings& rings, bool owner) override;
    int add_region(void* base, uint64_t bytes, uint32_t flags, uint32_t& key) override;
    int remove_region(uint32_t key) override;
    int allocate_region(uint64_t bytes, farcall_region& out) override;
    int event_ids(uint32_t count, uint64_t& first, uint32_t& got) override;
    int vm_exit(uint32_t status) override { return call(device_.get(), FC_IOC_VM_EXIT, &status); }
    void shut_down(bool owner) override;
    int ring_doorbell(Rings& rings, uint64_t& system_calls) override;
    int sleep(Rings& rings, int64_t timeout_ns, uint64_t& system_calls) override;
    // The descriptor polls readable while events wait, so nothing stays raised.
    int drain(Rings&, uint64_t&) override { return 0; }

    int refresh_info() override { return read_info(); }

  private:
    int read_info();

    Fd device_;
};

int DeviceTransport::read_info() {
    fc_ioc_info info{};
    if (int rc = call(device_.get(), FC_IOC_INFO, &info); rc < 0) return rc;
    if (info.version != FC_ABI_VERSION) return -EPROTO;
    info_.version = info.version;
    info_.serial = info.serial;
    info_.features = info.features;
    info_.max_channels = info.max_channels;
    info_.max_regions = info.max_regions;
    info_.max_command_slots = info.max_command_slots;
    info_.max_event_slots = info.max_event_slots;
    info_.max_region_bytes = info.max_region_bytes;
    info_.vm_exits = info.vm_exits;
    return 0;
}

int DeviceTransport::open(const farcall_options& options) {
    device_.reset(::open(FC_DEVICE_PATH, O_RDWR | O_CLOEXEC));
    if (device_.get() < 0) return -errno;
    if (int rc = read_info(); rc < 0) return rc;
    if (options.flags & FARCALL_OPEN_STREAMS) {
        if (int rc = call(device_.get(), FC_IOC_STREAMS, nullptr); rc < 0) return rc;
    }
    uint32_t near_serial = options.near_serial;
    if (near_serial != 0) {
        if (int rc = call(device_.get(), FC_IOC_NEAR, &near_serial); rc < 0) return rc;
    }
    fc_ioc_arena arena{};
    arena.bytes = options.arena_bytes;
    if (int rc = call(device_.get(), FC_IOC_ARENA, &arena); rc < 0) return rc;
    void* base = ::mmap(nullptr, arena.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, device_.get(), 0);
    if (base == MAP_FAILED) return -errno;
    ::madvise(base, arena.bytes, MADV_DONTFORK);
    arena_ = static_cast<std::byte*>(base);
    arena_bytes_ = arena.bytes;
    // The client, and with it the serial, may exist only since the first request: ask again.
    return read_info();
}

void DeviceTransport::shut_down(bool owner) {
    if (owner && arena_ != nullptr) ::munmap(arena_, arena_bytes_);
}

int DeviceTransport::create_channel(const ChannelShape& shape, Rings& out) {
    fc_ioc_channel request{};
    request.command_slots = shape.command_slots;
    request.event_slots = shape.event_slots;
    request.flags = shape.flags;
    request.fd = -1;
    if (int rc = call(device_.get(), FC_IOC_CHANNEL, &request); rc < 0) return rc;
    out.fd.reset(request.fd);
    if (request.bytes < fc_channel_bytes(shape.command_slots, shape.event_slots, shape.event_size))
        return -EPROTO;
    if (request.doorbell_offset > kPage - sizeof(uint32_t)) return -EPROTO;
    void* memory = ::mmap(nullptr, request.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, request.fd, 0);
    if (memory == MAP_FAILED) return -errno;
    ::madvise(memory, request.bytes, MADV_DONTFORK);
    void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, request.fd, FC_MMAP_DOORBELL);
    if (page == MAP_FAILED) {
        const int error = errno;
        ::munmap(memory, request.bytes);
        return -error;
    }
    ::madvise(page, kPage, MADV_DONTFORK);
    out.memory = static_cast<std::byte*>(memory);
    out.bytes = request.bytes;
    out.doorbell_page = page;
    out.doorbell = reinterpret_cast<uint32_t*>(static_cast<std::byte*>(page) + request.doorbell_offset);
    return 0;
}

void DeviceTransport::destroy_channel(Rings& rings, bool owner) {
    if (owner) {
        ::munmap(rings.memory, rings.bytes);
        ::munmap(rings.doorbell_page, kPage);
    }
    rings.fd.reset();
}

int DeviceTransport::add_region(void* base, uint64_t bytes, uint32_t flags, uint32_t& key) {
    fc_ioc_region request{};
    request.address = reinterpret_cast<uintptr_t>(base);
    request.bytes = bytes;
    request.flags = flags;
    if (int rc = call(device_.get(), FC_IOC_REGION_ADD, &request); rc < 0) return rc;
    key = request.key;
    return 0;
}

int DeviceTransport::remove_region(uint32_t key) {
    return call(device_.get(), FC_IOC_REGION_REMOVE, &key);
}

int DeviceTransport::allocate_region(uint64_t bytes, farcall_region& out) {
    void* base = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) return -errno;
    ::madvise(base, bytes, MADV_DONTFORK);
    if (int rc = add_region(base, bytes, FC_REGION_WRITE, out.key); rc < 0) {
        ::munmap(base, bytes);
        return rc;
    }
    out.base = base;
    out.bytes = bytes;
    return 0;
}

int DeviceTransport::event_ids(uint32_t count, uint64_t& first, uint32_t& got) {
    fc_ioc_ids request{};
    request.count = count;
    if (int rc = call(device_.get(), FC_IOC_EVENT_IDS, &request); rc < 0) return rc;
    first = request.first;
    got = request.count;
    return 0;
}

int DeviceTransport::ring_doorbell(Rings& rings, uint64_t&) {
    fc_store_relaxed(rings.doorbell, 1u);
    return 0;
}

int DeviceTransport::sleep(Rings& rings, int64_t timeout_ns, uint64_t& system_calls) {
    fc_ioc_wait request{};
    request.timeout_ns = timeout_ns;
    system_calls++;
    return call(rings.fd.get(), FC_IOC_WAIT, &request);
}

}  // namespace

int open_device(const farcall_options& options, std::unique_ptr<Transport>& out) {
    auto* transport = new (std::nothrow) DeviceTransport;
    if (transport == nullptr) return -ENOMEM;
    out.reset(transport);
    return transport->open(options);
}

}  // namespace farcall::client
