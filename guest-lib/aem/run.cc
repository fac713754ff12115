// SPDX-License-Identifier: MIT
// When handlers are called: whoever has `running` takes events from the rings, calls the handler of the first
// by priority and arrival, and looks at the rings again, until there is nothing. Then it arms the channels
// and looks once more (the ring's own rule), and only then gives `running` away. A signal or word that comes
// in between starts the next round.
#include "guest-lib/aem/run.h"

#include <algorithm>
#include <cerrno>
#include <climits>

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/forker.h"
#include "guest-lib/aem/relations.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/socket_state.h"

namespace farcall::aem {

namespace {

/// The next node to deliver. False: there is none, and all channels are armed.
bool next_node(uint32_t* node) {
    const Section section;
    if (!g.open) return false;
    do {
        fetch_all();
        *node = g.ready.pop(g.nodes);
    } while (*node == kNone && arm_channels());
    // The guest's scheduler weighs the process by what it has not handled, wherever that lies: what is out of
    // the rings it is told, the event whose handler runs now included.
    const uint32_t now = *node == kNone ? 0 : g.nodes.at(*node).level;
    farcall_set_taken(g.channels[0].channel, g.ready.priorities() + now);
    return *node != kNone;
}

/// A connection becomes a socket. Its number, or an error.
int adopt(uint32_t accepter, int32_t handle) {
    const uint32_t socket = add_socket(static_cast<uint32_t>(handle), accepter);
    if (socket != kNone) return socket_number(socket);
    close_handle(static_cast<uint32_t>(handle));
    return -ENOMEM;
}

void fill(Upcall& upcall, const Node& node) {
    const Descriptor& d = g.descriptors.at(node.descriptor);
    upcall = {d.kind, d.handler, descriptor_number(node.descriptor), -1, node.result, node.result, nullptr};
    if (d.socket != kNone) upcall.sockfd = socket_number(d.socket);
    if (d.kind == Kind::kAccept && node.result > 0) upcall.value = adopt(node.descriptor, node.result);
    if (node.buffer != kNone) {
        upcall.data = g.pool + uint64_t{node.buffer} * g.options.buffer_bytes;
        g.buffer_use[node.buffer] = BufferUse::kHandler;
    }
}

bool is_state(Kind kind) {
    return kind == Kind::kTcpState || kind == Kind::kSocketState;
}

/// True: for another process.
bool hand_to_forker(uint32_t at) {
    const Section section;
    const Descriptor& d = g.descriptors.at(g.nodes.at(at).descriptor);
    if (d.ended || (d.flags & EVF_FORK) == 0 || is_state(d.kind)) return false;
    append(g.nodes, g.forks, at);
    return true;
}

void give_address(const Upcall& upcall, uint32_t at) {
    sockaddr* address = nullptr;
    socklen_t* length = nullptr;
    socklen_t room = 0;
    {
        const Section section;
        const Descriptor& d = g.descriptors.at(g.nodes.at(at).descriptor);
        address = d.accept.address;
        length = d.accept.length;
        room = d.accept.room;
    }
    if (address == nullptr || upcall.value < 0) return;
    socklen_t got = room;
    if (farcall_aem_getpeername(upcall.value, address, &got) == 0) *length = got;
}

void deliver(uint32_t at) {
    Upcall upcall;
    if (hand_to_forker(at)) {
        wake_forker();
        return;
    }
    if (!begin_delivery(at, false, &upcall)) return;
    if (upcall.kind == Kind::kAccept) give_address(upcall, at);
    const uint64_t begun = now_ns();
    invoke(upcall);
    end_delivery(at, now_ns() - begun, false);
}

}  // namespace

void invoke(const Upcall& upcall) {
    switch (upcall.kind) {
        case Kind::kAccept:
            reinterpret_cast<farcall_aem_accept_handler*>(upcall.handler)(upcall.ed, upcall.sockfd,
                                                                          upcall.value);
            break;
        case Kind::kRead:
            reinterpret_cast<farcall_aem_read_handler*>(upcall.handler)(upcall.ed, upcall.sockfd, upcall.data,
                                                                        upcall.value);
            break;
        case Kind::kClose:
            reinterpret_cast<farcall_aem_close_handler*>(upcall.handler)(upcall.ed, upcall.sockfd,
                                                                         upcall.value);
            break;
        case Kind::kTcpState:
        case Kind::kSocketState:
            reinterpret_cast<farcall_aem_state_handler*>(upcall.handler)(upcall.ed, upcall.sockfd,
                                                                         upcall.value);
            break;
        case Kind::kTimer:
            reinterpret_cast<farcall_aem_timer_handler*>(upcall.handler)(upcall.ed, upcall.expirations);
            break;
        case Kind::kFree:
            break;
    }
}

bool begin_delivery(uint32_t at, bool checked, Upcall* out) {
    int wanted = 0;
    {
        const Section section;
        Node& node = g.nodes.at(at);
        Descriptor& d = g.descriptors.at(node.descriptor);
        if (d.ended) {
            drop_node(at);
            release_if_over(node.descriptor);
            return false;
        }
        d.running = true;
        fill(*out, node);
        if (!is_state(d.kind) || node.result < 0) return true;
        wanted = out->value = d.state.wanted;
        if (checked) return true;
    }
    // The socket may have changed without being what is asked for.
    const bool reached = socket_is(out->sockfd, out->kind, wanted);
    const Section section;
    Node& node = g.nodes.at(at);
    Descriptor& d = g.descriptors.at(node.descriptor);
    if (reached && !d.ended && !d.finishing) {
        node.last = d.finishing = true;
        if ((d.flags & EVF_FORK) == 0) return true;
        d.running = false;
        append(g.nodes, g.forks, at);
        wake_forker();
        return false;
    }
    d.running = false;
    d.stats.queued--;
    const uint32_t descriptor = node.descriptor;
    g.nodes.release(at);
    release_if_over(descriptor);
    return false;
}

void end_delivery(uint32_t at, uint64_t handler_ns, bool forked) {
    const Section section;
    const Node node = g.nodes.at(at);
    g.nodes.release(at);
    Descriptor& d = g.descriptors.at(node.descriptor);
    d.running = false;
    d.stats.queued--;
    d.stats.events++;
    d.stats.forks += forked ? 1 : 0;
    if (node.buffer != kNone) {
        d.stats.bytes += static_cast<uint32_t>(node.result);
        if (g.buffer_use[node.buffer] == BufferUse::kHandler) return_buffer(node.buffer);
    }
    d.stats.handler_ns += handler_ns;
    d.stats.max_handler_ns = std::max<unsigned long long>(d.stats.max_handler_ns, handler_ns);
    if (node.last) end_descriptor(node.descriptor);
    release_if_over(node.descriptor);
}

int drain(int most) {
    const InHandler guard;
    running.answer();
    int count = 0;
    uint32_t node = kNone;
    while (count < most && next_node(&node)) {
        deliver(node);
        count++;
    }
    return count;
}

void run_handlers() {
    while (running.acquire()) {
        drain(INT_MAX);
        if (!running.release()) return;
    }
}

}  // namespace farcall::aem
