// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <farcall/control.h>

#include "host-lib/guest_memory.h"
#include "host-lib/net_policy.h"

namespace farcall {

class Worker;
class BlockingPool;
struct DomainState;
struct EngineStats;
struct StatsSnapshot;

/// An exported directory: handle FC_HANDLE_SHARE(n) of every client of the domain.
struct ShareConfig {
    std::string path;
    bool writable = false;
    /// -1, or this open regular file instead of a directory; `path` is only its name in messages. It opens as
    /// "." and has nothing below. Only the client FC_CLIENT_KERNEL has it: a file system of the guest's
    /// kernel lies in it, and what is written past that would be believed. Borrowed: outlives the engine.
    int file = -1;
};

/// The standard streams that a client created with FC_CLIENT_STREAMS gets; -1: none. Borrowed: they outlive
/// the engine. Reads and writes poll first; O_NONBLOCK is not needed and never set.
struct StreamConfig {
    int in = -1;
    int out = -1;
    int err = -1;
    int control = -1;
    int log = -1;
};

/// Upper bounds, for one client unless the name says domain; exceeding one gives the errno that
/// <farcall/control.h> names.
struct Limits {
    uint32_t max_clients = 1024;  ///< per domain
    uint32_t max_channels = 256;
    uint32_t max_regions = 1024;
    uint32_t max_command_slots = FC_MAX_COMMAND_SLOTS;
    uint32_t max_event_slots = FC_MAX_EVENT_SLOTS;
    uint32_t max_handles = 4096;
    uint32_t max_id_blocks = 1024;  ///< blocks of FC_ID_BLOCK event IDs that are not yet all used and done
    uint64_t max_region_bytes = 1ull << 32;
    uint64_t max_client_region_bytes = 1ull << 34;  ///< of all regions, counted as often as they overlap
    uint64_t max_domain_region_bytes = 1ull << 36;
    uint32_t max_domain_channels = 16384;
    uint32_t max_domain_handles = 65536;
    /// Commands that are taken from a client; beyond it they wait in its rings. 0: no limit.
    uint64_t commands_per_s = 0;
    uint64_t commands_burst = 0;           ///< at once, after a pause; 0: what comes in 10 ms
    uint64_t max_call_bytes = 4ull << 20;  ///< of calls that wait for a server or travel between workers
    uint64_t max_domain_call_bytes = 64ull << 20;  ///< the same of all clients of a domain
    /// Of all clients of the domain together: blocks of event IDs, parked commands, edges.
    uint64_t max_graph_bytes = 256ull << 20;
    /// How long the detached commands of a client that is gone may go on; then they are cancelled.
    std::chrono::nanoseconds max_detached = std::chrono::seconds(60);
    /// Clients of the domain that are gone but for such commands; one more, and those of the oldest are
    /// cancelled.
    uint32_t max_detached_clients = 256;
};

/// Who a client is to the host's kernel, for servers that ask; not known for processes of a guest.
struct ClientPeer {
    bool known = false;
    uint32_t uid = 0;
    uint32_t gid = 0;
    uint32_t pid = 0;
};

/// What a client that is to be made asked for, and what its transport knows of it.
struct NewClient {
    uint32_t flags = 0;  ///< FC_CLIENT_*
    ClientPeer peer;
    uint64_t near_serial = 0;            ///< FC_CLIENT_NEAR's, else 0
    uint64_t features = FC_FEATURE_ALL;  ///< those accepted with HELLO; what belongs to others is refused
};

/// One VM, or the local clients of one server: the unit of isolation and policy.
struct DomainConfig {
    std::string name;
    std::vector<ShareConfig> shares;  ///< at most FC_MAX_SHARES
    NetConfig net;                    ///< nothing, unless it says otherwise
    StreamConfig streams;
    Limits limits;
};

/// What does the reads, writes and syncs that can't complete at once. The results are the same.
enum class IoBackend {
    kAuto,   ///< io_uring where the host allows it, else the pool
    kUring,  ///< io_uring, or the engine does not start
    kPool    ///< threads of the blocking pool
};

struct EngineConfig {
    unsigned workers = 1;
    std::vector<int> worker_cpus;   ///< core of each worker; shorter than `workers`: the rest is not pinned
    unsigned blocking_threads = 4;  ///< threads of the blocking pool
    IoBackend io = IoBackend::kAuto;
    /// Of files that are read again and again, so many bytes at most are mapped and locked into memory (as
    /// RLIMIT_MEMLOCK allows), because copies from there are much faster than system calls. 0: none; SIGBUS
    /// is handled otherwise.
    uint64_t mapped_bytes = 64ull << 20;
    std::chrono::nanoseconds spin{
        50000};  ///< how long a worker polls a silent channel before it arms the doorbell
};

/// Names a client or channel to the engine. Given out in turn: a number comes back only after all others.
using ClientId = uint32_t;
using ChannelId = uint32_t;

/// What a control request answers: status 0 or -errno; value as <farcall/control.h> says for each call.
struct ControlResult {
    int status = 0;
    uint64_t value = 0;
};
/// Called exactly once, on a thread of the engine (not the caller's). Must not block.
using ControlDone = std::function<void(ControlResult)>;

struct ChannelConfig {
    std::byte* memory = nullptr;  ///< fc_channel_bytes() bytes, page-aligned, shared with the client
    uint64_t bytes = 0;
    uint32_t command_slots = 0;
    uint32_t event_slots = 0;
    uint32_t flags = 0;  ///< FC_CHANNEL_*
    /// A 64-bit 1 is written to it to raise the event interrupt: an eventfd, or a non-blocking socket of
    /// which the client holds the other end (never an eventfd that a hostile client shares: it could make the
    /// write block).
    int interrupt_fd = -1;
    /// Not -1: the worker also watches this socket and takes its becoming readable as the doorbell.
    int doorbell_fd = -1;
    std::shared_ptr<void> keep;  ///< released when the engine no longer touches memory and descriptors
};

struct RegionConfig {
    std::vector<HostSegment> segments;
    uint32_t flags = 0;          ///< FC_REGION_*
    std::shared_ptr<void> keep;  ///< released when the engine no longer touches the segments
};

class Engine;

/// A domain of an engine. Thread-safe; every call posts to the client's worker and answers through `done`.
/// Must be destroyed before its engine; destroying it destroys its clients and waits for that.
class Domain {
  public:
    ~Domain();
    Domain(const Domain&) = delete;
    Domain& operator=(const Domain&) = delete;

