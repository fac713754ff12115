// SPDX-License-Identifier: MIT
// A domain's control path: every call becomes a message to the worker that owns the client.
#include <cerrno>

#include "host-lib/engine.h"
#include "host-lib/worker.h"

namespace farcall {

Domain::Domain(std::shared_ptr<DomainState> state) : state_(std::move(state)) {}

Domain::~Domain() {
    Engine::wait_for([this](ControlDone done) { destroy_all(std::move(done)); });
}

const Limits& Domain::limits() const {
    return state_->limits;
}

size_t Domain::client_count() const {
    return state_->clients.load();
}

int Domain::worker_index(ClientId client) const {
    return static_cast<int>(client % static_cast<uint32_t>(state_->workers.size()));
}

int Domain::doorbell_fd(ClientId client) const {
    return state_->workers[static_cast<size_t>(worker_index(client))]->doorbell_fd();
}

namespace {

using WithClient = std::function<void(Worker&, Client&, ControlDone)>;

// Runs `action` on the client's worker, or answers -ENOENT when this domain has no such client.
void with_client(const std::shared_ptr<DomainState>& state, ClientId id, ControlDone done,
                 WithClient action) {
    Worker* worker = state->workers[id % state->workers.size()];
    worker->post([state, id, done = std::move(done), action = std::move(action)](Worker& home) {
        Client* client = home.find_client(id);
        if (client == nullptr || &client->domain() != state.get() || client->dying()) return done({-ENOENT});
        action(home, *client, done);
    });
}

// Takes the streams, a place and a serial for a new client; gives back what it took when something is
// missing.
int reserve_client(DomainState& state, bool streams, SerialTable::Taken* serial) {
    if (state.clients.fetch_add(1) >= state.limits.max_clients) {
        state.clients--;
        return -EMFILE;
    }
    if (streams && state.streams_taken.exchange(true)) {
        state.clients--;
        return -EPERM;
    }
    if (const auto taken = state.serials.take()) {
        *serial = *taken;
        return 0;
    }
    if (streams) state.streams_taken = false;
    state.clients--;
    return -EMFILE;
}

ControlDone chain(ControlDone first, ControlDone second) {
    return [first = std::move(first), second = std::move(second)](ControlResult result) {
        if (first) first(result);
        second(result);
    };
}

}  // namespace

void Domain::create_client(const NewClient& wanted, ControlDone done) {
    const uint64_t near_serial = wanted.near_serial;
    const bool near = wanted.flags & FC_CLIENT_NEAR;
    if ((wanted.flags & ~(FC_CLIENT_STREAMS | FC_CLIENT_NEAR | FC_CLIENT_KERNEL)) ||
        near != (near_serial != 0))
        return done({-EINVAL});
    const bool streams = wanted.flags & FC_CLIENT_STREAMS;
    if (streams && !state_->pumps[0]) return done({-EPERM});
    size_t index = state_->next_worker->fetch_add(1) % state_->workers.size();
    if (near) {
        const ClientId neighbour =
            near_serial > UINT32_MAX ? 0 : state_->serials.client(static_cast<uint32_t>(near_serial));
        if (neighbour == 0) return done({-ENOENT});
        index = static_cast<size_t>(worker_index(neighbour));
    }
    SerialTable::Taken serial{};
    if (int err = reserve_client(*state_, streams, &serial)) return done({err});
    state_->workers[index]->post([state = state_, serial, wanted, done = std::move(done)](Worker& home) {
        const ClientId id = home.new_client_id();
        home.add_client(std::make_unique<Client>(id, state, serial, wanted, home));
        done({0, static_cast<uint64_t>(serial.serial) << 32 | id});
    });
}

void Domain::destroy_client(ClientId client, ControlDone done) {
    with_client(state_, client, std::move(done),
                [](Worker&, Client& c, ControlDone d) { c.destroy(std::move(d)); });
}

void Domain::end_detached(ClientId client) {
    end_detached_of(state_, client);
}

void Domain::destroy_all(ControlDone done) {
    // Counts workers that have not answered and clients that are not gone; the last one answers.
    auto left = std::make_shared<std::atomic<size_t>>(state_->workers.size());
    auto one_done = [left, done = std::move(done)](ControlResult) {
        if (left->fetch_sub(1) == 1) done({});
    };
    for (Worker* worker : state_->workers) {
        worker->post([state = state_, left, one_done](Worker& home) {
            for (const ClientId id : home.clients_of(*state)) {
                Client& client = *home.find_client(id);
                left->fetch_add(1);
                client.destroy(client.dying() ? chain(client.take_destroyed(), one_done)
                                              : ControlDone(one_done));
                client.end_detached();
            }
            one_done({});
        });
    }
}

void Domain::create_channel(ClientId client, ChannelConfig config, ControlDone done) {
    with_client(
        state_, client, std::move(done),
        [config = std::move(config)](Worker&, Client& c, ControlDone d) { d(c.create_channel(config)); });
}

void Domain::destroy_channel(ClientId client, ChannelId channel, ControlDone done) {
    with_client(state_, client, std::move(done),
                [channel](Worker&, Client& c, ControlDone d) { d(c.destroy_channel(channel)); });
}

void Domain::add_region(ClientId client, RegionConfig config, ControlDone done) {
    with_client(state_, client, std::move(done),
                [config = std::move(config)](Worker&, Client& c, ControlDone d) { d(c.add_region(config)); });
}

void Domain::remove_region(ClientId client, uint32_t key, ControlDone done) {
    with_client(state_, client, std::move(done),
                [key](Worker&, Client& c, ControlDone d) { c.remove_region(key, std::move(d)); });
}

void Domain::allocate_ids(ClientId client, uint64_t count, ControlDone done) {
    with_client(state_, client, std::move(done),
                [count](Worker&, Client& c, ControlDone d) { d(c.allocate_ids(count)); });
}

}  // namespace farcall
