// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "host-lib/engine.h"
#include "host-lib/guest_memory.h"
#include "host-lib/local_socket.h"
#include "host-lib/unique_fd.h"

namespace farcall {

/// Carries the engine's answers, which come on its threads, to the server's thread. Outlives the server when
/// an answer comes late, so callbacks hold it by shared_ptr.
class LocalMailbox {
  public:
    struct Letter {
        uint64_t connection;
        ControlResult result;
    };

    /// Throws farcall::Error.
    LocalMailbox();
    /// Readable when there are letters, or after wake().
    int fd() const { return event_.get(); }
    void put(Letter letter);
    void wake();
    /// All letters since the last call; clears fd().
    std::vector<Letter> take();

  private:
    UniqueFd event_;
    std::mutex lock_;
    std::vector<Letter> letters_;
};

/// One local client: checks its control messages and turns them into calls of the domain. Used by the
/// server's thread only. At most one call is under way; the engine's answer comes back through the mailbox to
/// complete().
class LocalConnection {
  public:
    enum class Next { kReceive, kWait, kClose };

    struct Policy {
        bool refused;  ///< answers -EACCES and closes
        bool offer_streams;
        uint64_t max_mapped_bytes;
        ClientPeer peer;
    };

    LocalConnection(uint64_t id, UniqueFd socket, Policy policy, std::string name, Domain& domain,
                    std::shared_ptr<LocalMailbox> mailbox);

    int socket() const { return socket_.get(); }
    const std::string& name() const { return name_; }

    /// Reads and handles one message. kWait: the engine works on it. kClose: the peer is gone, refused or
    /// broke the protocol.
    Next receive();
    /// The engine's answer to the call under way: tells the client.
    Next complete(const ControlResult& result);
    /// Closes the socket and lets go of the client; true when nothing is left to wait for, else complete()
    /// finishes it: late, when the client left detached commands behind.
    bool close();
    /// Of a client that was let go of: what it left running detached ends now.
    void end_detached();

  private:
    struct Rule;
    static const Rule* rule_of(uint32_t op);
    Next handle(LocalMessage& message);
    /// Each returns 0 when an engine call is under way, or the answer's -errno.
    int check(const LocalMessage& message, const Rule& rule) const;
    int hello(LocalMessage& message);
    int create_client(LocalMessage& message);
    int destroy_client(LocalMessage& message);
    int create_channel(LocalMessage& message);
    int destroy_channel(LocalMessage& message);
    int add_region(LocalMessage& message);
    int remove_region(LocalMessage& message);
    int allocate_ids(LocalMessage& message);

    ControlDone answer_later();
    void fill_answer(uint64_t value);
    Next answer(int status);
    Next protocol_error(const char* what) const;

    const uint64_t id_;
    UniqueFd socket_;
    const Policy policy_;
    const std::string name_;
    Domain& domain_;
    std::shared_ptr<LocalMailbox> mailbox_;
    std::shared_ptr<std::atomic<uint64_t>> budget_;

    fc_control request_{};  ///< the one under way, turned into its answer
    bool busy_ = false;
    bool had_client_ = false;
    uint64_t features_ = 0;  ///< those accepted with HELLO
    bool has_client_ = false;
    ClientId client_ = 0;
    std::shared_ptr<ClientMapping> memory_;  ///< set by HELLO
    GuestMemory windows_;
    UniqueFd answer_fd_;  ///< goes out with the next answer
};

}  // namespace farcall
