// SPDX-License-Identifier: MIT
// The initial RAM disk and what is packed into it.
#include <elf.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/error_sentence.h"
#include "tests/test_client.h"
#include "vmm/elf_needs.h"
#include "vmm/program_packer.h"

namespace farcall::test {
namespace {

namespace fs = std::filesystem;
using namespace vmm;
using testing::HasSubstr;

struct CpioEntry {
    unsigned mode = 0;
    unsigned major = 0, minor = 0;
    std::string content;
};

// Reads a newc archive by the format's description; every entry must be where the one before it says.
std::map<std::string, CpioEntry> parse(const std::string& archive) {
    std::map<std::string, CpioEntry> entries;
    size_t at = 0;
    while (at + 110 <= archive.size()) {
        EXPECT_EQ(archive.substr(at, 6), "070701") << "at " << at;
        if (archive.substr(at, 6) != "070701") break;
        const auto field = [&](unsigned i) {
            return static_cast<unsigned>(std::stoul(archive.substr(at + 6 + 8 * i, 8), nullptr, 16));
        };
        const std::string name = archive.substr(at + 110, field(11) - 1);
        EXPECT_EQ(archive[at + 110 + field(11) - 1], '\0');
        const size_t data = (at + 110 + field(11) + 3) / 4 * 4;
        if (name == "TRAILER!!!") {
            EXPECT_EQ(data, archive.size());
            return entries;
        }
        entries[name] = {field(1), field(9), field(10), archive.substr(data, field(6))};
        at = (data + field(6) + 3) / 4 * 4;
    }
    ADD_FAILURE() << "no trailer";
    return entries;
}

std::string archive_of(const Initramfs& image) {
    std::string out(image.bytes(), '?');
    image.write(std::as_writable_bytes(std::span(out)));
    return out;
}

TEST(Initramfs, ComesBackAsItWasAdded) {
    const TempDir dir;
    dir.write("host", std::string(1001, 'h'));
    dir.write("nothing", "");
    Initramfs image;
    image.add_symlink("/bin", "usr/bin");
    image.add_file("/bin/tool", 0755, "abc");  // through the link
    image.add_host_file("/data/deep/host", 0640, dir.path() / "host");
    image.add_host_file("/data/nothing", 0644, dir.path() / "nothing");
    image.add_character_device("/dev/null", 0666, 1, 3);
    const std::string archive = archive_of(image);
    auto entries = parse(archive);
    EXPECT_EQ(entries["bin"].content, "usr/bin");
    EXPECT_TRUE(S_ISLNK(entries["bin"].mode));
    EXPECT_EQ(entries["usr/bin/tool"].content, "abc");
    EXPECT_EQ(entries["usr/bin/tool"].mode, S_IFREG | 0755u);
    EXPECT_EQ(entries["data/deep"].mode, S_IFDIR | 0755u);
    EXPECT_EQ(entries["data/deep/host"].content, std::string(1001, 'h'));
    EXPECT_EQ(entries["data/nothing"].content, "");
    EXPECT_EQ(entries["dev/null"].mode, S_IFCHR | 0666u);
    EXPECT_EQ(entries["dev/null"].minor, 3u);
    EXPECT_EQ(entries.size(), 10u);
    EXPECT_EQ(archive, archive_of(image)) << "the same entries give the same bytes";
}

TEST(Initramfs, RefusesWhatCannotBe) {
    const TempDir dir;
    dir.write("host", "12345678");
    Initramfs image;
    image.add_file("/file", 0644, "");
    EXPECT_THAT(sentence([&] { image.add_file("/file/below", 0644, ""); }), HasSubstr("'/file/below'"));
    EXPECT_THAT(sentence([&] { image.add_directory("/file"); }), HasSubstr("'/file'"));
    EXPECT_THAT(sentence([&] { image.add_file("relative", 0644, ""); }), HasSubstr("'relative'"));
    EXPECT_THAT(sentence([&] { image.add_host_file("/x", 0644, "/nonexistent"); }),
                HasSubstr("'/nonexistent'"));
    EXPECT_THAT(sentence([&] { image.add_host_file("/x", 0644, "/dev"); }), HasSubstr("not a regular file"));
    image.add_symlink("/a", "/b");
    image.add_symlink("/b", "/a");
    EXPECT_THAT(sentence([&] { image.add_file("/a/x", 0644, ""); }), HasSubstr("symbolic links"));
    for (const char* text :
         {"1234", "1234567890"}) {  // the file shrinks, or grows, after its size was counted
        Initramfs other;
        dir.write("host", "12345678");
        other.add_host_file("/host", 0644, dir.path() / "host");
        dir.write("host", text);
        EXPECT_THAT(sentence([&] { archive_of(other); }), HasSubstr("/host'")) << text;
    }
}

TEST(Initramfs, ABaseComesFirst) {
    const TempDir dir;
    Initramfs base;
    base.add_file("/base", 0644, "base");
    dir.write("base", archive_of(base));
    Initramfs image;
    image.add_base(dir.path() / "base");
    image.add_file("/own", 0644, "own");
    const std::string archive = archive_of(image);
    const size_t own = (base.bytes() + 511) / 512 * 512;
    EXPECT_EQ(parse(archive.substr(0, base.bytes())).count("base"), 1u);
    EXPECT_EQ(parse(archive.substr(own))["own"].content, "own");
}

// A small ELF file that needs the libraries of `needed`, with `runpath`.
std::string make_elf(const std::vector<std::string>& needed, const std::string& runpath,
                     unsigned dynamics = 1) {
    std::string strings(1, '\0');
    std::vector<Elf64_Dyn> dynamic;
    const auto add = [&](Elf64_Sxword tag, const std::string& text) {
        dynamic.push_back({tag, {strings.size()}});
        strings += text + '\0';
    };
    for (const std::string& name : needed)
        add(DT_NEEDED, name);
    if (!runpath.empty()) add(DT_RUNPATH, runpath);
    const size_t dynamic_at = sizeof(Elf64_Ehdr) + (1 + dynamics) * sizeof(Elf64_Phdr);
    const size_t strings_at = dynamic_at + (dynamic.size() + 2) * sizeof(Elf64_Dyn);
    dynamic.push_back({DT_STRTAB, {strings_at}});
    dynamic.push_back({DT_NULL, {0}});
    Elf64_Ehdr header{};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<Elf64_Half>(1 + dynamics);
    std::string out;
    const auto append = [&](const auto& value) {
        out.append(reinterpret_cast<const char*>(&value), sizeof value);
    };
    append(header);
    const uint64_t bytes = strings_at + strings.size();
    append(Elf64_Phdr{PT_LOAD, 4, 0, 0, 0, bytes, bytes, 4096});
    for (unsigned i = 0; i < dynamics; i++) {
        const uint64_t size = dynamic.size() * sizeof(Elf64_Dyn);
        append(Elf64_Phdr{PT_DYNAMIC, 4, dynamic_at, dynamic_at, dynamic_at, size, size, 8});
    }
    for (const Elf64_Dyn& entry : dynamic)
        append(entry);
    return out + strings;
}

TEST(ElfNeeds, OfRealPrograms) {
    const auto needs = read_elf_needs(InputFile("/bin/ls", "program"));
    ASSERT_TRUE(needs);
    EXPECT_THAT(needs->needed, testing::Contains(testing::StartsWith("libc.")));
    EXPECT_THAT(needs->interpreter, HasSubstr("/ld-"));
    EXPECT_FALSE(read_elf_needs(InputFile("/etc/passwd", "program")));
}

TEST(ElfNeeds, HostileFilesNeitherCrashNorHang) {
    const TempDir dir;
    const uint32_t seed = test_seed();
    SCOPED_TRACE("FARCALL_TEST_SEED=" + std::to_string(seed));
    std::mt19937 random(seed);
    std::ifstream in("/bin/ls", std::ios::binary);
    const std::string real(std::istreambuf_iterator<char>(in), {});
    const std::string small = make_elf({"libc.so.6", "libm.so.6"}, "$ORIGIN/lib");
    unsigned read = 0, refused = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(700);
    while (std::chrono::steady_clock::now() < end) {
        std::string image = random() % 4 == 0 ? real : small;
        for (unsigned changes = 1 + random() % 4; changes > 0; changes--)
            image[random() % std::min<size_t>(image.size(), 1024)] = static_cast<char>(random());
        if (random() % 4 == 0) image.resize(random() % image.size());
        if (image.empty()) continue;
        dir.write("elf", image);
        try {
            read_elf_needs(InputFile(dir.path() / "elf", "program"));
            read++;
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr("/elf'"));
            refused++;
        }
    }
    EXPECT_GT(read, 0u);
    EXPECT_GT(refused, 0u);
    // Many dynamic sections that share their names would ask for gigabytes.
    dir.write("many", make_elf(std::vector<std::string>(4000, std::string(4000, 'l')), "", 200));
    EXPECT_THAT(sentence([&] { read_elf_needs(InputFile(dir.path() / "many", "program")); }),
                HasSubstr("damaged"));
}

// Packs `program` as a library closure does, and returns what is in the image.
std::map<std::string, CpioEntry> pack_tree(const fs::path& tree) {
    Initramfs image;
    ProgramPacker(image).add(tree, "/tree");
    return parse(archive_of(image));
}

TEST(ProgramPacker, ProgramsBringTheirLibraries) {
    Initramfs image;
    ProgramPacker packer(image);
    const std::string path = packer.add_program("ls");
    EXPECT_TRUE(image.contains(path));
    const auto entries = parse(archive_of(image));
    bool libc = false, linker = false;
    for (const auto& [name, entry] : entries) {
        libc = libc || (name.find("/libc.") != std::string::npos && entry.content.starts_with(ELFMAG));
        linker = linker || (name.find("/ld-") != std::string::npos && entry.content.starts_with(ELFMAG));
    }
    EXPECT_TRUE(libc);
    EXPECT_TRUE(linker);
    EXPECT_THAT(sentence([&] { packer.add_program("no-such-program"); }), HasSubstr("'no-such-program'"));
}

TEST(ProgramPacker, LinksInATreeStayLinks) {
    const TempDir dir;
    fs::create_directories(dir.path() / "t/real");
    dir.write("t/real/file", "text");
    // Followed, these would be a tree of 2 to the power of 40 directories.
    fs::create_symlink(".", dir.path() / "t/loop");
    fs::create_symlink("..", dir.path() / "t/real/up");
    fs::create_symlink("real", dir.path() / "t/alias");
    fs::create_symlink("nowhere", dir.path() / "t/dangling");
    auto entries = pack_tree(dir.path() / "t");
    EXPECT_EQ(entries["tree/real/file"].content, "text");
    EXPECT_EQ(entries["tree/loop"].content, ".");
    EXPECT_EQ(entries["tree/alias"].content, "real");
    EXPECT_EQ(entries["tree/dangling"].content, "nowhere");
    // What the user names is followed: a link alone would lead nowhere in the guest.
    EXPECT_EQ(pack_tree(dir.path() / "t/real/file")["tree"].content, "text");
    fs::create_symlink("real/file", dir.path() / "t/one");
    EXPECT_EQ(pack_tree(dir.path() / "t/one")["tree"].content, "text");
}

// A directory in `parent`, whatever TMPDIR says.
TempDir directory_in(const char* parent) {
    const char* before = getenv("TMPDIR");
    const std::string kept = before == nullptr ? "" : before;
    setenv("TMPDIR", parent, 1);
    struct Restore {
        const std::string& value;
        ~Restore() { value.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", value.c_str(), 1); }
    } restore{kept};
    return {};
}

TEST(ProgramPacker, LibrariesBelowTmpAreRefused) {
    const TempDir dir = directory_in("/tmp");  // the guest mounts something over it
    dir.write("libown.so", make_elf({}, ""));
    dir.write("program", make_elf({"libown.so"}, "$ORIGIN"));
    fs::permissions(dir.path() / "program", fs::perms(0755));
    Initramfs image;
    EXPECT_THAT(sentence([&] { ProgramPacker(image).add_program(dir.path() / "program"); }),
                HasSubstr("libown.so' would be hidden"));
    dir.write("program", make_elf({}, ""));  // alone it moves
    EXPECT_EQ(ProgramPacker(image).add_program(dir.path() / "program"), "/farcall/bin/program");
    EXPECT_TRUE(image.contains("/farcall/bin/program"));
}

TEST(ProgramPacker, LibrariesBesideTheProgram) {
    const TempDir dir = directory_in("/var/tmp");
    const fs::path odd = dir.path() / "$ORIGIN";  // a name that must not be taken for the token again
    fs::create_directory(odd);
    dir.write("$ORIGIN/libown.so", make_elf({}, ""));
    dir.write("$ORIGIN/program", make_elf({"libown.so"}, "$ORIGIN:${ORIGIN}/x"));
    fs::create_symlink("program", odd / "name");
    Initramfs image;
    ProgramPacker packer(image);
    packer.add(odd / "name", "/program");
    EXPECT_TRUE(image.contains(odd / "libown.so"));
    dir.write("$ORIGIN/broken", make_elf({"libmissing.so"}, "$ORIGIN"));
    EXPECT_THAT(sentence([&] { packer.add(odd / "broken", "/broken"); }), HasSubstr("libmissing.so"));
    // Libraries that need each other.
    dir.write("$ORIGIN/libown.so", make_elf({"libother.so"}, "$ORIGIN"));
    dir.write("$ORIGIN/libother.so", make_elf({"libown.so"}, "$ORIGIN"));
    Initramfs again;
    ProgramPacker(again).add(odd / "program", "/program");
    EXPECT_TRUE(again.contains(odd / "libother.so"));
}

}  // namespace
}  // namespace farcall::test
