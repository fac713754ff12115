// SPDX-License-Identifier: MIT
// Machine code as it is written into slots.
#pragma once

#include "guest-lib/preload/call.h"
#include "guest-lib/preload/move.h"
#include "guest-lib/preload/slot.h"

namespace farcall::preload {

constexpr u64 kResumeAt = kSlotBytes - 8;  ///< where a slot keeps the address at which the program goes on

/// Machine code, put down byte by byte.
class Code {
  public:
    explicit Code(u8* slot) : begin_(slot), at_(slot) {}

    u64 address() const { return reinterpret_cast<u64>(at_); }
    u64 used() const { return static_cast<u64>(at_ - begin_); }
    u8* here() { return at_; }
    void skip(u64 bytes) { at_ += bytes; }
    template <typename... Bytes>
    void put(Bytes... bytes) {
        ((*at_++ = static_cast<u8>(bytes)), ...);
    }
    void put_word(u64 value) {
        memcpy(at_, &value, sizeof(value));
        at_ += sizeof(value);
    }
    void put_relative(u64 target) {
        put32(at_, target - (address() + 4));
        at_ += 4;
    }

  private:
    u8* begin_;
    u8* at_;
};

/// Instructions of the object, moved. False: one cannot be, or there is no room.
inline bool copy_moved(Code& code, const Decoder& decoder, const Object& object, u64 base, u64 begin,
                       u64 bytes) {
    Instruction instruction;
    for (u64 done = 0; done < bytes; done += instruction.info.length) {
        const u8* from = object.at(begin + done, bytes - done);
        if (from == nullptr || !decoder.decode(from, bytes - done, base + begin + done, instruction))
            return false;
        if (code.used() + kMaxMoved > kResumeAt) return false;
        const u64 written = move_instruction(instruction, from, code.here(), code.address());
        if (written == 0) return false;
        code.skip(written);
    }
    return true;
}

/// Goes on `bytes` behind itself when the call in rax is not looked at. No instruction of it changes flags,
/// and rcx and r11 are the kernel's to change.
inline void put_filter(Code& code, u8 bytes) {
    code.put(0x0f, 0xb7, 0xc8);  // movzwl %ax,%ecx
    code.put(0x49, 0xbb);        // movabs $fc_filter,%r11
    code.put_word(reinterpret_cast<u64>(fc_filter));
    code.put(0x41, 0x0f, 0xb6, 0x0c, 0x0b);  // movzbl (%r11,%rcx),%ecx
    code.put(0xe3, bytes);                   // jrcxz
}

}  // namespace farcall::preload
