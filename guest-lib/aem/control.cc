// SPDX-License-Identifier: MIT
// evctl(), and what handlers do with their buffers.
#include <cerrno>

#include "guest-lib/aem/arm.h"
#include "guest-lib/aem/fetch.h"
#include "guest-lib/aem/notifier.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/session.h"
#include "guest-lib/aem/state.h"

using namespace farcall::aem;

namespace {

void set_priority(uint32_t slot, uint8_t priority) {
    Descriptor& d = g.descriptors.at(slot);
    if (d.priority == priority) return;
    requeue(slot, priority);
    disarm(slot);  // it is armed anew with the new one, as the cancelled command's event comes
}

void start(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (d.started) return;
    d.started = true;
    const bool ready = !d.held.empty();
    release_held(slot);
    if (arm(slot) < 0) arm_later(slot, false);
    // Nobody else will say that there is something: held events, or what arm() could not post.
    if (ready || d.waiting) notifier().raise();
}

void stop(uint32_t slot) {
    Descriptor& d = g.descriptors.at(slot);
    if (!d.started) return;
    d.started = false;
    if (d.kind == Kind::kTimer) d.timer.due = 0;
    for (uint32_t node = g.ready.first(d.priority); node != kNone;) {
        const uint32_t next = g.nodes.at(node).next;
        if (g.nodes.at(node).descriptor == slot) {
            g.ready.remove(g.nodes, node);
            append(g.nodes, d.held, node);
        }
        node = next;
    }
    disarm(slot);
}

int apply(uint32_t slot, unsigned long op, unsigned long arg) {
    switch (op) {
        case EVJOBPRIO:
        case EVPRIO:
            set_priority(slot, static_cast<uint8_t>(arg));
            break;
        case EVJOBSTART:
            start(slot);
            break;
        case EVJOBSTOP:
            stop(slot);
            break;
        case EVJOBSHTDN:
            end_descriptor(slot);
            break;
        default:
            return -EINVAL;
    }
    return 0;
}

int apply_to_all(unsigned long op, unsigned long arg) {
    for (uint32_t slot = 0; slot < g.descriptors.size(); slot++) {
        const Descriptor& d = g.descriptors.at(slot);
        if (d.kind != Kind::kFree && !d.ended) apply(slot, op, arg);
    }
    return 0;
}

int relative(uint32_t slot, unsigned long op) {
    const Descriptor& d = g.descriptors.at(slot);
    const uint32_t other = op == EVPARENT ? d.parent : op == EVCHILD ? d.child : d.next_sibling;
    return other == kNone ? 0 : descriptor_number(other);
}

evinfo describe(uint32_t slot) {
    const Descriptor& d = g.descriptors.at(slot);
    evinfo info{};
    info.ed = descriptor_number(slot);
    info.parent = relative(slot, EVPARENT);
    info.kind = static_cast<int>(d.kind);
    info.sockfd = d.socket == kNone ? -1 : socket_number(d.socket);
    info.priority = d.priority;
    info.stopped = d.started ? 0 : 1;
    info.running = d.running ? 1 : 0;
    info.queued = static_cast<unsigned>(d.stats.queued - (d.running ? 1 : 0));
    return info;
}

bool listed(uint32_t slot, const evlist& list) {
    const Descriptor& d = g.descriptors.at(slot);
    return d.kind != Kind::kFree && !d.ended && (list.active_only == 0 || d.stats.queued != 0);
}

long list_events(int ed, evlist* list) {
    if (list == nullptr || (list->events == nullptr && list->room != 0)) return -EFAULT;
    long count = 0;
    const auto add = [&](uint32_t slot) {
        if (!listed(slot, *list)) return;
        if (static_cast<unsigned long>(count) < list->room) list->events[count] = describe(slot);
        count++;
    };
    if (ed == -1) {
        for (uint32_t slot = 0; slot < g.descriptors.size(); slot++)
            add(slot);
        return count;
    }
    const uint32_t parent = find_descriptor(ed);
    if (parent == kNone) return -EBADF;
    for (uint32_t slot = g.descriptors.at(parent).child; slot != kNone;
         slot = g.descriptors.at(slot).next_sibling)
        add(slot);
    return count;
}

long ask(uint32_t slot, unsigned long op, unsigned long arg) {
    Descriptor& d = g.descriptors.at(slot);
    if ((op == EVSTAT || op == EVGETARG) && arg == 0) return -EFAULT;
    switch (op) {
        case EVSTAT:
            *reinterpret_cast<evstat*>(arg) = d.stats;
            reinterpret_cast<evstat*>(arg)->queued -= d.running ? 1 : 0;
            return 0;
        case EVSETARG:
            d.argument = arg;
            return 0;
        case EVGETARG:
            *reinterpret_cast<unsigned long*>(arg) = d.argument;
            return 0;
        default:
            return relative(slot, op);
    }
}

bool bad_argument(unsigned long op, unsigned long arg) {
    if (op == EVJOBPRIO) return arg != JOB_LOW && arg != JOB_NORMAL && arg != JOB_HIGH;
    return op == EVPRIO && arg > 255;
}

long control(int ed, unsigned long op, unsigned long arg) {
    if (op < EVJOBPRIO || op > EVGETARG || bad_argument(op, arg)) return -EINVAL;
    if (op == EVTBLINIT) return 0;
    if (op == EVGETLIST) return list_events(ed, reinterpret_cast<evlist*>(arg));
    const bool changes = op == EVJOBPRIO || op == EVPRIO || (op >= EVJOBSHTDN && op <= EVJOBSTOP);
    if (ed == -1) return changes ? apply_to_all(op, arg) : -EBADF;
    const uint32_t slot = find_descriptor(ed);
    if (slot == kNone) return -EBADF;
    return changes ? apply(slot, op, arg) : ask(slot, op, arg);
}

/// The buffer that begins there, or kNone.
uint32_t buffer_at(const void* data) {
    const auto offset = static_cast<uint64_t>(static_cast<const char*>(data) - g.pool);
    const uint64_t index = offset / g.options.buffer_bytes;
    return offset % g.options.buffer_bytes == 0 && index < g.options.buffers ? static_cast<uint32_t>(index)
                                                                             : kNone;
}

int change_use(const void* data, BufferUse from, BufferUse to) {
    if (!g.open || data == nullptr) return fail(-EINVAL);
    const Section section;
    const uint32_t buffer = buffer_at(data);
    if (buffer == kNone || g.buffer_use[buffer] != from) return fail(-EINVAL);
    if (to != BufferUse::kHost) {
        g.buffer_use[buffer] = to;
        return 0;
    }
    return_buffer(buffer);
    if (g.waiting_head != kNone) notifier().raise();  // a reader waits for a buffer
    return 0;
}

}  // namespace

long farcall_aem_ctl(int ed, unsigned long op, unsigned long arg) {
    if (int rc = ensure_open(); rc < 0 && rc != -EPIPE) return fail(rc);
    const Section section;
    const long rc = control(ed, op, arg);
    return rc < 0 ? fail(static_cast<int>(rc)) : rc;
}

int farcall_aem_keep(const void* data) {
    return change_use(data, BufferUse::kHandler, BufferUse::kKept);
}

int farcall_aem_release(const void* data) {
    return change_use(data, BufferUse::kKept, BufferUse::kHost);
}
