// SPDX-License-Identifier: MIT
#pragma once

#include <deque>

#include "tests/test_client.h"

namespace farcall::test {

/// A server by hand: one client that serves one name. Events of its replies have the call's token as id.
class TestServer {
  public:
    static constexpr uint64_t kLayout = 2048, kName = 2304, kReply = 4096, kSlots = 65536;  // arena offsets

    TestServer(Domain& domain, const std::string& name, uint32_t slots, uint32_t slot_bytes = 256,
               TestClient::Options options = {})
        : client(domain, options), slot_bytes_(slot_bytes) {
        serve_id = client.new_id();
        fc_command c = with_id(serve(client, name, slots, slot_bytes));
        c.id = serve_id;
        client.post(c);
        client.post(nop(0));
        const fc_event first = client.wait().event;
        EXPECT_EQ(first.id, 0u) << "SERVE ended with " << first.result;
    }

    static fc_command serve(TestClient& client, const std::string& name, uint32_t slots,
                            uint32_t slot_bytes) {
        const fc_serve layout{{kSlots, 0, slots * slot_bytes}, slot_bytes, 0};
        memcpy(client.arena() + kLayout, &layout, sizeof(layout));
        memcpy(client.arena() + kName, name.data(), name.size());
        fc_command c = transfer(FC_OP_SERVE, 0, 0, kLayout, kName, static_cast<uint32_t>(name.size()));
        c.flags = FC_F_MULTISHOT;
        return c;
    }

    /// The next call; fails the test when another event, or none, comes.
    fc_call next() {
        fc_event event;
        if (early_.empty()) {
            event = client.wait().event;
        } else {
            event = early_.front();
            early_.pop_front();
        }
        EXPECT_EQ(event.id, serve_id);
        EXPECT_TRUE(event.flags & FC_E_MORE) << "SERVE ended with " << event.result;
        return call_of(event);
    }
    fc_call call_of(const fc_event& event) {
        slot = static_cast<uint32_t>(event.result);
        fc_call call{};
        if (slot >= FC_MAX_SERVICE_SLOTS) return call;
        memcpy(&call, client.arena() + kSlots + slot * slot_bytes_, sizeof(call));
        return call;
    }
    /// What the last call of next() carries.
    std::string request(const fc_call& call) const {
        const auto* at = reinterpret_cast<const char*>(client.arena()) + kSlots + slot * slot_bytes_;
        return {at + sizeof(call), call.bytes};
    }
    static fc_command reply_to(uint64_t token, int result, uint32_t length = 0) {
        return transfer(FC_OP_REPLY, token, static_cast<uint32_t>(result), token, length > 0 ? kReply : 0,
                        length);
    }
    int reply(const fc_call& call, int result, const std::string& text = "") {
        memcpy(client.arena() + kReply, text.data(), text.size());
        client.post(reply_to(call.token, result, static_cast<uint32_t>(text.size())));
        for (;;) {
            const fc_event event = client.wait().event;
            if (event.id != serve_id) return event.result;
            early_.push_back(event);  // the slot that the reply frees can have its next call at once
        }
    }
    /// Agrees to the next client. Returns its serial.
    uint32_t agree() {
        const fc_call call = next();
        EXPECT_EQ(call.kind, static_cast<uint32_t>(FC_CALL_OPEN));
        EXPECT_EQ(reply(call, 0), 0);
        return call.client;
    }

    TestClient client;
    uint64_t serve_id = 0;  ///< of the SERVE command
    uint32_t slot = 0;      ///< of the last call

  private:
    uint32_t slot_bytes_;
    std::deque<fc_event> early_;  ///< shots that came while a reply's event was awaited
};

inline fc_command service_open(TestClient& client, const std::string& name, uint64_t id = 77) {
    memcpy(client.arena() + 512, name.data(), name.size());
    return transfer(FC_OP_SERVICE_OPEN, id, 0, 0, 512, static_cast<uint32_t>(name.size()));
}

/// A handle of a service that agrees.
inline uint32_t must_open_service(TestClient& client, TestServer& server, const std::string& name) {
    client.post(service_open(client, name));
    EXPECT_EQ(server.agree(), client.serial());
    const int handle = client.wait().event.result;
    EXPECT_GE(handle, static_cast<int>(FC_FIRST_HANDLE));
    return static_cast<uint32_t>(handle);
}

/// A call whose request is `text`, at arena offset `at`.
inline fc_command service_call(TestClient& client, uint64_t id, uint32_t service, const std::string& text,
                               uint32_t capacity, uint64_t at = 8192) {
    memcpy(client.arena() + at, text.data(), text.size());
    return transfer(FC_OP_CALL, id, service, text.size(), at, capacity);
}

inline fc_command cancel_of(uint64_t id) {
    fc_command c{};
    c.opcode = FC_OP_CANCEL;
    c.id = 0xca9ce1;
    c.offset = id;
    return c;
}

/// Returns when the worker of `client` has done all that other workers, or itself, had asked of it so far.
inline void settle(Domain& domain, const TestClient& client) {
    TestClient::call([&](ControlDone done) { domain.allocate_ids(client.id(), 1, std::move(done)); });
}

inline fc_command close_of(uint32_t handle) {
    fc_command c{};
    c.opcode = FC_OP_CLOSE;
    c.handle = handle;
    return c;
}

}  // namespace farcall::test
