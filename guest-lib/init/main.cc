// SPDX-License-Identifier: MIT
// farcall-init: the first process of our guests. Sets the system up, runs one command with its streams on the
// host's, and reports its status. When it is not PID 1, for tests, it leaves the system alone, talks to the
// host that FARCALL names, takes its configuration from the file in FARCALL_INIT_CONFIG and exits with the
// command's status.
#include <farcall/init.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

#include "guest-lib/init/config.h"
#include "guest-lib/init/image.h"
#include "guest-lib/init/mounts.h"
#include "guest-lib/init/session.h"
#include "guest-lib/init/system.h"

namespace farcall::init {

namespace {

constexpr uint64_t kArenaBytes = 512 << 10;
constexpr int kDeviceAttempts = 200;
constexpr int kDevicePauseUs = 10'000;

farcall_client* open_client(bool sole) {
    farcall_options options{};
    options.arena_bytes = kArenaBytes;
    options.flags = FARCALL_OPEN_STREAMS;
    farcall_client* client = nullptr;
    // The module's device file appears a moment after it was loaded.
    for (int attempt = 0;; attempt++) {
        const int rc = farcall_open(sole ? "device" : nullptr, &options, &client);
        if (rc == 0) return client;
        if (rc != -ENOENT || attempt == kDeviceAttempts || !sole) {
            errno = -rc;
            return nullptr;
        }
        ::usleep(kDevicePauseUs);
    }
}

int run(bool sole) {
    const char* path = sole ? nullptr : std::getenv("FARCALL_INIT_CONFIG");
    Config config;
    std::string error;
    if (!read_config(path != nullptr ? path : FC_INIT_CONFIG, config, error)) throw std::runtime_error(error);
    farcall_client* opened = open_client(sole);
    if (opened == nullptr)
        throw std::runtime_error(std::string("no farcall device: ") + std::strerror(errno));
    client::Client client = client::Client::adopt(opened);
    const std::string device = sole ? mount_shares(config) : "";
    Session session(client, config, sole);
    const int status = session.run();
    if (!device.empty() && config.root->writable) settle_image(device);
    if (config.log) session.send_kernel_log();
    if (!sole) return status;
    // Before the session ends: its read of the input may take the host long to take back.
    const int rc = farcall_vm_exit(client.get(), static_cast<unsigned>(status));
    if (rc < 0) throw std::runtime_error(std::string("can't report the status: ") + std::strerror(-rc));
    // The monitor stops us; if it doesn't, so do we.
    ::sleep(10);
    throw std::runtime_error("the monitor does not stop the machine");
}

}  // namespace

}  // namespace farcall::init

int main() {
    const bool sole = ::getpid() == 1;
    if (sole) farcall::init::set_up_system();
    try {
        return farcall::init::run(sole);
    } catch (const std::exception& error) {
        if (sole) farcall::init::power_off(error.what());
        std::fprintf(stderr, "farcall-init: %s\n", error.what());
        return 1;
    }
}
