// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include <farcall/farcall.h>

namespace farcall::client {

/// Sole owner of a file descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Fd() { reset(); }
    int get() const { return fd_; }
    void reset(int fd = -1) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = fd;
    }

  private:
    int fd_ = -1;
};

constexpr uint64_t kPage = 4096;
constexpr uint64_t round_to_pages(uint64_t bytes) {
    return (bytes + kPage - 1) & ~(kPage - 1);
}

struct ChannelShape {
    uint32_t command_slots;
    uint32_t event_slots;
    uint32_t event_size;
    uint32_t flags;
};

/// What a transport made for one channel.
struct Rings {
    std::byte* memory = nullptr;
    uint64_t bytes = 0;
    Fd fd;                         ///< polls readable when the host raised the event interrupt
    uint32_t* doorbell = nullptr;  ///< device: the word to store to
    void* doorbell_page = nullptr;
    uint32_t host_channel = 0;  ///< local: the host's number
};

/// The two ways to a host. Calls return 0 or -errno. Control calls are thread-safe; those that take Rings
/// follow the channel's rule (one thread at a time).
class Transport {
  public:
    virtual ~Transport() = default;

    const farcall_info& info() const { return info_; }
    /// Brings what changes in info() up to date.
    virtual int refresh_info() { return 0; }
    std::byte* arena() const { return arena_; }
    uint64_t arena_bytes() const { return arena_bytes_; }

    virtual int create_channel(const ChannelShape& shape, Rings& out) = 0;
    /// owner: false in a forked child, which must only drop its copies of descriptors.
    virtual void destroy_channel(Rings& rings, bool owner) = 0;
    virtual int add_region(void* base, uint64_t bytes, uint32_t flags, uint32_t& key) = 0;
    virtual int remove_region(uint32_t key) = 0;
    virtual int allocate_region(uint64_t bytes, farcall_region& out) = 0;
    virtual int event_ids(uint32_t count, uint64_t& first, uint32_t& got) = 0;
    virtual int vm_exit(uint32_t status) = 0;
    /// Last call before destruction; owner as above: unmaps what the constructor mapped.
    virtual void shut_down(bool owner) = 0;

    /// Wakes the worker. `system_calls` counts what it took.
    virtual int ring_doorbell(Rings& rings, uint64_t& system_calls) = 0;
    /// Sleeps until the event interrupt, or timeout_ns (< 0: no limit). 0 (perhaps spurious), -ETIME, -EINTR,
    /// -EPIPE.
    virtual int sleep(Rings& rings, int64_t timeout_ns, uint64_t& system_calls) = 0;
    /// Takes back an event interrupt that was raised and not slept on. -EPIPE when the host is gone.
    virtual int drain(Rings& rings, uint64_t& system_calls) = 0;

  protected:
    farcall_info info_{};
    std::byte* arena_ = nullptr;
    uint64_t arena_bytes_ = 0;
};

/// options: complete (no zero means default any more).
int open_device(const farcall_options& options, std::unique_ptr<Transport>& out);
int open_local(const char* path, const farcall_options& options, std::unique_ptr<Transport>& out);

}  // namespace farcall::client
