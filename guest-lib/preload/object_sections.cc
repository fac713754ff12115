// SPDX-License-Identifier: MIT
// Functions by a file's section headers.
#include "guest-lib/preload/object.h"

namespace farcall::preload {

bool Object::section(const char* name, const u8*& bytes, u64& count, u64& address) const {
    Elf64_Ehdr header;
    memcpy(&header, file_, sizeof(header));
    const u64 table = header.e_shoff, entry = sizeof(Elf64_Shdr);
    if (header.e_shentsize != entry || table > file_bytes_ ||
        header.e_shnum > (file_bytes_ - table) / entry || header.e_shstrndx >= header.e_shnum)
        return false;
    Elf64_Shdr names, each;
    memcpy(&names, file_ + table + header.e_shstrndx * entry, entry);
    if (names.sh_offset > file_bytes_ || names.sh_size > file_bytes_ - names.sh_offset) return false;
    const u64 wanted = length(name) + 1;
    for (u64 i = 0; i < header.e_shnum; i++) {
        memcpy(&each, file_ + table + i * entry, entry);
        if (each.sh_name > names.sh_size || wanted > names.sh_size - each.sh_name ||
            each.sh_type == SHT_NOBITS)
            continue;
        if (memcmp(file_ + names.sh_offset + each.sh_name, name, wanted) != 0) continue;
        if (each.sh_offset > file_bytes_ || each.sh_size > file_bytes_ - each.sh_offset) return false;
        bytes = file_ + each.sh_offset;
        count = each.sh_size;
        address = each.sh_addr;
        return true;
    }
    return false;
}

bool Object::function_by_frame_section(u64 address, Function& out) const {
    const u8* bytes = nullptr;
    u64 count = 0, start = 0;
    if (!section(".eh_frame", bytes, count, start)) return false;
    for (u64 at_entry = 0; at_entry + 8 <= count;) {
        u32 size = 0, cie = 0;
        memcpy(&size, bytes + at_entry, sizeof(size));
        memcpy(&cie, bytes + at_entry + 4, sizeof(cie));
        if (size == 0xffffffff || size > count - at_entry - 4) return false;
        if (size != 0 && cie != 0 && frame_at(start + at_entry, out) && out.holds(address)) return true;
        at_entry += size + 4;
    }
    return false;
}

bool Object::function_by_symbol_section(u64 address, Function& out) const {
    const u8* bytes = nullptr;
    u64 count = 0, start = 0;
    if (!section(".symtab", bytes, count, start)) return false;
    const u8* symbols = bytes;
    const u64 symbols_bytes = count;
    // Without tables for exceptions nothing is entered by one.
    const bool landing_pads = section(".gcc_except_table", bytes, count, start);
    for (u64 i = 0; i + sizeof(Elf64_Sym) <= symbols_bytes; i += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, symbols + i, sizeof(symbol));
        if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF ||
            address < symbol.st_value || address - symbol.st_value >= symbol.st_size)
            continue;
        out.begin = symbol.st_value;
        out.end = symbol.st_value + symbol.st_size;
        out.landing_pads = landing_pads;
        return true;
    }
    return false;
}

}  // namespace farcall::preload
