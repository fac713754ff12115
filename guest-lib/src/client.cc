// SPDX-License-Identifier: MIT
#include "guest-lib/src/client.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include <farcall/control.h>

using namespace farcall::client;

namespace {

constexpr uint64_t kDefaultArena = 1ull << 20;
constexpr uint64_t kDefaultChannelBytes = 16ull << 20;
constexpr uint32_t kDefaultVariables = 1024;

int complete(const farcall_options* given, farcall_options& out) {
    out = given != nullptr ? *given : farcall_options{};
    if ((out.flags & ~FARCALL_OPEN_STREAMS) != 0 || out.reserved[0] || out.reserved[1]) {
        return -EINVAL;
    }
    if (out.arena_bytes == 0) out.arena_bytes = kDefaultArena;
    if (out.channel_bytes == 0) out.channel_bytes = kDefaultChannelBytes;
    if (out.variables == 0) out.variables = kDefaultVariables;
    if (out.id_batch == 0) out.id_batch = FC_ID_BLOCK;
    if (out.arena_bytes > 1ull << 40 || out.channel_bytes > 1ull << 40 || out.id_batch > FC_MAX_ID_REQUEST) {
        return -EINVAL;
    }
    out.arena_bytes = round_to_pages(out.arena_bytes);
    out.channel_bytes = round_to_pages(out.channel_bytes);
    if (out.variables > out.arena_bytes / sizeof(uint64_t)) return -EINVAL;
    return 0;
}

/// owner, as farcall_client describes it.
int make_owner_page(farcall_client& client) {
    void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return -errno;
    client.owner = static_cast<uint32_t*>(page);
    *static_cast<uint32_t*>(page) = 1;
    return ::madvise(page, kPage, MADV_WIPEONFORK) < 0 ? -errno : 0;
}

int open_transport(const char* where, const farcall_options& options, std::unique_ptr<Transport>& out) {
    if (where == nullptr || *where == '\0') where = std::getenv("FARCALL");
    if (where == nullptr || *where == '\0' || std::strcmp(where, "device") == 0)
        return open_device(options, out);
    if (std::strncmp(where, "unix:", 5) == 0) return open_local(where + 5, options, out);
    return -EINVAL;
}

int set_up(farcall_client& client, const char* where, const farcall_options& options) {
    if (int rc = make_owner_page(client); rc < 0) return rc;
    if (int rc = open_transport(where, options, client.transport); rc < 0) return rc;
    client.id_batch = options.id_batch;
    client.variables = options.variables;
    client.variable_bits =
        static_cast<uint64_t*>(std::calloc((options.variables + 63) / 64, sizeof(uint64_t)));
    if (client.variable_bits == nullptr) return -ENOMEM;
    client.arena.set_size(client.transport->arena_bytes());
    // Variables come first, so that their indices are small numbers.
    const uint64_t start = client.arena.allocate(options.variables * sizeof(uint64_t), FC_CACHE_LINE);
    return start == 0 ? 0 : -ENOMEM;
}

}  // namespace

int farcall_open(const char* where, const farcall_options* options, farcall_client** out) {
    *out = nullptr;
    farcall_options complete_options;
    if (int rc = complete(options, complete_options); rc < 0) return rc;
    auto* client = new (std::nothrow) farcall_client;
    if (client == nullptr) return -ENOMEM;
    if (int rc = set_up(*client, where, complete_options); rc < 0) {
        farcall_close(client);
        return rc;
    }
    *out = client;
    return 0;
}

void farcall_close(farcall_client* client) {
    if (client == nullptr) return;
    if (client->transport) client->transport->shut_down(client->owned());
    if (client->owner != nullptr) ::munmap(const_cast<uint32_t*>(client->owner), kPage);
    std::free(client->variable_bits);
    delete client;
}

int farcall_get_info(farcall_client* client, farcall_info* out) {
    if (!client->owned()) return -EPERM;
    const int rc = client->transport->refresh_info();
    *out = client->transport->info();
    return rc;
}

int farcall_vm_exit(farcall_client* client, unsigned status) {
    return client->owned() ? client->transport->vm_exit(status) : -EPERM;
}
