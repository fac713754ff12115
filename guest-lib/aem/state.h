// SPDX-License-Identifier: MIT
// What the parts of the event API share. How they work together is told in section.h (who may interrupt
// whom), run.cc (when handlers are called) and notifier.h (who says that there is something).
#pragma once

#include <atomic>
#include <cstdint>

#include <farcall/aem.h>
#include <farcall/farcall.h>

#include "guest-lib/aem/queue.h"
#include "guest-lib/aem/tables.h"

// The header's renaming is for programs.
#undef socket
#undef bind
#undef listen
#undef accept
#undef accept4
#undef connect
#undef send
#undef recv
#undef write
#undef read
#undef shutdown
#undef close
#undef getsockopt
#undef setsockopt
#undef getsockname
#undef getpeername

namespace farcall::aem {

enum class Kind : uint8_t {
    kFree = 0,
    kAccept = EVK_ACCEPT,
    kRead = EVK_READ,
    kClose = EVK_CLOSE,
    kTcpState = EVK_SK,
    kSocketState = EVK_SOCK,
    kTimer = EVK_TIMER,
};

/// A registration. In slot s with generation g it has the number (g << 20 | s) + 1: see descriptor_number().
struct Descriptor {
    uint32_t next_free;
    uint16_t generation;  ///< survives release, so that an old number finds nothing
    Kind kind;
    uint8_t priority;
    bool started;    ///< not stopped by the program
    bool ended;      ///< nothing more will be delivered; freed when nothing is left of it on the host
    bool armed;      ///< its command is in flight: never more than one
    bool ending;     ///< that command is being cancelled
    bool finishing;  ///< the event that ends the registration is queued: nothing is armed any more
    bool waiting;    ///< in the list of those that are to be armed when it is time: see settle()
    bool starved;    ///< and that is when a buffer is free
    bool running;    ///< its handler is being called
    uint16_t channel;
    int flags;        ///< EVF_*
    uint32_t socket;  ///< slot of its socket, or kNone
    uint32_t next_on_socket;
    uint32_t parent, child, next_sibling, previous_sibling;
    uint32_t next_waiting;
    void (*handler)();
    unsigned long argument;  ///< EVSETARG
    NodeList held;           ///< events that came while it was stopped
    evstat stats;
    union {
        struct {
            sockaddr* address;
            socklen_t* length;
            socklen_t room;
        } accept;
        struct {
            uint32_t most;  ///< bytes at a time, 0: a buffer's
        } read;
        struct {
            int error;  ///< the peer has closed, and there may still be data: kept back until they are
                        ///< handled
            bool kept_back;
        } close;
        struct {
            int wanted;
        } state;
        struct {
            uint64_t interval, period, id;
            uint64_t due;  ///< about when the next one comes, CLOCK_MONOTONIC
        } timer;
    };
};

/// A socket of the host. Its number is FARCALL_AEM_FD_BASE + slot.
struct SocketEntry {
    uint32_t next_free;
    uint32_t handle;  ///< of the host; 0: the slot is free
    uint32_t first;   ///< descriptor on it, linked by next_on_socket; kNone
    uint32_t parent;  ///< the descriptor that accepted it, or kNone
    uint16_t parent_generation;
    bool connected;  ///< or about to be
    bool nonblocking;
};

/// What the commands that end things carry as data: their events tell nothing.
constexpr uint64_t kHousekeeping = ~0ull;

/// What a buffer of the pool is doing.
enum class BufferUse : uint8_t { kHost, kQueued, kHandler, kKept };

struct EventChannel {
    farcall_channel* channel;
    uint32_t most;           ///< registrations; the other slots are for commands that end some
    uint32_t registrations;  ///< that use it
};

constexpr uint32_t kMaxChannels = 128;
constexpr uint32_t kReadyMost = 1024;  ///< events taken from the rings and not handled: the rest waits there

/// The state of the process. Everything is guarded by Section, but what has atomic or constant use.
struct State {
    std::atomic<bool> open{false};
    std::atomic<bool> dead{false};  ///< the host is gone; every descriptor has been told
    bool dead_seen = false;         ///< they are still to be told
    bool dispatch_only = false;
    farcall_aem_options options{};
    farcall_client* client = nullptr;
    EventChannel channels[kMaxChannels]{};
    std::atomic<uint32_t> channel_count{0};  ///< grows only; who reads without a Section sees whole entries
    // the pool
    char* pool = nullptr;
    uint32_t pool_handle = 0;
    BufferUse* buffer_use = nullptr;
    uint32_t buffers_free = 0;  ///< that the host has
    // tables
    Table<Descriptor> descriptors;
    Table<SocketEntry> sockets;
    Nodes nodes;
    IdMap timers;
    ReadyQueue ready;
    NodeList raw;    ///< events as they came, read to make room for commands: see post()
    NodeList forks;  ///< events for the one who forks
    uint32_t waiting_head = kNone, waiting_tail = kNone;
    uint64_t arrivals = 0;
};

extern State g;

inline int descriptor_number(uint32_t slot) {
    return static_cast<int>(((g.descriptors.at(slot).generation & 0x3ffu) << 20 | slot) + 1);
}
/// Slot of a descriptor that has not ended, or kNone.
uint32_t find_descriptor(int number);
/// nullptr: not one of ours.
SocketEntry* find_socket(int fd);
inline int socket_number(uint32_t slot) {
    return FARCALL_AEM_FD_BASE + static_cast<int>(slot);
}

/// Sets errno as the public calls do.
int fail(int error);

uint64_t now_ns();

}  // namespace farcall::aem
