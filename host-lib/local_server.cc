// SPDX-License-Identifier: MIT
#include "host-lib/local_server.h"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <thread>
#include <unordered_map>

#include "host-lib/error.h"
#include "host-lib/local_connection.h"
#include "host-lib/local_socket.h"

namespace farcall {

namespace {

// epoll data: connections count from kFirstConnection.
constexpr uint64_t kListener = 0;
constexpr uint64_t kMailbox = 1;
constexpr uint64_t kFirstConnection = 2;
/// How long the listener rests when there is no descriptor for a new connection.
constexpr int kAcceptPauseMs = 200;

void ignore_sigpipe() {
    struct sigaction action {};
    if (::sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL)
        ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace

class LocalServer::Loop {
  public:
    Loop(Domain& domain, LocalServerConfig config);
    ~Loop();

    size_t connections() const { return count_.load(std::memory_order_relaxed); }

  private:
    void run();
    void accept_all();
    void accept_one(UniqueFd socket);
    bool allowed(uid_t user) const;
    void watch(int op, int fd, uint64_t data, uint32_t events);
    void step(uint64_t id, LocalConnection& connection, LocalConnection::Next next);
    void close(uint64_t id, LocalConnection& connection);
    void erase(uint64_t id);
    void deliver();
    void close_all();

    Domain& domain_;
    const LocalServerConfig config_;
    ListeningSocket listener_;
    UniqueFd epoll_;
    std::shared_ptr<LocalMailbox> mailbox_;
    std::unordered_map<uint64_t, std::unique_ptr<LocalConnection>> connections_;
    uint64_t next_id_ = kFirstConnection;
    bool accept_paused_ = false;
    bool closing_ = false;
    std::atomic<size_t> count_{0};
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

LocalServer::Loop::Loop(Domain& domain, LocalServerConfig config)
    : domain_(domain),
      config_(std::move(config)),
      // Others need to reach the socket before SO_PEERCRED can judge them.
      listener_(config_.path, config_.any_user || !config_.users.empty() ? 0666 : 0600),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      mailbox_(std::make_shared<LocalMailbox>()) {
    if (!epoll_) throw errno_error("can't create an epoll instance");
    ignore_sigpipe();
    watch(EPOLL_CTL_ADD, listener_.get(), kListener, EPOLLIN);
    watch(EPOLL_CTL_ADD, mailbox_->fd(), kMailbox, EPOLLIN);
    thread_ = std::thread([this] { run(); });
}

LocalServer::Loop::~Loop() {
    stopping_.store(true);
    mailbox_->wake();
    thread_.join();
}

void LocalServer::Loop::watch(int op, int fd, uint64_t data, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.u64 = data;
    if (::epoll_ctl(epoll_.get(), op, fd, &event) < 0) spdlog::error("epoll_ctl: {}", std::strerror(errno));
}

void LocalServer::Loop::run() {
    while (!closing_ || !connections_.empty()) {
        epoll_event events[32];
        const int count = ::epoll_wait(epoll_.get(), events, 32, accept_paused_ ? kAcceptPauseMs : -1);
        for (int i = 0; i < count; i++) {
            const uint64_t id = events[i].data.u64;
            if (id == kListener) {
                if (!closing_) accept_all();
            } else if (id == kMailbox) {
                deliver();
            } else if (auto found = connections_.find(id);
                       found != connections_.end() && found->second->socket() >= 0) {
                // A busy connection is only watched for its end.
                const bool readable = (events[i].events & EPOLLIN) != 0;
                step(id, *found->second, readable ? found->second->receive() : LocalConnection::Next::kClose);
            }
        }
        if (accept_paused_ && !closing_) {
            accept_paused_ = false;
            watch(EPOLL_CTL_MOD, listener_.get(), kListener, EPOLLIN);
        }
        if (stopping_.load() && !closing_) {
            closing_ = true;
            close_all();
        }
    }
}

bool LocalServer::Loop::allowed(uid_t user) const {
    return config_.any_user || user == ::geteuid() ||
           std::find(config_.users.begin(), config_.users.end(), user) != config_.users.end();
}

void LocalServer::Loop::accept_all() {
    for (;;) {
        UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (socket) {
            accept_one(std::move(socket));
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            // The connection stays in the queue: look again later instead of spinning on it.
            spdlog::warn("can't accept a local client: {}", std::strerror(errno));
            watch(EPOLL_CTL_MOD, listener_.get(), kListener, 0);
            accept_paused_ = true;
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

void LocalServer::Loop::accept_one(UniqueFd socket) {
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return;
    const std::string name =
        "local client (pid " + std::to_string(peer.pid) + ", user " + std::to_string(peer.uid) + ")";
    const bool refused = !allowed(peer.uid);
    if (refused) spdlog::warn("{}: not allowed", name);
    // A refused peer stays until it has asked and been told so, but never where it could keep out one that is
    // allowed.
    const size_t places = refused ? config_.max_connections / 2 : config_.max_connections;
    if (connections_.size() >= places) {
        spdlog::warn("{}: too many connections", name);
        return;
    }
    const uint64_t id = next_id_++;
    watch(EPOLL_CTL_ADD, socket.get(), id, EPOLLIN | EPOLLRDHUP);
    const ClientPeer who{true, peer.uid, peer.gid, static_cast<uint32_t>(peer.pid)};
    const LocalConnection::Policy policy{refused, config_.offer_streams, config_.max_mapped_bytes, who};
    connections_[id] =
        std::make_unique<LocalConnection>(id, std::move(socket), policy, name, domain_, mailbox_);
    count_.store(connections_.size(), std::memory_order_relaxed);
}

void LocalServer::Loop::step(uint64_t id, LocalConnection& connection, LocalConnection::Next next) {
    switch (next) {
        case LocalConnection::Next::kReceive:
            return;
        case LocalConnection::Next::kWait:
            watch(EPOLL_CTL_MOD, connection.socket(), id, EPOLLRDHUP);
            return;
        case LocalConnection::Next::kClose:
            close(id, connection);
            return;
    }
}

void LocalServer::Loop::close(uint64_t id, LocalConnection& connection) {
    if (connection.close()) return erase(id);
    if (closing_) connection.end_detached();
}

void LocalServer::Loop::erase(uint64_t id) {
    connections_.erase(id);
    count_.store(connections_.size(), std::memory_order_relaxed);
}

void LocalServer::Loop::deliver() {
    for (const LocalMailbox::Letter& letter : mailbox_->take()) {
        const auto found = connections_.find(letter.connection);
        if (found == connections_.end()) continue;
        LocalConnection& connection = *found->second;
        const auto next = connection.complete(letter.result);
        if (next == LocalConnection::Next::kReceive) {
            watch(EPOLL_CTL_MOD, connection.socket(), letter.connection, EPOLLIN | EPOLLRDHUP);
        } else {
            close(letter.connection, connection);
        }
    }
}

void LocalServer::Loop::close_all() {
    std::vector<uint64_t> ids;
    for (const auto& [id, connection] : connections_) {
        if (connection->socket() >= 0) ids.push_back(id);
        // Those that are closed already wait for no more than what their clients left running.
        if (connection->socket() < 0) connection->end_detached();
    }
    for (uint64_t id : ids)
        close(id, *connections_[id]);
}

LocalServer::LocalServer(Domain& domain, LocalServerConfig config)
    : loop_(std::make_unique<Loop>(domain, std::move(config))) {}

LocalServer::~LocalServer() = default;

size_t LocalServer::connections() const {
    return loop_->connections();
}

}  // namespace farcall
