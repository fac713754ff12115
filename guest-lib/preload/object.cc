// SPDX-License-Identifier: MIT
#include "guest-lib/preload/object.h"

namespace farcall::preload {

namespace {

template <typename T>
T read(const u8* from) {
    T value;
    memcpy(&value, from, sizeof(value));
    return value;
}

u64 read_uleb(const u8*& at, const u8* end) {
    u64 value = 0;
    for (u32 shift = 0; at < end && shift < 63; shift += 7) {
        const u8 byte = *at++;
        value |= static_cast<u64>(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) break;
    }
    return value;
}

// Encodings of pointers in .eh_frame (DWARF's DW_EH_PE_*): the ones that compilers for x86-64 write.
constexpr u8 kPcRelative4 = 0x1b;
constexpr u8 kPcRelative8 = 0x1c;
constexpr u8 kDataRelative4 = 0x3b;
constexpr u8 kUnsigned4 = 0x03;

}  // namespace

Object Object::loaded(u64 base, const Elf64_Phdr* headers, u64 count) {
    Object object;
    object.headers_ = headers;
    object.count_ = count;
    object.base_ = base;
    return object;
}

Object Object::of_file(const u8* file, u64 bytes) {
    Object object;
    if (bytes < sizeof(Elf64_Ehdr)) return object;
    const auto header = read<Elf64_Ehdr>(file);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr))
        return object;
    const u64 size = static_cast<u64>(header.e_phnum) * sizeof(Elf64_Phdr);
    if (header.e_phoff > bytes || size > bytes - header.e_phoff || header.e_phoff % alignof(Elf64_Phdr) != 0)
        return object;
    object.headers_ = reinterpret_cast<const Elf64_Phdr*>(file + header.e_phoff);
    object.count_ = header.e_phnum;
    object.file_ = file;
    object.file_bytes_ = bytes;
    return object;
}

const Elf64_Phdr* Object::find(u32 type) const {
    for (u64 i = 0; i < count_; i++)
        if (headers_[i].p_type == type) return &headers_[i];
    return nullptr;
}

const u8* Object::at(u64 address, u64 bytes) const {
    for (u64 i = 0; i < count_; i++) {
        const Elf64_Phdr& segment = headers_[i];
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
        const u64 offset = address - segment.p_vaddr;
        if (offset > segment.p_filesz || bytes > segment.p_filesz - offset) continue;
        if (file_ == nullptr) return reinterpret_cast<const u8*>(base_ + address);
        if (segment.p_offset > file_bytes_ || offset + bytes > file_bytes_ - segment.p_offset) return nullptr;
        return file_ + segment.p_offset + offset;
    }
    return nullptr;
}

bool Object::frame_table(FrameTable& out) const {
    const Elf64_Phdr* segment = find(PT_GNU_EH_FRAME);
    if (segment == nullptr || segment->p_memsz < 12) return false;
    const u8* header = at(segment->p_vaddr, segment->p_memsz);
    // version, encodings of: the pointer to .eh_frame, the count, the table
    if (header == nullptr || header[0] != 1 || header[1] != kPcRelative4 || header[2] != kUnsigned4 ||
        header[3] != kDataRelative4)
        return false;
    out.count = read<u32>(header + 8);
    out.entries = header + 12;
    out.base = segment->p_vaddr;
    return out.count != 0 && out.count <= (segment->p_memsz - 12) / 8;
}

