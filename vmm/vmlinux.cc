// SPDX-License-Identifier: MIT
// An uncompressed ELF kernel, entered through the PVH ABI (the ELF note XEN_ELFNOTE_PHYS32_ENTRY).
#include <elf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "host-lib/error.h"
#include "vmm/kernel_loader.h"
#include "vmm/layout.h"

namespace farcall::vmm::detail {

namespace {

constexpr uint32_t kNotePhys32Entry = 18;
constexpr uint64_t kMaxNotes = 64 * 1024;
constexpr unsigned kMaxSegments = 64;

// The structures of xen/interface/hvm/start_info.h.
struct StartInfo {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t module_count;
    uint64_t modules;
    uint64_t command_line;
    uint64_t rsdp;
    uint64_t memory_map;
    uint32_t memory_map_entries;
    uint32_t reserved;
};
struct StartModule {
    uint64_t address;
    uint64_t bytes;
    uint64_t command_line;
    uint64_t reserved;
};
struct StartMapEntry {
    uint64_t address;
    uint64_t bytes;
    uint32_t type;
    uint32_t reserved;
};
constexpr uint32_t kStartMagic = 0x336ec578;

uint64_t align4(uint64_t value) {
    return (value + 3) & ~3ull;
}

// Walks the notes in `notes`; every size in there is whatever the file says.
std::optional<uint64_t> find_pvh_entry(std::span<const std::byte> notes) {
    uint64_t at = 0;
    while (notes.size() - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        std::memcpy(&note, notes.data() + at, sizeof note);
        const uint64_t name = at + sizeof note;
        const uint64_t data = name + align4(note.n_namesz);
        const uint64_t next = data + align4(note.n_descsz);
        if (next > notes.size()) return std::nullopt;
        if (note.n_type == kNotePhys32Entry && note.n_namesz == 4 &&
            std::memcmp(notes.data() + name, "Xen", 4) == 0 && (note.n_descsz == 4 || note.n_descsz == 8)) {
            uint64_t entry = 0;
            std::memcpy(&entry, notes.data() + data, note.n_descsz);
            return entry;
        }
        at = next;
    }
    return std::nullopt;
}

void load_segment(const InputFile& file, const GuestRam& ram, const Elf64_Phdr& segment,
                  LoadedKernel& kernel) {
    if (segment.p_memsz == 0) return;
    if (segment.p_filesz > segment.p_memsz)
        throw Error(fmt::format("the kernel '{}' is damaged: a segment is larger in the file than in memory",
                                file.path()));
    if (segment.p_paddr < layout::kHighRam)
        throw Error(fmt::format("the kernel '{}' is damaged: it loads below 1 MiB", file.path()));
    const auto memory = ram.at(segment.p_paddr, segment.p_memsz, "kernel");
    // Beyond the 32-bit hole the boot code could not run.
    if (segment.p_paddr + segment.p_memsz > layout::kHoleStart)
        throw Error(fmt::format("the kernel '{}' does not load below 3 GiB", file.path()));
    file.read(segment.p_offset, memory.first(segment.p_filesz));
    // RAM is zero already unless segments overlap; a hostile file only harms its own guest with that.
    kernel.begin = std::min(kernel.begin, segment.p_paddr);
    kernel.end = std::max(kernel.end, segment.p_paddr + segment.p_memsz);
}

}  // namespace

LoadedKernel load_vmlinux(const InputFile& file, const GuestRam& ram) {
    const auto bad = [&](const char* why) {
        return Error(fmt::format("the kernel '{}' {}", file.path(), why));
    };
    const auto header = file.read_struct<Elf64_Ehdr>(0);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64)
        throw bad("is not for x86-64");
    if (header.e_type != ET_EXEC && header.e_type != ET_DYN) throw bad("is not an executable ELF file");
    if (header.e_phentsize != sizeof(Elf64_Phdr)) throw bad("is damaged: its ELF header is wrong");
    if (header.e_phnum == 0 || header.e_phnum > kMaxSegments)
        throw bad("is damaged: it has no or too many segments");
    if (header.e_phoff > file.bytes()) throw bad("is truncated: it ends before its program headers");

    LoadedKernel kernel;
    kernel.begin = std::numeric_limits<uint64_t>::max();
    std::optional<uint64_t> entry;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        const auto segment = file.read_struct<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
        if (segment.p_type == PT_LOAD) load_segment(file, ram, segment, kernel);
        if (segment.p_type == PT_NOTE && !entry && segment.p_filesz <= kMaxNotes) {
            std::vector<std::byte> notes(segment.p_filesz);
            file.read(segment.p_offset, notes);
            entry = find_pvh_entry(notes);
        }
    }
    if (!entry) throw bad("has no PVH entry: it needs CONFIG_PVH, or use the bzImage");
    if (*entry < kernel.begin || *entry >= kernel.end)
        throw bad("is damaged: its PVH entry is outside its code");
    kernel.protocol = BootProtocol::kPvh;
    kernel.entry = *entry;
    kernel.initrd_limit = layout::kHoleStart;
    kernel.command_line_max = layout::kCommandLineMax - 1;
    return kernel;
}

void write_start_info(const GuestRam& ram, const InitrdPlace& initrd) {
    constexpr uint64_t kModules = layout::kPvhStartInfo + 0x100;
    constexpr uint64_t kMap = layout::kPvhStartInfo + 0x200;
    const auto map = memory_map(ram);
    StartInfo info{};
    info.magic = kStartMagic;
    info.version = 1;
    info.module_count = initrd.bytes != 0 ? 1 : 0;
    info.modules = initrd.bytes != 0 ? kModules : 0;
    info.command_line = layout::kCommandLine;
    info.rsdp = layout::kAcpiTables;
    info.memory_map = kMap;
    info.memory_map_entries = static_cast<uint32_t>(map.size());
    ram.write(layout::kPvhStartInfo, &info, sizeof info, "boot information");
    const StartModule module{initrd.address, initrd.bytes, 0, 0};
    ram.write(kModules, &module, sizeof module, "boot information");
    for (size_t i = 0; i < map.size(); i++) {
        const StartMapEntry element{map[i].address, map[i].bytes, map[i].type, 0};
        ram.write(kMap + i * sizeof element, &element, sizeof element, "boot information");
    }
}

}  // namespace farcall::vmm::detail
