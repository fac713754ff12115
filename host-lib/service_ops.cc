// SPDX-License-Identifier: MIT
// The ops of services. Each checks what its client gave it; what happens then is ServiceHost's and
// CallWaiter's.
#include "host-lib/service_ops.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "host-lib/client.h"
#include "host-lib/service_host.h"
#include "host-lib/service_waiter.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr int32_t kMaxErrno = 4095;

int read_name(Client& client, const Task& task, const Operands& operands, std::string* out) {
    if (operands.length == 0) return -ENOENT;
    if (operands.length > FC_MAX_SERVICE_NAME) return -ENAMETOOLONG;
    const Region* region = client.regions().find(task.cmd.region);
    if (region == nullptr) return -EIDRM;
    if (!region->contains(operands.buffer, operands.length)) return -EFAULT;
    out->resize(operands.length);
    region->copy_out(operands.buffer, out->data(), out->size());
    return out->find('\0') == std::string::npos ? 0 : -EINVAL;
}

/// Copies the struct once, checks it, and finds its memory.
int read_layout(Client& client, uint64_t at, fc_serve* layout, Region** memory) {
    const Region* arena = client.regions().arena();
    if (arena == nullptr || at % 8 != 0 || !arena->contains(at, sizeof(*layout))) return -EFAULT;
    arena->copy_out(at, layout, sizeof(*layout));
    if (layout->reserved != 0 || layout->slot_bytes % 64 != 0 || layout->slot_bytes == 0) return -EINVAL;
    if (layout->slot_bytes > FC_MAX_SLOT_BYTES || layout->slots.buffer % 8 != 0) return -EINVAL;
    const uint32_t slots = layout->slots.length / layout->slot_bytes;
    if (slots == 0 || slots > FC_MAX_SERVICE_SLOTS) return -EINVAL;
    Region* region = client.regions().find(layout->slots.region);
    if (region == nullptr) return -EIDRM;
    if (!region->contains(layout->slots.buffer, layout->slots.length)) return -EFAULT;
    if (!region->writable()) return -EACCES;
    *memory = region;
    return 0;
}

/// The memory of a CALL: the request lies there, the reply goes there.
int find_call_memory(Client& client, const Task& task, const Operands& operands, uint32_t bytes,
                     Region** out) {
    Region* region = client.regions().find(task.cmd.region);
    if (region == nullptr) return -EIDRM;
    if (!region->contains(operands.buffer, std::max(bytes, operands.length))) return -EFAULT;
    if (operands.length > 0 && !region->writable()) return -EACCES;
    *out = region;
    return 0;
}

std::shared_ptr<Call> make_call(Client& client, std::shared_ptr<Service> service, fc_call_kind kind) {
    auto call = std::make_shared<Call>();
    call->service = std::move(service);
    call->kind = kind;
    call->serial = client.graph().serial();
    call->budget = client.services().budget;
    return call;
}

int64_t send_call(Client& client, Task& task, std::unique_ptr<CallWaiter> waiter,
                  const MemoryRange& request) {
    CallWaiter& sender = *waiter;
    const int64_t pending = client.suspend(task, std::move(waiter));
    if (pending != kPending) return pending;
    sender.send(client.graph().ref(task.node), request);
    return kPending;
}

}  // namespace

int64_t op_serve(Client& client, Task& task, const Operands& operands) {
    if (!(task.cmd.flags & FC_F_MULTISHOT) || (task.cmd.flags & FC_F_DETACH)) return -EINVAL;
    std::string name;
    if (int err = read_name(client, task, operands, &name)) return err;
    fc_serve layout;
    Region* memory = nullptr;
    if (int err = read_layout(client, operands.offset, &layout, &memory)) return err;
    auto& hosts = client.services().hosts;
    const auto place = std::find(hosts.begin(), hosts.end(), nullptr);
    if (place == hosts.end()) return -EMFILE;
    const auto payload = static_cast<uint32_t>(layout.slot_bytes - sizeof(fc_call));
    auto service =
        std::make_shared<Service>(std::move(name), client.worker(), std::min(payload, FC_MAX_CALL_BYTES));
    if (!client.domain().services.add(service)) return -EEXIST;
    auto host = std::make_unique<ServiceHost>(client, std::move(service), RegionPin(*memory), layout,
                                              static_cast<uint32_t>(place - hosts.begin()));
    ServiceHost& started = *host;
    const int64_t pending = client.suspend(task, std::move(host));
    if (pending == kPending) started.start(client.graph().ref(task.node));
    return pending;
}