    const Limits& limits() const;

    /// The eventfd that wakes the worker of `client`, which need not be alive: a worker is derived from the
    /// ID. What a doorbell must write. Valid while the engine lives.
    int doorbell_fd(ClientId client) const;
    /// Index of that worker, 0 .. workers-1.
    int worker_index(ClientId client) const;

    /// value = client id | serial << 32. -EMFILE, -EPERM (streams taken), -EINVAL (flags).
    /// -ENOENT: nobody has near_serial.
    void create_client(const NewClient& wanted, ControlDone done);
    /// Answers when the host uses nothing of the client any more, so late when it leaves detached commands
    /// behind. -ENOENT.
    void destroy_client(ClientId client, ControlDone done);
    /// Cancels the detached commands of a client that is being destroyed, so that destroy_client() answers.
    void end_detached(ClientId client);
    /// Destroys all clients, with what goes on detached; answers when all are gone.
    void destroy_all(ControlDone done);
    /// value = channel id. -ENOENT, -EINVAL, -EMFILE, -ENXIO (no arena yet).
    void create_channel(ClientId client, ChannelConfig config, ControlDone done);
    void destroy_channel(ClientId client, ChannelId channel, ControlDone done);
    /// value = region key. -ENOENT, -EINVAL, -ENOSPC, -E2BIG; -EEXIST for a second arena, -ENXIO before the
    /// first.
    void add_region(ClientId client, RegionConfig config, ControlDone done);
    /// Answers when no command uses the region any more. -ENOENT; -EBUSY for the arena.
    void remove_region(ClientId client, uint32_t key, ControlDone done);
    /// value = first event ID; count is rounded up to whole blocks. -ENOENT, -EINVAL, -ENOSPC.
    void allocate_ids(ClientId client, uint64_t count, ControlDone done);

    /// Clients alive now (approximate while requests are under way).
    size_t client_count() const;

  private:
    friend class Engine;
    explicit Domain(std::shared_ptr<DomainState> state);
    std::shared_ptr<DomainState> state_;
};

/// Workers, blocking pool and domains. Create, add domains, and destroy the domains before it.
class Engine {
  public:
    /// Starts the threads. Throws farcall::Error (a core that does not exist, no threads, no io_uring).
    explicit Engine(EngineConfig config);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Opens the shares. Throws farcall::Error that names a directory that can't be shared.
    std::unique_ptr<Domain> create_domain(DomainConfig config);

    unsigned worker_count() const;
    /// kUring or kPool.
    IoBackend io() const;
    /// Why it is the pool, as one sentence; empty when it was asked for or is io_uring.
    const std::string& why_no_uring() const;
    /// eventfd of worker `index`, for doorbells.
    int doorbell_fd(unsigned index) const;
    /// Sums over all workers.
    EngineStats stats() const;
    /// Everything that is counted, by worker, op and client. Any thread; the counters go on meanwhile.
    StatsSnapshot snapshot() const;

    /// Makes a synchronous call of an asynchronous one: engine-free threads only (never from a ControlDone).
    static ControlResult wait_for(const std::function<void(ControlDone)>& call);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Counters of an engine, all monotonic.
struct EngineStats {
    uint64_t commands = 0;
    uint64_t events = 0;
    uint64_t errors = 0;        ///< events with a negative result
    uint64_t interrupts = 0;    ///< event interrupts raised
    uint64_t sleeps = 0;        ///< times a worker went to sleep
    uint64_t poisoned = 0;      ///< channels poisoned
    uint64_t pool_jobs = 0;     ///< commands that went through the blocking pool
    uint64_t uring_jobs = 0;    ///< commands that went through a worker's io_uring instead
    uint64_t mapped_reads = 0;  ///< reads that were copies from mapped parts of a file
};

}  // namespace farcall
