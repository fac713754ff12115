// SPDX-License-Identifier: MIT
#include "vmm/elf_needs.h"

#include <elf.h>
#include <fmt/format.h>

#include <array>
#include <cstring>

#include "host-lib/error.h"

namespace farcall::vmm {

namespace {

constexpr uint64_t kMaxString = 4096;
constexpr unsigned kMaxHeaders = 256;
constexpr uint64_t kMaxDynamic = 4096;  // entries

class ElfReader {
  public:
    explicit ElfReader(const InputFile& file) : file_(file) {
        const auto header = file.read_struct<Elf64_Ehdr>(0);
        if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64) {
            throw Error(fmt::format("'{}' is not for x86-64", file.path()));
        }
        if (header.e_phnum > kMaxHeaders ||
            (header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr)) ||
            header.e_phoff > file.bytes()) {
            throw damaged();
        }
        for (unsigned i = 0; i < header.e_phnum; i++) {
            headers_.push_back(file.read_struct<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr)));
        }
    }

    ElfNeeds read() const {
        ElfNeeds needs;
        bool dynamic = false;
        for (const Elf64_Phdr& header : headers_) {
            if (header.p_type == PT_INTERP) needs.interpreter = text(header.p_offset);
            if (header.p_type != PT_DYNAMIC) continue;
            // One at most: more would let a small file ask for gigabytes of names.
            if (dynamic) throw damaged();
            dynamic = true;
            read_dynamic(header, needs);
        }
        return needs;
    }

  private:
    Error damaged() const { return Error(fmt::format("'{}' is a damaged ELF file", file_.path())); }

    // A NUL-terminated string, of which not more than kMaxString bytes are looked at.
    std::string text(uint64_t offset) const {
        if (offset >= file_.bytes()) throw damaged();
        std::string out(std::min(kMaxString, file_.bytes() - offset), '\0');
        file_.read(offset, std::as_writable_bytes(std::span(out)));
        const size_t end = out.find('\0');
        if (end == std::string::npos) throw damaged();
        out.resize(end);
        return out;
    }

    uint64_t file_offset(uint64_t address) const {
        for (const Elf64_Phdr& header : headers_) {
            if (header.p_type == PT_LOAD && address >= header.p_vaddr &&
                address - header.p_vaddr < header.p_filesz) {
                const uint64_t offset = address - header.p_vaddr + header.p_offset;
                if (offset >= header.p_offset) return offset;
            }
        }
        throw damaged();
    }

    void read_dynamic(const Elf64_Phdr& segment, ElfNeeds& needs) const {
        std::vector<Elf64_Dyn> entries;
        uint64_t strings_address = 0;
        const uint64_t count = std::min(segment.p_filesz / sizeof(Elf64_Dyn), kMaxDynamic);
        if (segment.p_offset > file_.bytes()) throw damaged();
        for (uint64_t i = 0; i < count; i++) {
            const auto entry = file_.read_struct<Elf64_Dyn>(segment.p_offset + i * sizeof(Elf64_Dyn));
            if (entry.d_tag == DT_NULL) break;
            if (entry.d_tag == DT_STRTAB) strings_address = entry.d_un.d_ptr;
            entries.push_back(entry);
        }
        if (strings_address == 0) return;
        const uint64_t strings = file_offset(strings_address);
        for (const Elf64_Dyn& entry : entries) {
            const bool wanted =
                entry.d_tag == DT_NEEDED || entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH;
            if (!wanted) continue;
            if (entry.d_un.d_val >= file_.bytes()) throw damaged();
            const std::string value = text(strings + entry.d_un.d_val);
            if (entry.d_tag == DT_NEEDED) needs.needed.push_back(value);
            if (entry.d_tag == DT_RPATH) needs.rpath = value;
            if (entry.d_tag == DT_RUNPATH) needs.runpath = value;
        }
    }

    const InputFile& file_;
    std::vector<Elf64_Phdr> headers_;
};

}  // namespace

std::optional<ElfNeeds> read_elf_needs(const InputFile& file) {
    std::array<std::byte, SELFMAG> magic{};
    if (file.bytes() < sizeof(Elf64_Ehdr)) return std::nullopt;
    file.read(0, magic);
    if (std::memcmp(magic.data(), ELFMAG, SELFMAG) != 0) return std::nullopt;
    return ElfReader(file).read();
}

}  // namespace farcall::vmm
