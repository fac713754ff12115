// SPDX-License-Identifier: MIT
#include "guest-lib/preload/load.h"

#include <asm/stat.h>
#include <linux/mman.h>

#include "guest-lib/preload/dispatch.h"

namespace farcall::preload {

namespace {

constexpr u64 kPlace =
    0x40000000;  // of programs that may be anywhere: near this image, with room for the heap above it
constexpr u64 kPlaces = 8, kPlaceStep = 0x04000000;

u64 page_down(u64 address) {
    return address & ~(kPageBytes - 1);
}
u64 page_up(u64 address) {
    return page_down(address + kPageBytes - 1);
}

int protection_of(const Elf64_Phdr& segment) {
    return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) |
           ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) | ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

Range span_of(const Object& object) {
    Range span{~0UL, 0};
    for (u64 i = 0; i < object.segment_count(); i++) {
        const Elf64_Phdr& segment = object.segment(i);
        if (segment.p_type != PT_LOAD) continue;
        if (page_down(segment.p_vaddr) < span.begin) span.begin = page_down(segment.p_vaddr);
        if (page_up(segment.p_vaddr + segment.p_memsz) > span.end)
            span.end = page_up(segment.p_vaddr + segment.p_memsz);
    }
    return span;
}

bool reserve(u64 address, u64 bytes) {
    const i64 got = sys::call(__NR_mmap, address, bytes, PROT_NONE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == static_cast<i64>(address)) return true;
    if (!failed(got)) sys::call(__NR_munmap, got, bytes);
    return false;
}

bool find_place(const Range& span, bool anywhere, u64& base) {
    base = 0;
    if (!anywhere) return reserve(span.begin, span.bytes());
    for (u64 i = 0; i < kPlaces; i++) {
        base = kPlace + i * kPlaceStep - span.begin;
        if (reserve(base + span.begin, span.bytes())) return true;
    }
    return false;
}

bool map_segment(int fd, const Elf64_Phdr& segment, u64 base) {
    const u64 begin = page_down(base + segment.p_vaddr), file_end = base + segment.p_vaddr + segment.p_filesz;
    const u64 end = page_up(base + segment.p_vaddr + segment.p_memsz);
    const int protection = protection_of(segment);
    u64 mapped = begin;
    if (segment.p_filesz > 0) {
        mapped = page_up(file_end);
        if (failed(sys::call(__NR_mmap, begin, mapped - begin, protection, MAP_PRIVATE | MAP_FIXED, fd,
                             page_down(segment.p_offset))))
            return false;
    }
    if (segment.p_memsz > segment.p_filesz && (segment.p_flags & PF_W) != 0 && mapped > file_end)
        memset(reinterpret_cast<void*>(file_end), 0, mapped - file_end);
    return mapped >= end || !failed(sys::call(__NR_mmap, mapped, end - mapped, protection,
                                              MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0));
}

bool map_program(int fd, const Object& object, u64 base) {
    for (u64 i = 0; i < object.segment_count(); i++)
        if (object.segment(i).p_type == PT_LOAD && !map_segment(fd, object.segment(i), base)) return false;
    return true;
}

void prepare_code(const Object& object, u64 base, const char* path) {
    for (u64 i = 0; i < object.segment_count(); i++) {
        const Elf64_Phdr& segment = object.segment(i);
        // One such segment is what linkers make; what is in another is dispatched and made in the handler.
        if (segment.p_type == PT_LOAD && (segment.p_flags & (PF_X | PF_W)) == PF_X &&
            prepare_segment(object, segment, base, protection_of(segment), path))
            return;
    }
}

u64 headers_in_memory(const Object& object, const Elf64_Ehdr& header) {
    for (u64 i = 0; i < object.segment_count(); i++) {
        const Elf64_Phdr& segment = object.segment(i);
        if (segment.p_type == PT_LOAD && segment.p_offset <= header.e_phoff &&
            header.e_phoff < segment.p_offset + segment.p_filesz)
            return header.e_phoff - segment.p_offset + segment.p_vaddr;
    }
    return 0;
}

}  // namespace

bool load_program(int fd, const char* path, LoadedProgram& out) {
    struct stat status = {};
    if (sys::call(__NR_fstat, fd, &status) != 0 || status.st_size < static_cast<i64>(sizeof(Elf64_Ehdr)))
        return false;
    const auto bytes = static_cast<u64>(status.st_size);
    const i64 file = sys::call(__NR_mmap, 0, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (failed(file)) return false;
    const Object object = Object::of_file(reinterpret_cast<const u8*>(file), bytes);
    const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(file);
    const Range span = span_of(object);
    bool good =
        object.valid() && span.begin < span.end && find_place(span, header.e_type == ET_DYN, out.base);
    if (good && !map_program(fd, object, out.base)) {
        sys::call(__NR_munmap, out.base + span.begin, span.bytes());
        good = false;
    }
    if (good) {
        prepare_code(object, out.base, path);
        out.entry = out.base + header.e_entry;
        out.headers = out.base + headers_in_memory(object, header);
        out.header_count = object.segment_count();
    }
    sys::call(__NR_munmap, file, bytes);
    return good;
}

}  // namespace farcall::preload
