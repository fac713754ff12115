// SPDX-License-Identifier: MIT
#include "guest-lib/aem/relations.h"

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/state.h"

namespace farcall::aem {

namespace {

void unlink_from_parent(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (d.next_sibling != kNone) g.descriptors.at(d.next_sibling).previous_sibling = d.previous_sibling;
    if (d.previous_sibling != kNone)
        g.descriptors.at(d.previous_sibling).next_sibling = d.next_sibling;
    else if (d.parent != kNone)
        g.descriptors.at(d.parent).child = d.next_sibling;
    d.parent = d.next_sibling = d.previous_sibling = kNone;
}

void unlink_from_socket(uint32_t slot) {
    const Descriptor& d = g.descriptors.at(slot);
    uint32_t* at = &g.sockets.at(d.socket).first;
    while (*at != slot)
        at = &g.descriptors.at(*at).next_on_socket;
    *at = d.next_on_socket;
}

/// All queued events of a descriptor, but those for which a process is about to be made: the forker drops
/// them.
void drop_queued(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    while (!d.held.empty()) {
        const uint32_t node = d.held.head;
        unlink(g.nodes, d.held, node);
        drop_node(node);
    }
    for (uint32_t node = g.ready.first(d.priority); node != kNone && d.stats.queued > 0;) {
        const uint32_t next = g.nodes.at(node).next;
        if (g.nodes.at(node).descriptor == slot) {
            g.ready.remove(g.nodes, node);
            drop_node(node);
        }
        node = next;
    }
}

}  // namespace

void drop_node(uint32_t at) {
    const Node& node = g.nodes.at(at);
    Descriptor& d = g.descriptors.at(node.descriptor);
    if (node.buffer != kNone) return_buffer(node.buffer);
    if (d.kind == Kind::kAccept && node.result > 0) close_handle(static_cast<uint32_t>(node.result));
    d.stats.queued--;
    g.nodes.release(at);
}

void link_descriptor(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    d.parent = d.child = d.next_sibling = d.previous_sibling = d.next_on_socket = kNone;
    if (d.socket == kNone) return;
    SocketEntry& socket = g.sockets.at(d.socket);
    d.next_on_socket = socket.first;
    socket.first = slot;
    if (socket.parent == kNone) return;
    Descriptor& parent = g.descriptors.at(socket.parent);
    if (parent.ended || parent.kind == Kind::kFree || parent.generation != socket.parent_generation) return;
    d.parent = socket.parent;
    d.next_sibling = parent.child;
    if (parent.child != kNone) g.descriptors.at(parent.child).previous_sibling = slot;
    parent.child = slot;
}

uint32_t add_socket(uint32_t handle, uint32_t parent) {
    const uint32_t slot = g.sockets.allocate();
    if (slot == kNone) return kNone;
    SocketEntry& socket = g.sockets.at(slot);
    socket = {};
    socket.handle = handle;
    socket.first = kNone;
    socket.parent = parent;
    if (parent != kNone) {
        socket.parent_generation = g.descriptors.at(parent).generation;
        socket.connected = true;
    }
    return slot;
}

void end_socket(uint32_t socket) {
    while (g.sockets.at(socket).first != kNone)
        end_descriptor(g.sockets.at(socket).first);
}

void end_descriptor(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (d.ended) return;
    d.ended = true;
    disarm(slot);
    while (d.child != kNone)
        end_descriptor(d.child);
    unlink_from_parent(slot);
    if (d.socket != kNone) unlink_from_socket(slot);
    drop_queued(slot);
    if (d.kind == Kind::kRead) let_close_go(d.socket);
    release_if_over(slot);
}

void release_if_over(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (!d.ended || d.armed || d.running || d.waiting || d.stats.queued != 0) return;
    g.channels[d.channel].registrations--;
    const auto generation = static_cast<uint16_t>(d.generation + 1);
    d = {};
    d.generation = generation;
    g.descriptors.release(slot);
}

void requeue(uint32_t slot, uint8_t priority) {
    Descriptor& d = g.descriptors.at(slot);
    const uint8_t old = d.priority;
    d.priority = priority;
    if (old == priority) return;
    for (uint32_t node = g.ready.first(old); node != kNone;) {
        const uint32_t next = g.nodes.at(node).next;
        if (g.nodes.at(node).descriptor == slot) {
            g.ready.remove(g.nodes, node);
            g.ready.push(g.nodes, node, priority);
        }
        node = next;
    }
}

}  // namespace farcall::aem
