// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <farcall/control.h>

#include "host-lib/unique_fd.h"

namespace farcall {

/// A listening Unix socket (SOCK_SEQPACKET, or another type) and its file, which is removed on destruction if
/// it is still this one.
class ListeningSocket {
  public:
    /// Replaces the file of a server that is gone. Throws farcall::Error: path too long, a live server holds
    /// it, the file is not a socket, bind fails. The socket is non-blocking; `mode` is the file's.
    ListeningSocket(const std::string& path, mode_t mode, int type = SOCK_SEQPACKET);
    ~ListeningSocket();
    ListeningSocket(const ListeningSocket&) = delete;
    ListeningSocket& operator=(const ListeningSocket&) = delete;

    int get() const { return socket_.get(); }

  private:
    std::string path_;
    UniqueFd socket_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

/// A control message from a hostile peer.
struct LocalMessage {
    fc_control control{};
    std::vector<UniqueFd> fds;
};

enum class Received { kMessage, kNothing, kEnd, kMalformed };

/// Receives one message from a non-blocking socket. kMalformed: shorter or longer than a fc_control, or with
/// descriptors that did not all arrive. All descriptors that arrived are in `out.fds` or closed.
Received receive_message(int socket, LocalMessage& out);

/// Sends an answer, with `fd` if it is not -1. False when the peer is gone or doesn't read its answers.
bool send_answer(int socket, const fc_control& answer, int fd);

/// Memory of a client mapped into this process, unmapped on destruction. Counts against the client's budget
/// meanwhile.
class ClientMapping {
  public:
    /// Maps the first `bytes` of a client's memfd. -EINVAL: not a memfd on ordinary memory, not sealed
    /// against shrinking (its owner could make our accesses fault), shorter than `bytes`, or bytes not whole
    /// pages; -E2BIG: over budget; -ENOMEM.
    static int map(int fd, uint64_t bytes, bool writable, std::shared_ptr<std::atomic<uint64_t>> budget,
                   std::shared_ptr<ClientMapping>& out);
    ~ClientMapping();
    ClientMapping(const ClientMapping&) = delete;
    ClientMapping& operator=(const ClientMapping&) = delete;

    std::byte* data() const { return data_; }
    uint64_t bytes() const { return bytes_; }

  private:
    ClientMapping() = default;
    std::byte* data_ = nullptr;
    uint64_t bytes_ = 0;
    std::shared_ptr<std::atomic<uint64_t>> budget_;
};

}  // namespace farcall
