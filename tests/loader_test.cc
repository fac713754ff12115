// SPDX-License-Identifier: MIT
// Kernels and programs come from files that may be anything: each mistake is a sentence, none is a crash.
#include "vmm/kernel_loader.h"

#include <elf.h>
#include <gmock/gmock.h>

#include "host-lib/error.h"
#include "tests/test_client.h"
#include "vmm/elf_needs.h"
#include "vmm/layout.h"
#include "vmm/program_packer.h"

namespace farcall::test {
namespace {

using namespace vmm;
using testing::AllOf;
using testing::HasSubstr;
constexpr uint64_t kMemory = 64 * layout::kMiB;

template <typename T>
void put(std::string& image, uint64_t at, const T& value) {
    if (image.size() < at + sizeof value) image.resize(at + sizeof value);
    memcpy(&image[at], &value, sizeof value);
}

std::string make_bzimage() {
    std::string image(4096, '\0');
    put<uint8_t>(image, 0x1f1, 1);        // setup sectors: code from 1024
    put<uint16_t>(image, 0x200, 0x62eb);  // jump: header until 0x264
    put<uint32_t>(image, 0x202, 0x53726448);
    put<uint16_t>(image, 0x206, 0x20f);
    put<uint8_t>(image, 0x211, 1);  // loaded high
    put<uint32_t>(image, 0x22c, 0x7fffffff);
    put<uint32_t>(image, 0x230, 0x200000);
    put<uint8_t>(image, 0x234, 1);
    put<uint16_t>(image, 0x236, 1);  // 64-bit entry
    put<uint32_t>(image, 0x238, 2047);
    put<uint64_t>(image, 0x258, 0x1000000);
    put<uint32_t>(image, 0x260, 0x200000);
    std::fill(image.begin() + 1024, image.end(), 'K');
    return image;
}

std::string make_vmlinux() {
    std::string image(8192, 'K');
    Elf64_Ehdr header{};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    put(image, 0, header);
    put(image, sizeof header, Elf64_Phdr{PT_LOAD, 7, 4096, 0, 0x1000000, 4096, 0x100000, 4096});
    put(image, sizeof header + sizeof(Elf64_Phdr), Elf64_Phdr{PT_NOTE, 4, 512, 0, 0, 20, 20, 4});
    put(image, 512, Elf64_Nhdr{4, 4, 18});
    put<uint32_t>(image, 524, 0x006e6558);
    put<uint32_t>(image, 528, 0x1000010);
    return image;
}

class Loader : public testing::Test {
  protected:
    std::string file(const std::string& content) const {
        dir_.write("file", content);
        return (dir_.path() / "file").string();
    }
    LoadedKernel load(const std::string& path) const { return load_kernel(InputFile(path, "kernel"), ram_); }

    // All that happens to a kernel before it runs. The sentence of the error, empty when it would boot.
    std::string refused(const std::string& path, uint64_t initrd_bytes = 5000) const {
        try {
            const LoadedKernel kernel = load(path);
            const InitrdPlace initrd = place_initrd(kernel, ram_, initrd_bytes);
            ram_.at(initrd.address, initrd.bytes, "initrd");
            EXPECT_GE(initrd.address, kernel.end);
            EXPECT_TRUE(kernel.entry >= kernel.begin && kernel.entry < kernel.end) << kernel.entry;
            write_boot_information(kernel, ram_, initrd, "");
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), testing::Not(HasSubstr("\n")));
            return error.what();
        }
        return {};
    }

    TempDir dir_;
    GuestRam ram_{kMemory, MemoryBacking::kAnonymous};
};

