// SPDX-License-Identifier: MIT
// The ops on sockets: a client and a server of echoes.
#include <sys/socket.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <map>

#include "guest-lib/demo/peer.h"

namespace farcall::demo {

namespace {

/// Sends and receives at once, as much as no socket's buffers hold: connected, sent, received and closed with
/// no step of this process in between.
void stream_call(client::Client& client, const Peer& peer, uint32_t bytes) {
    client::Channel channel(client);
    const client::Buffer sent(client, bytes, true), got(client, bytes, true);
    for (uint32_t i = 0; i < bytes; i++)
        sent.data()[i] = static_cast<std::byte>(i * 7 + i / 251);
    const Text address(client, peer.address);
    const Variable handle(client, kNoHandle);
    Chain chain(client, channel);
    fc_command command;
    farcall_prep_socket(&command, static_cast<unsigned>(peer.family), static_cast<unsigned>(peer.type), 0);
    farcall_store_result(&command, handle.index());
    const uint64_t socket = chain.add("socket", command, {});
    farcall_prep_connect(&command, 0, address.region(), address.offset(), address.length(), peer.directory);
    farcall_handle_from(&command, handle.index());
    const uint64_t connect = chain.add("connect", command, {socket});
    farcall_prep_send(&command, 0, sent.region(), sent.offset(), bytes, 0);
    farcall_handle_from(&command, handle.index());
    const uint64_t send = chain.add("send", command, {connect}, FC_F_SHORT_STOP);
    farcall_prep_recv(&command, 0, got.region(), got.offset(), bytes, FC_MSG_WAITALL);
    farcall_handle_from(&command, handle.index());
    const uint64_t recv = chain.add("recv", command, {connect}, FC_F_SHORT_STOP);
    farcall_prep_close(&command, 0);
    farcall_handle_from(&command, handle.index());
    chain.add("close", command, {socket, send, recv}, FC_F_ALWAYS);
    chain.run();
    chain.check();
    expect("bytes received", chain.step("recv").event.event.result, bytes);
    if (std::memcmp(sent.data(), got.data(), bytes) != 0) throw Failure("the echo is another one");
    std::printf("echoed: %u bytes\n", bytes);
}

void datagram_call(client::Client& client, const Peer& peer, unsigned count) {
    Requests requests(client);
    const uint32_t handle = handle_of("socket", make_socket(requests, peer));
    Datagram datagram(client);
    for (unsigned i = 0; i < count; i++) {
        const std::string text = "datagram " + std::to_string(i);
        expect("sendmsg", datagram.send(requests, handle, text, peer.address),
               static_cast<int64_t>(text.size()));
        expect("recvmsg", datagram.receive(requests, handle), static_cast<int64_t>(text.size()));
        if (datagram.data() != text) throw Failure("the echo is another one");
        if (datagram.from() != peer.address) throw Failure("the echo comes from somebody else");
    }
    expect("close", close_handle(requests, handle), 0);
    std::printf("echoed: %u datagrams\n", count);
}

/// The policy's answer, and nothing else, to whom this guest must not talk to.
void refused_call(client::Client& client, const Peer& peer) {
    Requests requests(client);
    const uint32_t handle = handle_of("socket", make_socket(requests, peer));
    expect("connect", connect_to(requests, handle, peer), -EPERM);
    if (peer.type == SOCK_DGRAM)
        expect("sendmsg", Datagram(client).send(requests, handle, "x", peer.address), -EPERM);
    expect("close", close_handle(requests, handle), 0);
    std::printf("refused: %s\n", error_text(-EPERM).c_str());
}

/// Echoes connections: a multishot accept, and for each a multishot receive into buffers that the host picks.
class EchoServer {
  public:
    EchoServer(Requests& requests, uint32_t listener)
        : requests_(requests), buffers_(requests.client(), kPoolBytes, true) {
        fc_command command;
        farcall_prep_buffers(&command, buffers_.region(), buffers_.offset(), kBufferBytes, kBuffers);
        pool_ = handle_of("buffers", requests_.run(command));
        farcall_prep_accept(&command, listener);
        farcall_add_flags(&command, FC_F_MULTISHOT);
        accept_ = requests_.post(command);
    }
    void run(unsigned connections) {
        while (closed_ < connections) {
            const fc_event event = requests_.next();
            if (event.id == accept_) {
                accepted(event);
            } else if (const auto found = receives_.find(event.id); found != receives_.end()) {
                received(event, found->second);
            } else {
                sent(event);
            }
        }
        fc_command command;
        farcall_prep_cancel(&command, accept_);
        expect("cancel of the accept", requests_.run(command), 0);
        const fc_event last = requests_.next(accept_);
        expect("the accept's end", last.result, -ECANCELED);
        expect("its flags", last.flags & FC_E_MORE, 0);
        expect("close of the pool", close_handle(requests_, pool_), 0);
        std::printf("served: %u connections, %" PRIu64 " bytes\n", closed_, bytes_);
    }

  private:
    static constexpr uint32_t kBuffers = 8, kBufferBytes = 4096, kPoolBytes = kBuffers * kBufferBytes;

