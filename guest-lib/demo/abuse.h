// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

constexpr int kPoisoned =
    -100000;  ///< not an errno: the channel's status is FC_CHANNEL_BAD_TAIL or BAD_EVENT_HEAD

/// One attacker.
struct Attacker {
    client::Client client;
    client::Channel channel{client};
    std::string symlink;  ///< a link in a share that leads out of it

    uint64_t id() { return farcall_event_id(channel.get()); }
    int post(const fc_command& command) { return perform(channel, command); }
    int open(std::string_view path) {
        Variable handle(client);
        const PathBuffer buffer(client, parse_path(path));
        return post(buffer.open(FC_OPEN_READ, 0, handle.index()));
    }
    fc_command nop() {
        fc_command command;
        farcall_prep_nop(&command, 0);
        return command;
    }
};

struct Case {
    const char* name;
    int (*run)(Attacker&);
    int expected;
};

/// Cases of ops: files, sockets, services, shared events.
std::span<const Case> op_abuses();

}  // namespace farcall::demo
