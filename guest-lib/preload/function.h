// SPDX-License-Identifier: MIT
// One function, decoded from its start to its end.
#pragma once

#include "guest-lib/preload/decoder.h"
#include "guest-lib/preload/object.h"

namespace farcall::preload {

struct Step {
    u32 offset;
    u8 length;
    Flow flow;
    bool nop;
    bool table_jump;  ///< an indirect jump that may go to anywhere in the function
    u64 target;       ///< of a direct jump, else 0
};

class Body {
  public:
    explicit Body(const Object& object) : object_(object) {}
    ~Body();
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;

    /// Makes this the body of the function at the address. False: the function is not known, or (known())
    /// cannot be decoded.
    bool load(u64 address);
    bool known() const { return known_; }
    const Function& range() const { return range_; }
    const u8* code() const { return code_; }

    u64 count() const { return count_; }
    const Step& step(u64 i) const { return steps_[i]; }
    u64 address(u64 i) const { return range_.begin + steps_[i].offset; }
    const u8* bytes(u64 i) const { return code_ + steps_[i].offset; }
    bool full(u64 i, Instruction& out) const;
    /// The step that begins at the address; count() when none does.
    u64 find(u64 address) const;

    /// Whether a direct jump of this function goes into (after, before).
    bool jumped_to(u64 after, u64 before) const;
    /// The same for the parts of this function that the compiler moved elsewhere, and for all that cannot be
    /// known.
    bool may_be_entered(u64 after, u64 before) const;
    bool writes_stack_pointer(u64 i) const {
        return decoder_.writes_stack_pointer(bytes(i), steps_[i].length);
    }
    const Decoder& decoder() const { return decoder_; }

  private:
    bool decode();

    const Object& object_;
    Decoder decoder_;
    Function range_;
    bool known_ = false;
    bool usable_ = false;
    const u8* code_ = nullptr;
    Step* steps_ = nullptr;
    u64 count_ = 0;
};

}  // namespace farcall::preload