int64_t op_service_open(Client& client, Task& task, const Operands& operands) {
    if (task.cmd.flags & FC_F_DETACH) return -EINVAL;  // its handle would be nobody's
    std::string name;
    if (int err = read_name(client, task, operands, &name)) return err;
    std::shared_ptr<Service> service = client.domain().services.find(name);
    if (service == nullptr) return -ENOENT;
    auto call = make_call(client, std::move(service), FC_CALL_OPEN);
    const ClientPeer& peer = client.peer();
    const fc_peer who{peer.known ? FC_PEER_KNOWN : 0, peer.uid, peer.gid, peer.pid};
    call->bytes = sizeof(who);
    call->request.resize(sizeof(who));
    std::memcpy(call->request.data(), &who, sizeof(who));
    if (!call->charge(sizeof(Call))) return -EAGAIN;
    return send_call(client, task, std::make_unique<CallWaiter>(client, std::move(call)), {});
}

int64_t op_call(Client& client, Task& task, const Operands& operands) {
    const ServiceHandle* handle = client.handles().get<ServiceHandle>(operands.handle);
    if (handle == nullptr) return -EBADF;
    const Service& service = *handle->service;
    const auto bytes = static_cast<uint32_t>(operands.offset);
    if (service.dead.load(std::memory_order_relaxed)) return -EPIPE;
    if (bytes > service.payload_bytes) return -EMSGSIZE;
    if (operands.length > FC_MAX_CALL_BYTES) return -EINVAL;
    Region* memory = nullptr;
    if (int err = find_call_memory(client, task, operands, bytes, &memory)) return err;
    auto call = make_call(client, handle->service, FC_CALL_OP);
    call->session = handle->session;
    call->op = task.cmd.op_flags;
    call->argument = static_cast<uint32_t>(operands.offset >> 32);
    call->bytes = bytes;
    call->capacity = operands.length;
    MemoryRange request{memory, operands.buffer, bytes};
    if (&service.home != &client.worker()) {
        // The other worker must not touch this client's memory: the request travels, and so will the reply.
        if (!call->charge(sizeof(Call) + std::max(bytes, operands.length))) return -EAGAIN;
        call->request.resize(bytes);
        memory->copy_out(operands.buffer, call->request.data(), bytes);
        request = {};
    }
    auto waiter = std::make_unique<CallWaiter>(client, std::move(call));
    if (operands.length > 0) waiter->expect_reply(*memory, operands.buffer);
    return send_call(client, task, std::move(waiter), request);
}

int64_t op_reply(Client& client, Task& task, const Operands& operands) {
    if (operands.handle > UINT32_MAX) return -EINVAL;
    const auto result = static_cast<int32_t>(static_cast<uint32_t>(operands.handle));
    if (result < -kMaxErrno || (result < 0 && operands.length > 0)) return -EINVAL;
    ServiceHost* host = ServiceHost::of_token(client, operands.offset);
    const Call* call = host == nullptr ? nullptr : host->find(operands.offset);
    if (call == nullptr) return -ENOENT;
    if (call->abandoned) {
        host->finish(operands.offset, -ECANCELED, {});
        return -ENOENT;
    }
    if (operands.length > call->capacity) {
        host->finish(operands.offset, -EMSGSIZE, {});
        return -EMSGSIZE;
    }
    MemoryRange reply;
    if (operands.length > 0) {
        const Region* region = client.regions().find(task.cmd.region);
        if (region == nullptr) return -EIDRM;
        if (!region->contains(operands.buffer, operands.length)) return -EFAULT;
        reply = {region, operands.buffer, operands.length};
    }
    host->finish(operands.offset, result, reply);
    return 0;
}

}  // namespace farcall