TEST_F(Loader, BothKindsOfKernelLoad) {
    const LoadedKernel bz = load(file(make_bzimage()));
    EXPECT_EQ(bz.protocol, BootProtocol::kLinux64);
    EXPECT_EQ(bz.entry, 0x1000200u);
    EXPECT_EQ(bz.end, 0x1200000u);
    EXPECT_EQ(ram_.at(bz.begin + 3071, 1, "end")[0], std::byte{'K'});
    EXPECT_EQ(ram_.at(bz.begin + 3072, 1, "end")[0], std::byte{0});
    const InitrdPlace initrd = place_initrd(bz, ram_, 5000);
    EXPECT_EQ(initrd.address, kMemory - 2 * layout::kPage);
    write_boot_information(bz, ram_, initrd, "one two");
    const auto params = ram_.at(layout::kBootParams, layout::kPage, "params");
    uint32_t address = 0;
    memcpy(&address, &params[0x218], 4);
    EXPECT_EQ(address, initrd.address);
    EXPECT_STREQ(reinterpret_cast<const char*>(ram_.at(layout::kCommandLine, 8, "line").data()), "one two");

    const LoadedKernel elf = load(file(make_vmlinux()));
    EXPECT_EQ(elf.protocol, BootProtocol::kPvh);
    EXPECT_EQ(elf.entry, 0x1000010u);
    EXPECT_EQ(elf.end, 0x1100000u);
    EXPECT_EQ(refused(file(make_vmlinux())), "");
}

TEST_F(Loader, WhatIsNoKernel) {
    EXPECT_THAT(refused("/nonexistent/kernel"),
                AllOf(HasSubstr("'/nonexistent/kernel'"), HasSubstr("No such")));
    EXPECT_THAT(refused(dir_.path()), AllOf(HasSubstr(dir_.path()), HasSubstr("not a regular file")));
    EXPECT_THAT(refused(file("")), HasSubstr("/file' is empty"));
    EXPECT_THAT(refused(file("#!/bin/sh\n")), HasSubstr("/file' is not a Linux kernel"));
    EXPECT_THAT(refused("/bin/ls"), HasSubstr("'/bin/ls'"));
    const std::string fifo = (dir_.path() / "fifo").string();
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    EXPECT_THAT(refused(fifo), HasSubstr("not a regular file"));
}

TEST_F(Loader, WhatIsWrongIsNamed) {
    const auto changed = [&](std::string image, uint64_t at, auto value) {
        put(image, at, value);
        return refused(file(image));
    };
    const std::string bz = make_bzimage(), elf = make_vmlinux();
    EXPECT_THAT(changed(bz, 0x206, uint16_t{0x20b}), HasSubstr("older than 2.12"));
    EXPECT_THAT(changed(bz, 0x236, uint16_t{0}), HasSubstr("no 64-bit entry"));
    EXPECT_THAT(changed(bz, 0x211, uint8_t{0}), HasSubstr("zImage"));
    EXPECT_THAT(changed(bz, 0x1f1, uint8_t{7}), HasSubstr("truncated"));
    EXPECT_THAT(changed(bz, 0x230, uint32_t{0}), HasSubstr("alignment"));
    EXPECT_THAT(changed(bz, 0x258, uint64_t{0}), HasSubstr("load address"));
    EXPECT_THAT(changed(bz, 0x258, ~uint64_t{0}), HasSubstr("load address"));
    EXPECT_THAT(changed(bz, 0x260, uint32_t{64 << 20}), HasSubstr("too little guest memory"));
    EXPECT_THAT(changed(bz, 0x22c, uint32_t{0x1000000}), HasSubstr("too little guest memory"));
    EXPECT_THAT(changed(elf, EI_CLASS, uint8_t{ELFCLASS32}), HasSubstr("not for x86-64"));
    EXPECT_THAT(changed(elf, 16, uint16_t{ET_REL}), HasSubstr("not an executable"));
    EXPECT_THAT(changed(elf, 56, uint16_t{0}), HasSubstr("segments"));
    EXPECT_THAT(changed(elf, 532 - 4, uint32_t{0x2000000}), HasSubstr("PVH entry is outside"));
    EXPECT_THAT(changed(elf, 520, uint32_t{17}), HasSubstr("CONFIG_PVH"));
    constexpr uint64_t kAddress = 64 + 24, kFileBytes = 64 + 32, kBytes = 64 + 40;
    EXPECT_THAT(changed(elf, kAddress, uint64_t{0x1000}), HasSubstr("below 1 MiB"));
    EXPECT_THAT(changed(elf, kAddress, ~uint64_t{0}), HasSubstr("too little guest memory"));
    EXPECT_THAT(changed(elf, kBytes, uint64_t{64 << 20}), HasSubstr("too little guest memory"));
    EXPECT_THAT(changed(elf, kBytes, ~uint64_t{0}), HasSubstr("too little guest memory"));
    EXPECT_THAT(changed(elf, kBytes, uint64_t{100}), HasSubstr("larger in the file"));
    EXPECT_THAT(changed(elf, kFileBytes, uint64_t{4097}), HasSubstr("truncated"));
}