u64 Object::upper_bound(const FrameTable& table, u64 address) {
    u64 low = 0, high = table.count;
    while (low < high) {
        const u64 middle = (low + high) / 2;
        if (table.base + static_cast<u64>(static_cast<i64>(read<i32>(table.entries + middle * 8))) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool Object::common_entry(u64 address, Common& out) const {
    const u8* cie = at(address, 32);
    if (cie == nullptr || read<u32>(cie) < 16 || cie[8] != 1 || cie[9] != 'z') return false;
    const u8* end = cie + 32;
    const u8* letter = cie + 10;
    const u8* cursor = letter;
    while (cursor < end && *cursor != 0)
        cursor++;
    cursor++;
    for (int field = 0; field < 4; field++)  // code and data alignment, return column, length of what follows
        read_uleb(cursor, end);
    out = {};
    for (; *letter != 0 && cursor < end; letter++) {
        if (*letter == 'R') {
            out.encoding = *cursor++;
        } else if (*letter == 'L') {
            out.landing_pads = true;
            cursor++;
        } else if (*letter == 'P') {
            const u8 form = *cursor & 0x0f;
            cursor += 1 + (form == 0x0c || form == 0 ? 8 : 4);
        }
    }
    return true;
}

bool Object::function_by_frames(u64 address, Function& out) const {
    FrameTable table;
    if (!frame_table(table)) return false;
    const u64 after = upper_bound(table, address);
    if (after == 0) return false;
    const u64 fde =
        table.base + static_cast<u64>(static_cast<i64>(read<i32>(table.entries + (after - 1) * 8 + 4)));
    return frame_at(fde, out) && out.holds(address);
}

bool Object::frame_at(u64 fde, Function& out) const {
    const u8* entry = at(fde, 24);
    Common common;
    if (entry == nullptr || !common_entry(fde + 4 - read<u32>(entry + 4), common)) return false;
    if (common.encoding == kPcRelative4) {
        out.begin = fde + 8 + static_cast<u64>(static_cast<i64>(read<i32>(entry + 8)));
        out.end = out.begin + read<u32>(entry + 12);
    } else if (common.encoding == kPcRelative8) {
        out.begin = fde + 8 + read<u64>(entry + 8);
        out.end = out.begin + read<u64>(entry + 16);
    } else {
        return false;
    }
    out.landing_pads = common.landing_pads;
    return true;
}

bool Object::next_function(u64 address, u64& begin) const {
    FrameTable table;
    if (!frame_table(table)) return false;
    const u64 next = address == 0 ? 0 : upper_bound(table, address - 1);
    if (next == table.count) return false;
    begin = table.base + static_cast<u64>(static_cast<i64>(read<i32>(table.entries + next * 8)));
    return true;
}

u64 Object::symbol_count(u64 hash, u64 gnu_hash) const {
    if (const u8* table = hash != 0 ? at(hash, 8) : nullptr) return read<u32>(table + 4);
    const u8* table = gnu_hash != 0 ? at(gnu_hash, 16) : nullptr;
    if (table == nullptr) return 0;
    const u64 buckets = read<u32>(table), first = read<u32>(table + 4), words = read<u32>(table + 8);
    const u64 bucket_at = gnu_hash + 16 + words * 8, chain_at = bucket_at + buckets * 4;
    const u8* bucket = at(bucket_at, buckets * 4);
    u64 last = 0;
    for (u64 i = 0; bucket != nullptr && i < buckets; i++)
        if (read<u32>(bucket + i * 4) > last) last = read<u32>(bucket + i * 4);
    if (last < first) return first;
    for (;; last++) {
        const u8* link = at(chain_at + (last - first) * 4, 4);
        if (link == nullptr || (read<u32>(link) & 1) != 0) return last + 1;
    }
}

bool Object::function_by_symbols(u64 address, Function& out) const {
    const Elf64_Phdr* segment = find(PT_DYNAMIC);
    if (segment == nullptr) return false;
    u64 symbols = 0, hash = 0, gnu_hash = 0;
    for (u64 at_entry = segment->p_vaddr;; at_entry += sizeof(Elf64_Dyn)) {
        const u8* entry = at(at_entry, sizeof(Elf64_Dyn));
        if (entry == nullptr || at_entry - segment->p_vaddr >= segment->p_memsz) break;
        const auto dynamic = read<Elf64_Dyn>(entry);
        if (dynamic.d_tag == DT_NULL) break;
        u64 value = dynamic.d_un.d_ptr;
        // Some loaders relocate these entries in memory, others leave them as they are in the file.
        if (file_ == nullptr && base_ != 0 && value >= base_) value -= base_;
        if (dynamic.d_tag == DT_SYMTAB) symbols = value;
        if (dynamic.d_tag == DT_HASH) hash = value;
        if (dynamic.d_tag == DT_GNU_HASH) gnu_hash = value;
    }
    if (symbols == 0) return false;
    const u64 count = symbol_count(hash, gnu_hash);
    for (u64 i = 1; i < count; i++) {
        const u8* entry = at(symbols + i * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
        if (entry == nullptr) return false;
        const auto symbol = read<Elf64_Sym>(entry);
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
        out.begin = symbol.st_value;
        out.end = symbol.st_value + symbol.st_size;
        out.landing_pads = true;  // who knows
        if (out.holds(address)) return true;
    }
    return false;
}

bool Object::function_at(u64 address, Function& out) const {
    return function_by_frames(address, out) || function_by_symbols(address, out) ||
           (file_ != nullptr &&
            (function_by_frame_section(address, out) || function_by_symbol_section(address, out)));
}

}  // namespace farcall::preload
