// SPDX-License-Identifier: MIT
#include "guest-lib/preload/where.h"

#include <asm/statfs.h>
#include <linux/fcntl.h>

#include <initializer_list>

#include "guest-lib/preload/config.h"

namespace farcall::preload {

namespace {

constexpr u64 kMaxMounts = 64;
constexpr u64 kMaxPath = 256;
constexpr u32 kDescriptors = 65536;

struct Mount {
    char path[kMaxPath];
    u64 bytes;
    u64 type;
    bool host;
};

enum Place : u8 { kUnknown, kElsewhere, kHost };

// Mounts of the host's, and others below those.
Mount mounts[kMaxMounts];
u64 mount_count = 0;
u8 descriptors[kDescriptors];
u8 working_directory = kUnknown;

bool holds(const Mount& mount, const char* path) {
    if (memcmp(path, mount.path, mount.bytes) != 0) return false;
    return mount.bytes == 1 || path[mount.bytes] == 0 || path[mount.bytes] == '/';
}

const Mount* mount_of(const char* path) {
    const Mount* best = nullptr;
    const u64 bytes = length(path);
    for (u64 i = 0; i < mount_count; i++)
        if (mounts[i].bytes <= bytes && holds(mounts[i], path) &&
            (best == nullptr || mounts[i].bytes >= best->bytes))
            best = &mounts[i];
    return best;
}

u8 place_of_type(i64 error, const struct statfs& status) {
    if (error != 0) return kElsewhere;
    for (u64 i = 0; i < mount_count; i++)
        if (mounts[i].host && mounts[i].type == static_cast<u64>(status.f_type)) return kHost;
    return kElsewhere;
}

u8 place_of_path(const char* path) {
    struct statfs status = {};
    return place_of_type(sys::call(__NR_statfs, path, &status), status);
}

// In /proc/self/mountinfo a space is \040.
u64 unescape(const char* from, u64 bytes, char* to) {
    u64 n = 0;
    for (u64 i = 0; i < bytes && n + 1 < kMaxPath; i++) {
        if (from[i] == '\\' && i + 3 < bytes) {
            to[n++] =
                static_cast<char>((from[i + 1] - '0') * 64 + (from[i + 2] - '0') * 8 + (from[i + 3] - '0'));
            i += 3;
        } else {
            to[n++] = from[i];
        }
    }
    to[n] = 0;
    return n;
}

/// The word that begins after `skip` spaces, up to the next; nullptr: the line is shorter.
const char* field(const char* line, const char* end, int skip, u64& bytes) {
    for (; line < end && skip > 0; line++)
        skip -= *line == ' ' ? 1 : 0;
    bytes = 0;
    while (line + bytes < end && line[bytes] != ' ')
        bytes++;
    return skip == 0 && bytes > 0 ? line : nullptr;
}

bool is_host_type(const char* type, u64 bytes) {
    const char* wanted = config.fstype != nullptr ? config.fstype : "farcall";
    return type != nullptr && bytes == length(wanted) && memcmp(type, wanted, bytes) == 0;
}

/// A line of mountinfo: the host's mounts at the first reading, what covers parts of them at the second.
void take_mount(const char* line, const char* end, bool host) {
    if (mount_count == kMaxMounts) return;
    u64 path_bytes = 0, type_bytes = 0;
    const char* path = field(line, end, 4, path_bytes);
    const char* separator = line;
    while (separator + 3 < end && memcmp(separator, " - ", 3) != 0)
        separator++;
    if (path == nullptr || separator + 3 >= end) return;
    const char* type = field(separator + 3, end, 0, type_bytes);
    Mount& mount = mounts[mount_count];
    mount.host = is_host_type(type, type_bytes);
    mount.bytes = unescape(path, path_bytes, mount.path);
    if (mount.host != host || (!host && mount_of(mount.path) == nullptr)) return;
    struct statfs status = {};
    mount.type = sys::call(__NR_statfs, mount.path, &status) == 0 ? static_cast<u64>(status.f_type) : 0;
    mount_count++;
}

bool climbs(const char* path) {
    for (; *path != 0; path++)
        if (path[0] == '.' && path[1] == '.') return true;
    return false;
}

}  // namespace

void read_mounts() {
    constexpr u64 kBytes = 1 << 20;
    const i64 fd = sys::call(__NR_openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
    char* text = failed(fd) ? nullptr : static_cast<char*>(map_memory(kBytes));
    if (text == nullptr) return;
    u64 used = 0;
    i64 n = 0;
    while (used < kBytes && (n = sys::call(__NR_read, fd, text + used, kBytes - used)) > 0)
        used += static_cast<u64>(n);
    sys::call(__NR_close, fd);
    for (const bool host : {true, false}) {
        u64 end = 0;
        for (u64 begin = 0; begin < used; begin = end + 1) {
            end = begin;
            while (end < used && text[end] != '\n')
                end++;
            take_mount(text + begin, text + end, host);
        }
    }
    unmap_memory(text, kBytes);
}

namespace {

/// A path with "..": asked for. What is gone by now was where its directory is, and when that is gone too,
/// where we are.
u8 place_of_climbing(const char* path) {
    char parent[kMaxPath * 4];
    struct statfs status = {};
    u64 bytes = length(path);
    if (sys::call(__NR_statfs, path, &status) == 0) return place_of_type(0, status);
    while (bytes > 1 && path[bytes - 1] != '/')
        bytes--;
    if (bytes < sizeof(parent)) {
        memcpy(parent, path, bytes);
        parent[bytes] = 0;
        if (sys::call(__NR_statfs, parent, &status) == 0) return place_of_type(0, status);
    }
    return path[0] == '/' ? u8{kElsewhere} : working_directory;
}

}  // namespace

bool is_host_path(const char* path) {
    if (mount_count == 0) return false;
    if (climbs(path)) return place_of_climbing(path) == kHost;
    if (path[0] == '/') {
        const Mount* mount = mount_of(path);
        return mount != nullptr && mount->host;
    }
    if (working_directory == kUnknown) working_directory = place_of_path(".");
    return working_directory == kHost;
}

bool is_host_path_at(int directory, const char* path) {
    if (directory == AT_FDCWD || path[0] == '/') return is_host_path(path);
    return is_host_descriptor(static_cast<u32>(directory));
}

bool is_host_descriptor(u32 fd) {
    if (fd >= kDescriptors) return false;
    u8 place = __atomic_load_n(&descriptors[fd], __ATOMIC_RELAXED);
    if (place == kUnknown && mount_count > 0) {
        struct statfs status = {};
        place = place_of_type(sys::call(__NR_fstatfs, fd, &status), status);
        // A number that is not open may be so at any time, by a call that is not looked at.
        if (sys::call(__NR_fcntl, fd, F_GETFD) >= 0)
            __atomic_store_n(&descriptors[fd], place, __ATOMIC_RELAXED);
    }
    return place == kHost;
}

void forget_descriptor(u32 fd) {
    if (fd < kDescriptors) __atomic_store_n(&descriptors[fd], kUnknown, __ATOMIC_RELAXED);
}

void forget_descriptors(u32 first, u32 last) {
    for (u32 fd = first; fd <= last && fd < kDescriptors; fd++)
        forget_descriptor(fd);
}

void copy_descriptor(u32 from, u32 to) {
    if (from < kDescriptors && to < kDescriptors)
        __atomic_store_n(&descriptors[to], descriptors[from], __ATOMIC_RELAXED);
}

void note_host_socket(u32 fd) {
    if (fd < kDescriptors) __atomic_store_n(&descriptors[fd], kHost, __ATOMIC_RELAXED);
}

void forget_working_directory() {
    working_directory = kUnknown;
}

}  // namespace farcall::preload
