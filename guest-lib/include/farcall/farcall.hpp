// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>

#include <farcall/farcall.h>

/// Thin C++20 layer over <farcall/farcall.h>: owners, and coroutines that await commands. Set-up throws
/// std::system_error; awaited commands return their result, >= 0 or -errno. Thread rules are those of the C
/// calls.
namespace farcall::client {

inline int check(int rc, const char* what) {
    if (rc < 0) throw std::system_error(-rc, std::generic_category(), what);
    return rc;
}

/// Owns a client. Outlives its channels and buffers.
class Client {
  public:
    explicit Client(const char* where = nullptr, const farcall_options& options = {}) {
        check(farcall_open(where, &options, &client_), "farcall_open");
    }
    Client(Client&& other) noexcept : client_(std::exchange(other.client_, nullptr)) {}
    Client& operator=(Client&& other) noexcept {
        std::swap(client_, other.client_);
        return *this;
    }
    ~Client() { farcall_close(client_); }
    /// Takes over an open client.
    static Client adopt(farcall_client* client) { return Client(Adopt{}, client); }
    farcall_client* get() const { return client_; }
    farcall_info info() const {
        farcall_info info{};
        check(farcall_get_info(client_, &info), "farcall_get_info");
        return info;
    }

  private:
    struct Adopt {};
    Client(Adopt, farcall_client* client) : client_(client) {}
    farcall_client* client_ = nullptr;
};

/// Owns shared memory: a block of the arena, or (with `own_region`) a region of its own.
class Buffer {
  public:
    Buffer(const Client& client, uint64_t bytes, bool own_region = false) : client_(client.get()) {
        if (own_region) {
            check(farcall_region_alloc(client_, bytes, &region_), "farcall_region_alloc");
            return;
        }
        region_.base = farcall_arena_alloc(client_, bytes, 64);
        region_.bytes = bytes;
        if (region_.base == nullptr) check(-ENOMEM, "farcall_arena_alloc");
        offset_ = farcall_arena_offset(client_, region_.base);
    }
    Buffer(Buffer&& other) noexcept
        : client_(other.client_), region_(std::exchange(other.region_, {})), offset_(other.offset_) {}
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer& operator=(Buffer&&) = delete;
    ~Buffer() {
        if (region_.base == nullptr) return;
        if (region_.key != 0)
            farcall_region_free(client_, &region_);
        else
            farcall_arena_free(client_, region_.base);
    }
    std::byte* data() const { return static_cast<std::byte*>(region_.base); }
    uint64_t size() const { return region_.bytes; }
    uint32_t region() const { return region_.key; }  ///< for a command's `region`
    uint64_t offset() const { return offset_; }  ///< of data() inside the region, for a command's `buffer`

  private:
    farcall_client* client_;
    farcall_region region_{};
    uint64_t offset_ = 0;
};

/// A coroutine that runs at once up to its first wait. Await it, or hand it to Channel::run(). It must have
/// finished when it is destroyed: until then the host's events name its frame.
template <typename T>
class [[nodiscard]] Task {
  public:
    struct promise_type {
        std::optional<T> value;
        std::exception_ptr error;
        std::coroutine_handle<> waiter = std::noop_coroutine();

        Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_never initial_suspend() noexcept { return {}; }
        auto final_suspend() noexcept {
            struct Resume {
                bool await_ready() noexcept { return false; }
                std::coroutine_handle<> await_suspend(std::coroutine_handle<promise_type> done) noexcept {
                    return done.promise().waiter;
                }
                void await_resume() noexcept {}
            };
            return Resume{};
        }
        void return_value(T result) { value.emplace(std::move(result)); }
        void unhandled_exception() { error = std::current_exception(); }
    };

    Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    Task& operator=(Task&&) = delete;
    ~Task() {
        if (!handle_) return;
        if (!handle_.done()) std::abort();
        handle_.destroy();
    }

    bool done() const { return handle_.done(); }
    bool await_ready() const noexcept { return handle_.done(); }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { handle_.promise().waiter = waiter; }
    T await_resume() {
        if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
        return std::move(*handle_.promise().value);
    }

  private:
    explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

class Channel;

/// A command that a coroutine awaits. Made by Channel's calls; await it in the same expression.
class [[nodiscard]] Operation {
  public:
    Operation(Channel& channel, const fc_command& command) : channel_(channel), command_(command) {}
    Operation(const Operation&) = delete;
    Operation& operator=(const Operation&) = delete;
    /// For wait lists, variables, priority: change the command before awaiting. Its id is taken.
    fc_command& command() { return command_; }
    bool await_ready() const noexcept { return false; }
    inline bool await_suspend(std::coroutine_handle<> waiter);
    int await_resume() const noexcept { return result_; }

