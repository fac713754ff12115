// SPDX-License-Identifier: MIT
#pragma once

#include <initializer_list>

#include "tests/test_client.h"

namespace farcall::test {

inline constexpr uint64_t kHourNs = 3600ull * 1000000000;

// Commands of the graph, by op.
inline fc_command timer(uint64_t id, uint64_t ns) {
    return {.opcode = FC_OP_TIMER, .id = id, .offset = ns};
}
inline fc_command event_wait(uint64_t id) {
    return {.opcode = FC_OP_EVENT_WAIT, .flags = FC_F_ID, .id = id};
}
inline fc_command event_set(uint64_t id, uint64_t event, uint32_t result = 0) {
    return {.opcode = FC_OP_EVENT_SET, .id = id, .offset = event, .length = result};
}
inline fc_command cancel(uint64_t id, uint64_t event) {
    return {.opcode = FC_OP_CANCEL, .id = id, .offset = event};
}
inline fc_command cancel_many(uint64_t id, uint16_t how, uint32_t handle = 0) {
    return {.opcode = FC_OP_CANCEL, .handle = handle, .id = id, .op_flags = how};
}
inline fc_command share(uint64_t id, uint64_t first, uint64_t count, uint32_t serial) {
    return {.opcode = FC_OP_EVENT_SHARE, .id = id, .offset = first, .buffer = count, .length = serial};
}
inline fc_command flagged(fc_command c, unsigned flags) {
    c.flags = static_cast<uint16_t>(c.flags | flags);
    return c;
}
inline fc_command by(fc_command c, uint32_t deadline_us, unsigned flags = 0) {
    c.deadline = deadline_us;
    return flagged(c, flags);
}
/// Waits for a list, which lies at `offset` of the client's arena.
inline fc_command after_all(TestClient& client, fc_command c, uint64_t offset,
                            std::initializer_list<uint64_t> ids) {
    std::copy(ids.begin(), ids.end(), reinterpret_cast<uint64_t*>(client.arena() + offset));
    c.wait = offset;
    c.wait_count = static_cast<uint16_t>(ids.size());
    return c;
}

}  // namespace farcall::test
