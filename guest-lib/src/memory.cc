// SPDX-License-Identifier: MIT
#include <sys/mman.h>

#include <cerrno>

#include <farcall/control.h>

#include "guest-lib/src/client.h"

using namespace farcall::client;

void* farcall_arena(farcall_client* client, uint64_t* bytes) {
    if (bytes != nullptr) *bytes = client->transport->arena_bytes();
    return client->owned() ? client->transport->arena() : nullptr;
}

void* farcall_arena_alloc(farcall_client* client, uint64_t bytes, uint64_t align) {
    if (!client->owned()) return nullptr;
    std::lock_guard guard(client->lock);
    const uint64_t offset = client->arena.allocate(bytes, align == 0 ? 16 : align);
    return offset == Extents::kNone ? nullptr : client->transport->arena() + offset;
}

void farcall_arena_free(farcall_client* client, void* block) {
    const uint64_t offset = farcall_arena_offset(client, block);
    // Offset 0 is the variables, which this allocator holds but never gave away.
    if (offset == FC_OFFSET_CURRENT || offset == 0 || !client->owned()) return;
    std::lock_guard guard(client->lock);
    client->arena.free(offset);
}

uint64_t farcall_arena_offset(farcall_client* client, const void* pointer) {
    const auto base = reinterpret_cast<uintptr_t>(client->transport->arena());
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    return address - base < client->transport->arena_bytes() ? address - base : FC_OFFSET_CURRENT;
}

int farcall_var_alloc(farcall_client* client) {
    if (!client->owned()) return -EPERM;
    std::lock_guard guard(client->lock);
    for (uint32_t word = 0; word * 64 < client->variables; word++) {
        if (~client->variable_bits[word] == 0) continue;
        const uint32_t bit = static_cast<uint32_t>(__builtin_ctzll(~client->variable_bits[word]));
        const uint32_t index = word * 64 + bit;
        if (index >= client->variables) break;
        client->variable_bits[word] |= 1ull << bit;
        farcall_var_set(client, index, 0);
        return static_cast<int>(index);
    }
    return -ENOSPC;
}

void farcall_var_free(farcall_client* client, int index) {
    if (index < 0 || static_cast<uint32_t>(index) >= client->variables || !client->owned()) return;
    std::lock_guard guard(client->lock);
    client->variable_bits[index / 64] &= ~(1ull << (index % 64));
}

static uint64_t* variable(farcall_client* client, uint32_t index) {
    if (index >= client->transport->arena_bytes() / sizeof(uint64_t) || !client->owned()) return nullptr;
    return reinterpret_cast<uint64_t*>(client->transport->arena()) + index;
}

uint64_t farcall_var_get(farcall_client* client, uint32_t index) {
    const uint64_t* slot = variable(client, index);
    return slot != nullptr ? fc_load_acquire(slot) : 0;
}

void farcall_var_set(farcall_client* client, uint32_t index, uint64_t value) {
    uint64_t* slot = variable(client, index);
    if (slot != nullptr) fc_store_release(slot, value);
}

int farcall_region_register(farcall_client* client, void* pointer, uint64_t bytes, int writable,
                            uint32_t* key) {
    if (!client->owned()) return -EPERM;
    return client->transport->add_region(pointer, bytes, writable != 0 ? FC_REGION_WRITE : 0, *key);
}

int farcall_region_unregister(farcall_client* client, uint32_t key) {
    return client->owned() ? client->transport->remove_region(key) : -EPERM;
}

int farcall_region_alloc(farcall_client* client, uint64_t bytes, farcall_region* out) {
    *out = {};
    if (!client->owned()) return -EPERM;
    if (bytes == 0 || bytes > 1ull << 40) return -EINVAL;
    return client->transport->allocate_region(round_to_pages(bytes), *out);
}

int farcall_region_free(farcall_client* client, farcall_region* region) {
    if (!client->owned()) return -EPERM;
    const int rc = client->transport->remove_region(region->key);
    // A host that is gone uses nothing; any other failure leaves the memory where the host may still write.
    if (rc < 0 && rc != -EPIPE) return rc;
    ::munmap(region->base, region->bytes);
    *region = {};
    return 0;
}
