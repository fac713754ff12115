// SPDX-License-Identifier: MIT
// Servers that send everything back that they get, which differ in how they hear of it. In a process of their
// own each, because handlers interrupt the main flow of a process, of which there is one.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

namespace farcall::bench {

/// How a server hears of what happens. The last two are clients of farcall; the others make system calls.
enum class Hears { kSelect, kPoll, kEpoll, kHandlers, kDispatch };

struct Way {
    Hears hears;
    const char* name;
};
constexpr std::array<Way, 5> kWays{{{Hears::kSelect, "select"},
                                    {Hears::kPoll, "poll"},
                                    {Hears::kEpoll, "epoll"},
                                    {Hears::kHandlers, "handlers"},
                                    {Hears::kDispatch, "dispatch"}}};

/// What farcall-echo prints when all its servers listen.
constexpr const char* kEchoListens = "farcall-echo: all of them listen";

struct EchoSetup {
    Hears hears = Hears::kSelect;
    uint32_t registered = 0;  ///< timers far in the future, beside the connection
    bool anywhere = false;    ///< on any address, else on the loopback one
    uint16_t port = 0;        ///< 0: a free one
    const char* where = "";   ///< of the host, as farcall_open() takes it
};

/// Serves connections, one after the other, and tells its port when it listens. What fails is said on
/// standard error, and ends the process, as the end of the host does.
[[noreturn]] void serve_echo(const EchoSetup& setup, const std::function<void(uint16_t port)>& listening);

}  // namespace farcall::bench
