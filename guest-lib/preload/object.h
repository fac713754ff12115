// SPDX-License-Identifier: MIT
// An ELF object as the scanner sees it: its memory (of the running process or of a mapped file) by link-time
// address.
#pragma once

#include <elf.h>

#include "guest-lib/preload/basic.h"

namespace farcall::preload {

/// [begin, end) of link-time addresses.
struct Range {
    u64 begin = 0;
    u64 end = 0;
    bool holds(u64 address) const { return address >= begin && address < end; }
    u64 bytes() const { return end - begin; }
};

struct Function : Range {
    bool landing_pads = false;  ///< exceptions can enter it in the middle
};

class Object {
  public:
    /// Of an object that is loaded: `base` is added to link-time addresses.
    static Object loaded(u64 base, const Elf64_Phdr* headers, u64 count);
    /// Of a whole file that is mapped at `file`. Nothing of it is trusted: valid() tells whether it is
    /// usable.
    static Object of_file(const u8* file, u64 bytes);

    bool valid() const { return headers_ != nullptr; }
    u64 segment_count() const { return count_; }
    const Elf64_Phdr& segment(u64 i) const { return headers_[i]; }
    const Elf64_Phdr* find(u32 type) const;

    /// Memory behind [address, address + bytes), or nullptr when the object has none there.
    const u8* at(u64 address, u64 bytes) const;

    /// The function that holds the address: from .eh_frame, else from the dynamic symbols. False: not known.
    bool function_at(u64 address, Function& out) const;
    /// Where the first function at or after the address begins, by .eh_frame alone; false: not known.
    bool next_function(u64 address, u64& begin) const;

  private:
    struct FrameTable {
        const u8* entries;
        u64 count;
        u64 base;
    };
    struct Common {
        u8 encoding = 0;
        bool landing_pads = false;
    };
    bool frame_table(FrameTable& out) const;
    bool common_entry(u64 address, Common& out) const;
    /// The index of the first entry that begins after the address.
    static u64 upper_bound(const FrameTable& table, u64 address);
    bool function_by_frames(u64 address, Function& out) const;
    bool function_by_symbols(u64 address, Function& out) const;
    // Of a whole file: its section headers survive where the tables for the loader are missing, as in static
    // programs.
    bool section(const char* name, const u8*& bytes, u64& count, u64& address) const;
    bool function_by_frame_section(u64 address, Function& out) const;
    bool function_by_symbol_section(u64 address, Function& out) const;
    bool frame_at(u64 fde, Function& out) const;
    u64 symbol_count(u64 hash, u64 gnu_hash) const;

    const Elf64_Phdr* headers_ = nullptr;
    u64 count_ = 0;
    u64 base_ = 0;              // loaded: added to addresses
    const u8* file_ = nullptr;  // or the mapped file
    u64 file_bytes_ = 0;
};

}  // namespace farcall::preload
