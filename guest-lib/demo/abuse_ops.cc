// SPDX-License-Identifier: MIT
// Hostile operands of the ops on files, sockets, services and shared events. They need neither a network nor
// a writable share.
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <farcall/ring.h>

#include "guest-lib/demo/abuse.h"

namespace farcall::demo {

namespace {

int on_path(Attacker& attacker, fc_opcode opcode, std::string_view path, uint64_t output) {
    const client::Buffer text(attacker.client, path.size());
    std::memcpy(text.data(), path.data(), path.size());
    fc_command command;
    farcall_prep_path(&command, opcode, FC_HANDLE_SHARE(0), text.region(), text.offset(),
                      static_cast<uint32_t>(path.size()));
    command.offset = output;
    return attacker.post(command);
}

int with_output(Attacker& attacker, fc_opcode opcode, std::string_view path) {
    const client::Buffer output(attacker.client, 4096);
    const fc_iov iov{output.offset() + 64, output.region(), 256};
    std::memcpy(output.data(), &iov, sizeof(iov));
    return on_path(attacker, opcode, path, output.offset());
}

int statx_outside(Attacker& attacker) {
    return with_output(attacker, FC_OP_STATX, "../../../../etc/passwd");
}

int readlink_outside(Attacker& attacker) {
    return with_output(attacker, FC_OP_READLINK, "/proc/self/exe");
}

int output_misaligned(Attacker& attacker) {
    return on_path(attacker, FC_OP_STATX, ".", 8196);
}

int output_outside(Attacker& attacker) {
    return on_path(attacker, FC_OP_STATX, ".", ~0ull - 7);
}

/// The position in a directory that all clients use is nobody's.
int shared_position(Attacker& attacker) {
    fc_command command;
    farcall_prep_getdents(&command, FC_HANDLE_SHARE(0), FC_OFFSET_CURRENT, 0, 8192, 4096);
    return attacker.post(command);
}

int copy_of_directory(Attacker& attacker) {
    fc_command command;
    farcall_prep_copy(&command, FC_HANDLE_SHARE(0), 0, FC_HANDLE_SHARE(0), 0, 4096);
    return attacker.post(command);
}

int socket_of(Attacker& attacker, unsigned family, unsigned type) {
    fc_command command;
    farcall_prep_socket(&command, family, type, 0);
    return attacker.post(command);
}

int raw_socket(Attacker& attacker) {
    return socket_of(attacker, AF_INET, SOCK_RAW);
}

int netlink_socket(Attacker& attacker) {
    return socket_of(attacker, AF_NETLINK, SOCK_RAW);
}

int forged_reply(Attacker& attacker) {
    fc_command command;
    farcall_prep_reply(&command, 1ull << 32, 0, 0, 8192, 16);
    return attacker.post(command);
}

int no_service(Attacker& attacker) {
    fc_command command;
    std::memcpy(farcall_arena(attacker.client.get(), nullptr), "nobody's", 8);
    farcall_prep_service_open(&command, 0, 0, 8);
    return attacker.post(command);
}

int call_of_file(Attacker& attacker) {
    fc_command command;
    farcall_prep_call(&command, FC_HANDLE_SHARE(0), 1, 0, 0, 8192, 16, 16);
    return attacker.post(command);
}

int foreign_cancel(Attacker& attacker) {
    Attacker other;
    fc_command command;
    farcall_prep_cancel(&command, other.id());
    return attacker.post(command);
}

int foreign_event(Attacker& attacker) {
    Attacker other;
    fc_command command;
    farcall_prep_event_set(&command, other.id(), 1);
    return attacker.post(command);
}

int foreign_share(Attacker& attacker) {
    Attacker other;
    fc_command command;
    farcall_prep_event_share(&command, other.id(), 1, 0);
    return attacker.post(command);
}

int nop_with(Attacker& attacker, unsigned flags) {
    fc_command command = attacker.nop();
    farcall_add_flags(&command, flags);
    return attacker.post(command);
}

int no_multishot(Attacker& attacker) {
    return nop_with(attacker, FC_F_MULTISHOT);
}

int no_deadline(Attacker& attacker) {
    return nop_with(attacker, FC_F_CHAIN_DEADLINE);
}

/// What only its owner can complete must not outlive it.
int detached_event(Attacker& attacker) {
    fc_command command;
    farcall_prep_event_wait(&command, attacker.id());
    farcall_detach(&command);
    return attacker.post(command);
}

constexpr Case kCases[] = {
    {"statx-outside", statx_outside, -EXDEV},
    {"readlink-outside", readlink_outside, -EXDEV},
    {"output-misaligned", output_misaligned, -EFAULT},
    {"output-outside", output_outside, -EFAULT},
    {"shared-position", shared_position, -EINVAL},
    {"copy-directory", copy_of_directory, -EISDIR},
    {"raw-socket", raw_socket, -EPERM},
    {"netlink", netlink_socket, -EAFNOSUPPORT},
    {"forged-reply", forged_reply, -ENOENT},
    {"no-service", no_service, -ENOENT},
    {"call-file", call_of_file, -EBADF},
    {"foreign-cancel", foreign_cancel, -EPERM},
    {"foreign-event", foreign_event, -EPERM},
    {"foreign-share", foreign_share, -EPERM},
    {"no-multishot", no_multishot, -EINVAL},
    {"no-deadline", no_deadline, -EINVAL},
    {"detached-event", detached_event, -EINVAL},
};

}  // namespace

std::span<const Case> op_abuses() {
    return kCases;
}

}  // namespace farcall::demo