    void receive(uint32_t handle) {
        fc_command command;
        farcall_prep_recv_pool(&command, handle, pool_, 0);
        farcall_add_flags(&command, FC_F_MULTISHOT);
        receives_[requests_.post(command)] = handle;
    }
    void accepted(const fc_event& event) {
        if ((event.flags & FC_E_MORE) == 0) throw Failure("accept: " + error_text(event.result));
        receive(handle_of("accept", event.result));
    }
    void received(const fc_event& event, uint32_t handle) {
        if ((event.flags & FC_E_BUFFER) != 0) {
            fc_command command;
            const uint32_t index = FC_RESULT_BUFFER(event.result);
            farcall_prep_send(&command, handle, buffers_.region(),
                              buffers_.offset() + uint64_t{index} * kBufferBytes,
                              FC_RESULT_BYTES(event.result), 0);
            sends_[requests_.post(command)] = {handle, index};
        }
        if ((event.flags & FC_E_MORE) != 0) return;
        receives_.erase(event.id);
        if (event.result == -ENOBUFS) {
            starved_.push_back(handle);
            // A send gives a buffer back, and serves whoever starves; but the last one may have done so
            // since.
            if (sends_.empty()) feed();
        } else {
            expect("the end of a connection", event.result, 0);
            ending_.push_back(handle);
            close_if_sent(handle);
        }
    }
    void sent(const fc_event& event) {
        const auto found = sends_.find(event.id);
        if (found == sends_.end()) return;  // of a buffer that was given back
        if (event.result < 0) throw Failure("send: " + error_text(event.result));
        bytes_ += static_cast<uint64_t>(event.result);
        const Send send = found->second;
        sends_.erase(found);
        fc_command command;
        farcall_prep_buffer_return(&command, pool_, send.buffer);
        requests_.post(command);
        feed();
        close_if_sent(send.handle);
    }
    void feed() {
        std::vector<uint32_t> again;
        again.swap(starved_);
        for (const uint32_t handle : again)
            receive(handle);
    }
    void close_if_sent(uint32_t handle) {
        for (const auto& [id, send] : sends_)
            if (send.handle == handle) return;
        if (std::erase(ending_, handle) == 0) return;
        fc_command command;
        farcall_prep_close(&command, handle);
        requests_.post(command);
        closed_++;
    }

    struct Send {
        uint32_t handle, buffer;
    };
    Requests& requests_;
    const client::Buffer buffers_;
    uint32_t pool_ = 0;
    uint64_t accept_ = 0;
    std::map<uint64_t, uint32_t> receives_;
    std::map<uint64_t, Send> sends_;
    std::vector<uint32_t> starved_, ending_;
    unsigned closed_ = 0;
    uint64_t bytes_ = 0;
};

void serve_datagrams(Requests& requests, uint32_t handle, unsigned count) {
    Datagram datagram(requests.client());
    for (unsigned i = 0; i < count; i++) {
        const int got = datagram.receive(requests, handle);
        handle_of("recvmsg", got);
        expect("sendmsg", datagram.send(requests, handle, datagram.data(), datagram.from()), got);
    }
    std::printf("served: %u datagrams\n", count);
}

/// A port that nobody has published is not to be had.
void refused_bind(Requests& requests, const Peer& like) {
    if (like.family == AF_UNIX) return;
    Peer other = Peer::parse(like.type == SOCK_STREAM ? "tcp:0.0.0.0:9" : "udp:0.0.0.0:9");
    const uint32_t handle = handle_of("socket", make_socket(requests, other));
    expect("bind to a port that is not published", bind_to(requests, handle, other), -EPERM);
    expect("close", close_handle(requests, handle), 0);
}

}  // namespace

int call(Arguments& arguments) {
    const bool refused = arguments.flag("--refused");
    const auto bytes = static_cast<uint32_t>(arguments.number("--bytes", 1'000'000, 1u << 30));
    const auto words = arguments.rest(1, 1, "call [--refused] [--bytes N] PEER");
    const Peer peer = Peer::parse(words[0]);
    client::Client client;
    if (refused) {
        refused_call(client, peer);
    } else if (peer.type == SOCK_DGRAM) {
        datagram_call(client, peer, 20);
    } else {
        stream_call(client, peer, bytes);
    }
    return 0;
}

int serve(Arguments& arguments) {
    const auto count = static_cast<unsigned>(arguments.number("--count", 1, 1'000'000));
    const auto words = arguments.rest(1, 1, "serve [--count N] PEER");
    const Peer peer = Peer::parse(words[0]);
    client::Client client;
    Requests requests(client);
    refused_bind(requests, peer);
    const uint32_t handle = handle_of("socket", make_socket(requests, peer));
    expect("bind", bind_to(requests, handle, peer), 0);
    if (peer.family != AF_UNIX) std::printf("port: %d\n", port_of(requests, handle));
    if (peer.type == SOCK_DGRAM) {
        std::printf("serving\n");
        std::fflush(stdout);
        serve_datagrams(requests, handle, count);
        return 0;
    }
    fc_command command;
    farcall_prep_listen(&command, handle, 16);
    expect("listen", requests.run(command), 0);
    EchoServer server(requests, handle);
    std::printf("serving\n");
    std::fflush(stdout);
    server.run(count);
    return 0;
}

int sendfile(Arguments& arguments) {
    const auto words = arguments.rest(2, 2, "sendfile FILE PEER");
    const Peer peer = Peer::parse(words[1]);
    client::Client client;
    Requests requests(client);
    const uint32_t file = handle_of(words[0], open_file(requests, words[0], FC_OPEN_READ));
    const uint32_t socket = handle_of("socket", make_socket(requests, peer));
    expect("connect", connect_to(requests, socket, peer), 0);
    fc_command command;
    farcall_prep_sendfile(&command, file, 0, socket, 1u << 30);
    const uint32_t sent = handle_of("sendfile", requests.run(command));
    expect("close", close_handle(requests, socket), 0);
    std::printf("sent: %u bytes\n", sent);
    return 0;
}

}  // namespace farcall::demo
