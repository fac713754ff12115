// SPDX-License-Identifier: MIT
// What a hostile or broken process tries, and what the host answers. Each case has a client of its own.
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <farcall/ring.h>

#include "guest-lib/demo/abuse.h"

namespace farcall::demo {

namespace {

/// Writes nonsense to the header until the worker looks at it, which it does before it sleeps.
int poison(Attacker& attacker, uint32_t fc_ring_header::*field, fc_channel_status expected) {
    fc_ring_header* header = farcall_channel_header(attacker.channel.get());
    for (int attempt = 0; attempt < 200; attempt++) {
        const fc_command nop = attacker.nop();
        if (farcall_post(attacker.channel.get(), &nop) < 0) break;
        fc_store_relaxed(&(header->*field), 0x40000000u);
        fc_event event;
        const int rc = farcall_wait(attacker.channel.get(), 20'000'000);
        if (rc == -EPIPE) break;
        // Reading events through the library would repair event_head.
        if (field == &fc_ring_header::command_tail) farcall_poll(attacker.channel.get(), &event, 1);
    }
    return farcall_channel_status(attacker.channel.get()) == expected ? kPoisoned : 0;
}

int far_tail(Attacker& attacker) {
    return poison(attacker, &fc_ring_header::command_tail, FC_CHANNEL_BAD_TAIL);
}

int unknown_op(Attacker& attacker) {
    fc_command command = attacker.nop();
    command.opcode = 200;
    return attacker.post(command);
}

int unknown_flag(Attacker& attacker) {
    fc_command command = attacker.nop();
    command.flags = 1u << 15;
    return attacker.post(command);
}

int reserved_field(Attacker& attacker) {
    fc_command command = attacker.nop();
    command.region = 1;  // not a field of nop
    return attacker.post(command);
}

int open_with(Attacker& attacker, uint32_t region, uint64_t buffer, uint32_t length) {
    fc_command command;
    farcall_prep_open(&command, FC_HANDLE_SHARE(0), region, buffer, length, FC_OPEN_READ, 0);
    return attacker.post(command);
}

int bad_region(Attacker& attacker) {
    return open_with(attacker, 0x00ab0123, 0, 16);
}

int past_region(Attacker& attacker) {
    uint64_t bytes = 0;
    farcall_arena(attacker.client.get(), &bytes);
    return open_with(attacker, 0, bytes - 8, 16);
}

int wrapping_offset(Attacker& attacker) {
    return open_with(attacker, 0, ~0ull - 7, 16);
}

int bad_handle(Attacker& attacker) {
    fc_command command;
    farcall_prep_read(&command, 0x7fffffff, 0, 0, 8192, 16);
    return attacker.post(command);
}

/// A handle that another client holds means nothing to this one.
int foreign_handle(Attacker& attacker) {
    Attacker other;
    Variable handle(other.client);
    const PathBuffer directory(other.client, parse_path("."));
    const int opened = other.post(directory.open(FC_OPEN_READ | FC_OPEN_DIRECTORY, 0, handle.index()));
    if (opened < 0) return opened;
    fc_command command;
    farcall_prep_stat(&command, static_cast<uint32_t>(opened), 0, 8192);
    return attacker.post(command);
}

int streams(Attacker& attacker) {
    fc_command command;
    farcall_prep_write(&command, FC_HANDLE_STDOUT, FC_OFFSET_CURRENT, 0, 8192, 16);
    return attacker.post(command);
}

int foreign_id(Attacker& attacker) {
    fc_command command = attacker.nop();
    farcall_set_id(&command, attacker.id() + (1ull << FC_ID_BITS));
    return attacker.post(command);
}

int zero_id(Attacker& attacker) {
    fc_command command = attacker.nop();
    farcall_set_id(&command, 0);
    return attacker.post(command);
}

int self_wait(Attacker& attacker) {
    fc_command command = attacker.nop();
    const uint64_t id = attacker.id();
    farcall_set_id(&command, id);
    farcall_after(&command, id);
    return attacker.post(command);
}

/// The first waits for the second, the second for the first: the second is refused.
int cycle(Attacker& attacker) {
    const uint64_t first = attacker.id();
    const uint64_t second = attacker.id();
    fc_command command = attacker.nop();
    farcall_set_id(&command, first);
    farcall_after(&command, second);
    client::check(farcall_post(attacker.channel.get(), &command), "posting");
    farcall_set_id(&command, second);
    farcall_after(&command, first);
    client::check(farcall_post(attacker.channel.get(), &command), "posting");
    for (;;) {
        fc_event event;
        const int count = farcall_poll(attacker.channel.get(), &event, 1);
        if (count < 0) return count;
        if (count == 1 && event.id == second) return event.result;
        if (count == 1) continue;
        if (const int rc = farcall_wait(attacker.channel.get(), 10'000'000'000); rc < 0) return rc;
    }
}

int wait_list_outside(Attacker& attacker) {
    fc_command command = attacker.nop();
    command.wait = 1ull << 40;
    command.wait_count = 4;
    return attacker.post(command);
}

int long_wait_list(Attacker& attacker) {
    fc_command command = attacker.nop();
    command.wait = 8192;
    command.wait_count = FC_MAX_WAITS + 1;
    return attacker.post(command);
}

int variable_outside(Attacker& attacker) {
    fc_command command = attacker.nop();
    farcall_store_result(&command, 0x7fffffff);
    return attacker.post(command);
}

int dot_dot(Attacker& attacker) {
    return attacker.open("../../../../etc/passwd");
}

int absolute_path(Attacker& attacker) {
    return attacker.open("/etc/passwd");
}

int symlink_escape(Attacker& attacker) {
    return attacker.open(attacker.symlink);
}

constexpr Case kCases[] = {
    {"tail", far_tail, kPoisoned},
    {"op", unknown_op, -EOPNOTSUPP},
    {"flag", unknown_flag, -EINVAL},
    {"reserved", reserved_field, -EINVAL},
    {"region", bad_region, -EIDRM},
    {"bounds", past_region, -EFAULT},
    {"wrap", wrapping_offset, -EFAULT},
    {"handle", bad_handle, -EBADF},
    {"foreign-handle", foreign_handle, -EBADF},
    {"streams", streams, -EBADF},
    {"foreign-id", foreign_id, -EPERM},
    {"zero-id", zero_id, -EPERM},
    {"self-wait", self_wait, -EDEADLK},
    {"cycle", cycle, -EDEADLK},
    {"wait-list", wait_list_outside, -EFAULT},
    {"long-wait-list", long_wait_list, -EINVAL},
    {"variable", variable_outside, -EFAULT},
    {"dot-dot", dot_dot, -EXDEV},
    {"absolute", absolute_path, -EXDEV},
    {"symlink", symlink_escape, -EXDEV},
};

std::string text_of(int result) {
    if (result == kPoisoned) return "poisoned";
    return result < 0 ? error_text(result) : "result " + std::to_string(result);
}

bool run_case(const Case& test, const std::string& link) {
    Attacker attacker;
    attacker.symlink = link;
    const int result = test.run(attacker);
    const bool good = result == test.expected;
    std::printf("%s: %s%s%s\n", test.name, text_of(result).c_str(), good ? "" : ", expected ",
                good ? "" : text_of(test.expected).c_str());
    std::fflush(stdout);
    return good;
}

}  // namespace

int abuse(Arguments& arguments) {
    const auto link = arguments.option("--symlink");
    const std::string name = arguments.rest(1, 1, "abuse [--symlink PATH] all|CASE")[0];
    bool good = true;
    bool found = false;
    for (const Case& test : kCases) {
        if (name != "all" && name != test.name) continue;
        found = true;
        if (test.run == symlink_escape && !link) {
            std::printf("symlink: SKIPPED, --symlink must name a link in a share that leads out of it\n");
            if (name != "all") good = false;
            continue;
        }
        good &= run_case(test, link.value_or(""));
    }
    for (const Case& test : op_abuses()) {
        if (name != "all" && name != test.name) continue;
        found = true;
        good &= run_case(test, "");
    }
    if (!found) throw Failure("no such case: " + name);
    return good ? 0 : 1;
}

}  // namespace farcall::demo
