// SPDX-License-Identifier: MIT
#include "guest-lib/preload/scan.h"

#include "guest-lib/preload/function.h"
#include "guest-lib/preload/move.h"

namespace farcall::preload {

namespace {

constexpr u64 kCallBytes = 2;
constexpr u64 kJumpBytes = 5;
constexpr u64 kMaxBefore = 32;  // what a slot has room for

class Scanner {
  public:
    Scanner(const Object& object, const Elf64_Phdr& segment, Sites& out)
        : object_(object), segment_(segment), out_(out), body_(object) {}

    bool run();

  private:
    bool add(const Site& site);
    void look_at(u64 call, Site& site);
    bool try_before(u64 index, Site& site);
    bool try_short_jump(Site& site);
    bool try_after(u64 index, Site& site);
    bool is_padding(u64 begin, u64 end) const;
    bool movable(u64 i) const;
    bool is_signal_return(u64 index) const;
    bool is_cancellation_point() const;

    const Object& object_;
    const Elf64_Phdr& segment_;
    Sites& out_;
    Body body_;
    u64 taken_ = 0;        // everything below belongs to an earlier site
    u64 holes_taken_ = 0;  // padding below is used up
};

bool Scanner::add(const Site& site) {
    if (out_.count == out_.capacity) {
        const u64 capacity = out_.capacity == 0 ? 1024 : out_.capacity * 4;
        auto* grown = static_cast<Site*>(map_memory(capacity * sizeof(Site)));
        if (grown == nullptr) return false;
        memcpy(grown, out_.all, out_.count * sizeof(Site));
        release(out_);
        out_.all = grown;
        out_.capacity = capacity;
    }
    out_.all[out_.count++] = site;
    return true;
}

// Where the two bytes of a system call come next, or `bytes`. Eight bytes at a time: all of the text is
// looked through whenever a program starts.
u64 next_call(const u8* text, u64 i, u64 bytes) {
    constexpr u64 kLow = 0x0101010101010101, kHigh = 0x8080808080808080, kSecond = 0x05 * kLow;
    for (;; i += 8) {
        u64 word = 0;
        for (; i + 9 < bytes; i += 8) {
            memcpy(&word, text + i + 1, sizeof(word));
            word ^= kSecond;  // a byte of it is zero where the second byte is
            if (((word - kLow) & ~word & kHigh) != 0) break;
        }
        for (u64 k = i; k < i + 8; k++) {
            if (k + 1 >= bytes) return bytes;
            if (text[k] == 0x0f && text[k + 1] == 0x05) return k;
        }
    }
}

bool Scanner::run() {
    const u8* text = object_.at(segment_.p_vaddr, segment_.p_filesz);
    if (text == nullptr) return true;
    for (u64 i = next_call(text, 0, segment_.p_filesz); i < segment_.p_filesz;
         i = next_call(text, i + 1, segment_.p_filesz)) {
        Site site{};
        site.call = segment_.p_vaddr + i;
        look_at(site.call, site);
        if (site.call == 0)
            out_.not_code++;
        else if (!add(site))
            return false;
    }
    return true;
}

void Scanner::look_at(u64 call, Site& site) {
    if (!body_.load(call)) {
        site.reason = body_.known() ? Reason::kUndecodable : Reason::kNoFunction;
        return;
    }
    const u64 index = body_.find(call);
    if (index == body_.count() || body_.step(index).flow != Flow::kSystemCall) {
        site.call = 0;  // only looks like one
        return;
    }
    if (is_signal_return(index)) {
        site.reason = Reason::kSignalReturn;
        return;
    }
    if (is_cancellation_point()) {
        site.reason = Reason::kCancellation;
        return;
    }
    if (try_before(index, site) || try_short_jump(site) || try_after(index, site)) {
        taken_ = call + kCallBytes + site.after;
        return;
    }
    site.after = 0;
    site.reason = Reason::kNoRoom;
}

// Unwinders and debuggers know the end of a signal handler by its bytes.
bool Scanner::is_signal_return(u64 index) const {
    static constexpr u8 kShort[] = {0xb8, 0x0f, 0, 0, 0};
    static constexpr u8 kLong[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0};
    if (index == 0) return false;
    const u8* before = body_.bytes(index - 1);
    const u8 bytes = body_.step(index - 1).length;
    return (bytes == sizeof(kShort) && memcmp(before, kShort, bytes) == 0) ||
           (bytes == sizeof(kLong) && memcmp(before, kLong, bytes) == 0);
}

// The C libraries whose cancellation looks at the interrupted address (musl, glibc from 2.41 on) have one
// function for it: it first reads the cancel word that its first argument points to, and leaves when that is
// set. It must stay where it is.
bool Scanner::is_cancellation_point() const {
    const u8* code = body_.code();
    u64 room = body_.range().bytes();
    static constexpr u8 kEndbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
    if (room > sizeof(kEndbr) && memcmp(code, kEndbr, sizeof(kEndbr)) == 0) {
        code += sizeof(kEndbr);
        room -= sizeof(kEndbr);
    }
    if (room < 6 || code[0] != 0x8b || code[1] != 0x07) return false;  // mov (%rdi),%eax
    const u8* next = code + 4;                                         // test %eax,%eax or test $imm,%al
    if (!(code[2] == 0x85 && code[3] == 0xc0) && code[2] != 0xa8) return false;
    return next[0] == 0x75 || (next[0] == 0x0f && next[1] == 0x85);
}

bool Scanner::movable(u64 i) const {
    Instruction instruction;
    u8 moved[kMaxMoved];
    if (!body_.full(i, instruction)) return false;
    // Its own address stands for every near one: whether the slot is near enough is checked when it is known.
    return move_instruction(instruction, body_.bytes(i), moved, body_.address(i)) != 0;
}

bool Scanner::try_before(u64 index, Site& site) {
    for (u64 i = index; i-- > 0;) {
        const Step& step = body_.step(i);
        const u64 begin = body_.address(i);
        if (step.flow != Flow::kNext || begin < taken_ || site.call - begin > kMaxBefore) return false;
        if (!movable(i) || body_.writes_stack_pointer(i)) return false;
        if (body_.jumped_to(begin, site.call + 1)) return false;
        if (step.length < kJumpBytes) continue;
        site.way = Way::kBefore;
        site.patch = begin;
        site.before = static_cast<u32>(site.call - begin);
        return true;
    }
    return false;
}

bool Scanner::is_padding(u64 begin, u64 end) const {
    const u8* code = object_.at(begin, end - begin);
    if (code == nullptr) return false;
    Instruction instruction;
    for (u64 offset = 0; offset < end - begin; offset += instruction.info.length) {
        if (!body_.decoder().decode(code + offset, end - begin - offset, begin + offset, instruction))
            return false;
        if (instruction.info.mnemonic != ZYDIS_MNEMONIC_NOP &&
            instruction.info.mnemonic != ZYDIS_MNEMONIC_INT3)
            return false;
    }
    return true;
}

bool Scanner::try_short_jump(Site& site) {
    u64 begin = body_.range().end, end = 0;
    if (!object_.next_function(begin, end) || end > segment_.p_vaddr + segment_.p_filesz ||
        !is_padding(begin, end))
        return false;
    if (begin < holes_taken_) begin = holes_taken_;
    if (begin + kJumpBytes > end || begin - (site.call + kCallBytes) > 127) return false;
    site.way = Way::kShortJump;
    site.patch = site.call;
    site.hole = begin;
    holes_taken_ = begin + kJumpBytes;
    return true;
}

bool Scanner::try_after(u64 index, Site& site) {
    u64 end = site.call + kCallBytes;
    bool ended = false;
    for (u64 i = index + 1; i < body_.count() && end < site.call + kJumpBytes; i++) {
        const Step& step = body_.step(i);
        if (ended) {
            if (!step.nop) return false;
        } else {
            if (!movable(i) || (step.flow != Flow::kReturn && body_.writes_stack_pointer(i))) return false;
            site.after += step.length;
            ended = step.flow == Flow::kReturn || step.flow == Flow::kJump;
        }
        end += step.length;
    }
    if (end < site.call + kJumpBytes) {
        u64 next = 0;
        const u64 jump_end = site.call + kJumpBytes;
        if (!ended || !object_.next_function(end, next) || jump_end > next || !is_padding(end, next))
            return false;
        if (holes_taken_ < jump_end) holes_taken_ = jump_end;
    }
    const u64 call = site.call;
    if (body_.jumped_to(call, call + kJumpBytes) || body_.may_be_entered(call, call + kJumpBytes))
        return false;
    site.way = Way::kAfter;
    site.patch = call;
    return true;
}

}  // namespace

bool find_sites(const Object& object, const Elf64_Phdr& segment, Sites& out) {
    return Scanner(object, segment, out).run();
}

void release(Sites& sites) {
    if (sites.all != nullptr) unmap_memory(sites.all, sites.capacity * sizeof(Site));
    sites.all = nullptr;
    sites.capacity = 0;
}

const char* reason_text(Reason reason) {
    static constexpr const char* kTexts[] = {"patched",
                                             "in no known function",
                                             "in a function that cannot be decoded",
                                             "no room for a jump",
                                             "end of a signal handler",
                                             "cancellation point",
                                             "no memory near it"};
    static_assert(sizeof(kTexts) / sizeof(kTexts[0]) == static_cast<u64>(Reason::kCount));
    return kTexts[static_cast<u64>(reason)];
}

}  // namespace farcall::preload