  private:
    friend class Channel;
    Channel& channel_;
    fc_command command_;
    std::coroutine_handle<> waiter_;
    Operation* next_ = nullptr;    ///< in one of the channel's lists
    Operation** where_ = nullptr;  ///< what points to us
    int result_ = 0;
};

/// Owns a channel. Either post by hand through get(), or await: the two don't mix, since events of awaited
/// commands carry the address of their operation.
class Channel {
  public:
    explicit Channel(const Client& client, unsigned command_slots = 0, unsigned event_slots = 0,
                     unsigned flags = 0) {
        check(farcall_channel_create(client.get(), command_slots, event_slots, flags, &channel_),
              "farcall_channel_create");
    }
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    ~Channel() { farcall_channel_destroy(channel_); }
    farcall_channel* get() const { return channel_; }

    /// Any command of <farcall/prep.h>.
    Operation perform(const fc_command& command) { return Operation(*this, command); }
    Operation open(uint32_t directory, const Buffer& path, uint32_t length, unsigned flags,
                   unsigned mode = 0) {
        fc_command command;
        farcall_prep_open(&command, directory, path.region(), path.offset(), length, flags, mode);
        return perform(command);
    }
    Operation close(uint32_t handle) {
        fc_command command;
        farcall_prep_close(&command, handle);
        return perform(command);
    }
    Operation read(uint32_t handle, uint64_t offset, const Buffer& to, uint32_t length) {
        fc_command command;
        farcall_prep_read(&command, handle, offset, to.region(), to.offset(), length);
        return perform(command);
    }
    Operation write(uint32_t handle, uint64_t offset, const Buffer& from, uint32_t length) {
        fc_command command;
        farcall_prep_write(&command, handle, offset, from.region(), from.offset(), length);
        return perform(command);
    }
    Operation sleep(uint64_t ns) {
        fc_command command;
        farcall_prep_timer(&command, ns, 0);
        return perform(command);
    }

    /// Posts what coroutines asked for, sleeps until events come, resumes their coroutines. 0, or
    /// farcall_wait()'s error. On -EPIPE every coroutine that waits here gets -EPIPE.
    int step(int64_t timeout_ns = -1) {
        const int posted = farcall_submit(channel_);
        const int rc = posted < 0 ? posted : farcall_wait(channel_, timeout_ns);
        if (rc == -EPIPE) fail_all();
        if (rc < 0) return rc;
        fc_event events[32];
        const int count = farcall_poll(channel_, events, 32);
        for (int i = 0; i < count; i++)
            finish(*reinterpret_cast<Operation*>(events[i].id), events[i].result);
        while (waiting_ != nullptr) {
            Operation& first = *waiting_;
            fc_command* slot = farcall_prepare(channel_);
            if (slot == nullptr) break;
            unlink(first);
            place(first, slot);
        }
        return 0;
    }

    /// Drives the channel until the task has finished; its value or exception.
    template <typename T>
    T run(Task<T> task) {
        while (!task.done()) {
            if (const int rc = step(); rc < 0 && rc != -EINTR && !task.done()) check(rc, "farcall_wait");
        }
        return task.await_resume();
    }

  private:
    friend class Operation;
    static void link(Operation** at, Operation& operation) {
        operation.next_ = *at;
        operation.where_ = at;
        if (operation.next_ != nullptr) operation.next_->where_ = &operation.next_;
        *at = &operation;
    }
    static void unlink(Operation& operation) {
        *operation.where_ = operation.next_;
        if (operation.next_ != nullptr) operation.next_->where_ = operation.where_;
    }
    void place(Operation& operation, fc_command* slot) {
        *slot = operation.command_;
        farcall_set_data(slot, reinterpret_cast<uintptr_t>(&operation));
        link(&in_flight_, operation);
    }
    /// False: the channel is dead, the operation has its result.
    bool start(Operation& operation) {
        operation.result_ = -EPIPE;
        if (dead_) return false;
        fc_command* slot = waiting_ == nullptr ? farcall_prepare(channel_) : nullptr;
        if (slot != nullptr) {
            place(operation, slot);
            return true;
        }
        Operation** end = &waiting_;
        while (*end != nullptr)
            end = &(*end)->next_;
        link(end, operation);
        return true;
    }
    void finish(Operation& operation, int result) {
        unlink(operation);
        operation.result_ = result;
        operation.waiter_.resume();
    }
    void fail_all() {
        dead_ = true;
        while (in_flight_ != nullptr)
            finish(*in_flight_, -EPIPE);
        while (waiting_ != nullptr)
            finish(*waiting_, -EPIPE);
    }

    farcall_channel* channel_ = nullptr;
    Operation* in_flight_ = nullptr;
    Operation* waiting_ = nullptr;  ///< until a slot is free
    bool dead_ = false;
};

inline bool Operation::await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    return channel_.start(*this);
}

}  // namespace farcall::client
