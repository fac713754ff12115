// SPDX-License-Identifier: MIT
#include "guest-lib/preload/objects.h"

#include <asm/stat.h>
#include <linux/auxvec.h>
#include <linux/mman.h>

#include "guest-lib/preload/fork_state.h"

extern "C" {
struct dl_phdr_info;
// The program's libc: only called while the library is loaded. Weak, so that this library needs no particular
// libc.
[[gnu::weak]] int dl_iterate_phdr(int (*callback)(dl_phdr_info*, decltype(sizeof(0)), void*), void* data);
[[gnu::weak]] unsigned long getauxval(unsigned long type);
}

namespace farcall::preload {

namespace {

constexpr u64 kMaxObjects = 1024;
constexpr u64 kMaxName = 256;

// The table grows from the front and keeps its holes, so that readers need no lock: begin is written last.
Patched objects[kMaxObjects];
u64 object_count = 0;
bool stopped = false;

void remember(const Patched& patched) {
    u64 i = 0;
    while (i < object_count && objects[i].end != 0)
        i++;
    if (i == kMaxObjects) return;  // its slots stay for ever
    objects[i] = patched;
    if (i == object_count) __atomic_store_n(&object_count, i + 1, __ATOMIC_RELEASE);
}

// The start of what every libc's struct dl_phdr_info has.
struct Loaded {
    u64 base;
    const char* name;
    const Elf64_Phdr* headers;
    u16 count;
};

int protection_of(const Elf64_Phdr& segment) {
    return ((segment.p_flags & PF_R) != 0 ? PROT_READ : 0) |
           ((segment.p_flags & PF_W) != 0 ? PROT_WRITE : 0) | ((segment.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
}

bool worth_patching(const Elf64_Phdr& segment) {
    return segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && (segment.p_flags & PF_W) == 0 &&
           segment.p_filesz > 0;
}

int patch_loaded(dl_phdr_info* info, decltype(sizeof(0)), void* vdso) {
    const auto& loaded = *reinterpret_cast<const Loaded*>(info);
    const auto own = reinterpret_cast<u64>(fc_slots);
    if (reinterpret_cast<u64>(loaded.headers) / kPageBytes == reinterpret_cast<u64>(vdso) / kPageBytes)
        return 0;
    const Object object = Object::loaded(loaded.base, loaded.headers, loaded.count);
    for (u64 i = 0; i < loaded.count; i++) {
        const Elf64_Phdr& segment = loaded.headers[i];
        const u64 begin = loaded.base + segment.p_vaddr;
        if (!worth_patching(segment) || (own >= begin && own < begin + segment.p_memsz)) continue;
        Patched patched;
        patch_segment(object, segment, loaded.base, protection_of(segment),
                      loaded.name[0] != 0 ? loaded.name : "(program)", patched);
        if (patched.count > 0) remember(patched);
    }
    return 0;
}

/// A file for as long as it is looked at.
class MappedFile {
  public:
    explicit MappedFile(u64 fd) {
        struct stat status = {};
        if (sys::call(__NR_fstat, fd, &status) != 0 || status.st_size <= 0) return;
        bytes_ = static_cast<u64>(status.st_size);
        const i64 got = sys::call(__NR_mmap, 0, bytes_, PROT_READ, MAP_PRIVATE, fd, 0);
        if (!failed(got)) memory_ = reinterpret_cast<u8*>(got);
    }
    ~MappedFile() {
        if (memory_ != nullptr) unmap_memory(memory_, bytes_);
    }
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    Object object() const { return memory_ != nullptr ? Object::of_file(memory_, bytes_) : Object(); }

  private:
    u8* memory_ = nullptr;
    u64 bytes_ = 0;
};

void name_of(u64 fd, char* name) {
    char link[40];
    Text text(link, sizeof(link) - 1);
    text.put("/proc/self/fd/").unsigned_decimal(fd).put('\0');
    const i64 bytes = sys::call(__NR_readlink, link, name, kMaxName - 1);
    name[failed(bytes) ? 0 : bytes] = 0;
}

/// The segment whose pages are in the file from `offset` on.
const Elf64_Phdr* segment_at(const Object& object, u64 offset) {
    for (u64 i = 0; i < object.segment_count(); i++)
        if (worth_patching(object.segment(i)) &&
            object.segment(i).p_offset / kPageBytes == offset / kPageBytes)
            return &object.segment(i);
    return nullptr;
}

void patch_mapping(u64 address, u64 bytes, int protection, u64 fd, u64 offset) {
    const MappedFile file(fd);
    const Object object = file.object();
    const Elf64_Phdr* segment = object.valid() ? segment_at(object, offset) : nullptr;
    if (segment == nullptr || segment->p_offset % kPageBytes + segment->p_filesz > bytes) return;
    char name[kMaxName];
    name_of(fd, name);
    Patched patched;
    // The segment's address is congruent to its offset, by page.
    const u64 base = address + segment->p_offset % kPageBytes - segment->p_vaddr;
    patch_segment(object, *segment, base, protection, name, patched);
    if (patched.count > 0) remember(patched);
}

bool overlaps_patched(u64 begin, u64 bytes) {
    const u64 count = __atomic_load_n(&object_count, __ATOMIC_ACQUIRE);
    for (u64 i = 0; i < count; i++)
        if (objects[i].begin < begin + bytes && begin < objects[i].end) return true;
    return false;
}

}  // namespace

void patch_loaded_objects() {
    if (dl_iterate_phdr == nullptr) return;
    const u64 vdso = getauxval != nullptr ? getauxval(AT_SYSINFO_EHDR) : 0;
    dl_iterate_phdr(patch_loaded, reinterpret_cast<void*>(vdso));
}

Action on_mmap(Call& call) {
    const u64 protection = call.args[2], flags = call.args[3];
    const bool code = (protection & PROT_EXEC) != 0 && (protection & PROT_WRITE) == 0 &&
                      (flags & MAP_ANONYMOUS) == 0 && (flags & MAP_TYPE) == MAP_PRIVATE;
    if (!code || stopped || !lock(fork_state->patching)) return Action::kPass;
    call.result =
        sys::call6(__NR_mmap, call.args[0], call.args[1], protection, flags, call.args[4], call.args[5]);
    if (!failed(call.result))
        patch_mapping(static_cast<u64>(call.result), call.args[1], static_cast<int>(protection), call.args[4],
                      call.args[5]);
    unlock(fork_state->patching);
    return Action::kDone;
}

Action on_munmap(Call& call) {
    const u64 begin = call.args[0], bytes = call.args[1];
    if (!overlaps_patched(begin, bytes) || !lock(fork_state->patching)) return Action::kPass;
    call.result = sys::call(__NR_munmap, begin, bytes);
    for (u64 i = 0; call.result == 0 && i < object_count; i++) {
        if (objects[i].begin < begin || objects[i].end > begin + bytes || objects[i].end == 0) continue;
        put_back(objects[i].slots);
        objects[i] = {};
    }
    unlock(fork_state->patching);
    return Action::kDone;
}

void stop_patching() {
    stopped = true;
}

}  // namespace farcall::preload
