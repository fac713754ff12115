// SPDX-License-Identifier: MIT
#include "host-lib/engine.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>
#include <mutex>

#include "host-lib/error.h"
#include "host-lib/fault_copy.h"
#include "host-lib/share.h"
#include "host-lib/stats_snapshot.h"
#include "host-lib/uring_backend.h"
#include "host-lib/worker.h"

namespace farcall {

struct Engine::Impl {
    explicit Impl(unsigned blocking_threads) : pool(std::make_unique<BlockingPool>(blocking_threads)) {}
    std::unique_ptr<BlockingPool> pool;
    std::shared_ptr<Budget> mapped;
    IoBackend io = IoBackend::kPool;
    std::string why_no_uring;
    std::vector<std::unique_ptr<Worker>> workers;
    std::atomic<uint32_t> next_worker{0};
    mutable std::mutex lock;
    std::vector<std::weak_ptr<DomainState>> domains;  ///< guarded by `lock`
};

Engine::Engine(EngineConfig config) {
    if (config.workers == 0 || config.blocking_threads == 0)
        throw Error("an engine needs at least one worker");
    impl_ = std::make_unique<Impl>(config.blocking_threads);
    if (config.mapped_bytes >= MappedWindow::kBytes) {
        catch_copy_faults();
        impl_->mapped = std::make_shared<Budget>(config.mapped_bytes);
    }
    if (config.io != IoBackend::kPool) {
        impl_->why_no_uring = UringBackend::unavailable();
        if (impl_->why_no_uring.empty()) {
            impl_->io = IoBackend::kUring;
        } else if (config.io == IoBackend::kUring) {
            throw Error(impl_->why_no_uring);
        }
    }
    for (unsigned i = 0; i < config.workers; i++) {
        const int cpu = i < config.worker_cpus.size() ? config.worker_cpus[i] : -1;
        const bool uring = impl_->io == IoBackend::kUring;
        impl_->workers.push_back(std::make_unique<Worker>(
            Worker::Config{i, config.workers, cpu, config.spin, uring, impl_->mapped}, *impl_->pool));
    }
}

Engine::~Engine() {
    // First the pool: its threads still touch a worker after they have handed back the last job.
    impl_->pool.reset();
    // Then all threads, before any worker is freed: they post to each other.
    for (const auto& worker : impl_->workers)
        worker->stop();
}

unsigned Engine::worker_count() const {
    return static_cast<unsigned>(impl_->workers.size());
}

IoBackend Engine::io() const {
    return impl_->io;
}

const std::string& Engine::why_no_uring() const {
    return impl_->why_no_uring;
}

int Engine::doorbell_fd(unsigned index) const {
    return impl_->workers.at(index)->doorbell_fd();
}

EngineStats Engine::stats() const {
    EngineStats sum;
    for (const auto& worker : impl_->workers) {
        const WorkerStats& stats = worker->stats();
        sum.commands += stats.commands.get();
        sum.events += stats.events.get();
        sum.errors += stats.errors.get();
        sum.interrupts += stats.interrupts.get();
        sum.sleeps += stats.sleeps.get();
        sum.poisoned += stats.poisoned.get();
        sum.pool_jobs += stats.pool_jobs.get();
        sum.uring_jobs += stats.uring_jobs.get();
        sum.mapped_reads += stats.mapped_reads.get();
    }
    return sum;
}

StatsSnapshot Engine::snapshot() const {
    StatsSnapshot all;
    for (const auto& worker : impl_->workers)
        all.add(worker->index(), worker->stats());
    const std::lock_guard guard(impl_->lock);
    for (const auto& listed : impl_->domains) {
        const auto domain = listed.lock();
        if (domain == nullptr) continue;
        all.add(*domain);
        for (const auto& client : domain->client_stats.all())
            all.add(domain->name, *client);
    }
    return all;
}

ControlResult Engine::wait_for(const std::function<void(ControlDone)>& call) {
    auto promise = std::make_shared<std::promise<ControlResult>>();
    std::future<ControlResult> future = promise->get_future();
    call([promise](ControlResult result) { promise->set_value(result); });
    return future.get();
}

std::unique_ptr<Domain> Engine::create_domain(DomainConfig config) {
    if (config.shares.size() > FC_MAX_SHARES) {
        throw Error("at most " + std::to_string(FC_MAX_SHARES) + " directories can be shared");
    }
    auto state = std::make_shared<DomainState>(config.limits);
    state->name = config.name;
    state->call_budget = std::make_shared<Budget>(config.limits.max_domain_call_bytes);
    state->region_budget = std::make_shared<Budget>(config.limits.max_domain_region_bytes);
    state->handle_budget = std::make_shared<Budget>(config.limits.max_domain_handles);
    state->net = NetPolicy(config.net);
    for (const ShareConfig& share : config.shares)
        state->shares.push_back(open_share(share, static_cast<int>(state->shares.size())));
    const int fds[kStreams] = {config.streams.in, config.streams.out, config.streams.err,
                               config.streams.control, config.streams.log};
    for (uint32_t i = 0; i < kStreams; i++) {
        auto file = std::make_shared<File>();
        file->fd = fds[i];
        file->kind = File::Kind::kStream;
        const uint32_t handle = FC_HANDLE_STDIN + i;
        file->readable = handle == FC_HANDLE_STDIN || handle == FC_HANDLE_CONTROL;
        file->writable = !file->readable;
        file->stream = static_cast<int>(i);
        state->streams[i] = std::move(file);
    }
    // Now and not when a client asks for them: by then a sandbox may forbid new threads.
    const bool offered = std::any_of(std::begin(fds), std::end(fds), [](int fd) { return fd >= 0; });
    for (auto& pump : state->pumps)
        if (offered) pump = std::make_unique<BlockingPool>(1);
    for (const auto& worker : impl_->workers)
        state->workers.push_back(worker.get());
    state->next_worker = &impl_->next_worker;
    const std::lock_guard guard(impl_->lock);
    std::erase_if(impl_->domains, [](const auto& domain) { return domain.expired(); });
    impl_->domains.push_back(state);
    return std::unique_ptr<Domain>(new Domain(std::move(state)));
}

}  // namespace farcall