TEST_F(Loader, TooLittleMemory) {
    const std::string image = file(make_bzimage());
    EXPECT_EQ(refused(image, kMemory - 0x1200000), "");  // all that is left
    for (const uint64_t bytes : {kMemory - 0x1200000 + 1, kMemory, ~uint64_t{0}})
        EXPECT_THAT(refused(image, bytes), HasSubstr("too little guest memory: 64 MiB do not hold")) << bytes;
    EXPECT_THROW(GuestRam(8 * layout::kMiB, MemoryBacking::kAnonymous), Error);
    EXPECT_THROW(GuestRam(~uint64_t{0}, MemoryBacking::kMemfd), Error);
    const LoadedKernel kernel = load(image);
    EXPECT_NO_THROW(write_boot_information(kernel, ram_, {}, std::string(2047, 'x')));
    EXPECT_THROW(write_boot_information(kernel, ram_, {}, std::string(2048, 'x')), Error);
}

TEST_F(Loader, TruncatedAtEveryLength) {
    for (const std::string& whole : {make_bzimage(), make_vmlinux()}) {
        for (size_t bytes = 0; bytes < whole.size(); bytes += bytes < 1700 ? 1 : 97) {
            const std::string sentence = refused(file(whole.substr(0, bytes)));
            // A bzImage does not say how long its code is.
            if (whole[0] != ELFMAG[0] && bytes > 1024 + 512) continue;
            ASSERT_THAT(sentence, HasSubstr("/file'")) << bytes;
        }
    }
}

TEST_F(Loader, RandomChangesNeverCrash) {
    const uint32_t seed = test_seed();
    RecordProperty("seed", std::to_string(seed));
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    unsigned refusals = 0, loads = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (std::chrono::steady_clock::now() < end) {
        std::string image = random() % 2 == 0 ? make_bzimage() : make_vmlinux();
        for (unsigned changes = 1 + random() % 4; changes > 0; changes--) {
            const size_t at = random() % 0x290;
            if (random() % 2 == 0) {
                image[at] = static_cast<char>(random());
            } else {
                constexpr uint64_t kInteresting[] = {0,          1,          ~0ull,      1ull << 63,
                                                     1ull << 32, 0x7fffffff, kMemory - 1};
                put(image, at & ~3ull, kInteresting[random() % std::size(kInteresting)]);
            }
        }
        if (random() % 8 == 0) image.resize(random() % image.size());
        (refused(file(image)).empty() ? loads : refusals)++;
    }
    EXPECT_GT(refusals, 0u);
    EXPECT_GT(loads, 0u);
}

// The kernels of a build that has some. Their absence is nothing that this test is about.
TEST_F(Loader, RealKernels) {
    unsigned found = 0;
    const std::filesystem::path build = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const char* name :
         {"guest/6.12/vmlinux", "guest/6.12/bzImage", "guest/6.1/vmlinux", "guest/6.1/bzImage"}) {
        if (!std::filesystem::exists(build / name)) continue;
        found++;
        const GuestRam ram(256 * layout::kMiB, MemoryBacking::kAnonymous);
        const LoadedKernel kernel = load_kernel(InputFile(build / name, "kernel"), ram);
        EXPECT_TRUE(kernel.entry >= kernel.begin && kernel.entry < kernel.end) << name;
        EXPECT_NO_THROW(place_initrd(kernel, ram, 16 << 20)) << name;
    }
    if (found == 0) GTEST_SKIP() << "NOT TESTED: no guest kernels in " << build / "guest";
}

}  // namespace
}  // namespace farcall::test
