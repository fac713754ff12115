// SPDX-License-Identifier: MIT
#include "guest-lib/preload/summary.h"

#include <linux/fcntl.h>
#include <linux/mman.h>

#include "guest-lib/preload/calls.h"
#include "guest-lib/preload/config.h"

namespace farcall::preload {

namespace {

constexpr u64 kMaxPrograms = 128;
constexpr u64 kNameBytes = 64;

struct Counts {
    u64 host;
    u64 other;
    u64 errors;
};

/// One program, with all processes that run it, forked or executed.
struct Program {
    u32 state;  // 0 free, 1 being named, 2 named
    u32 started;
    char name[kNameBytes - 8];
    Counts calls[kCalls];
};

struct Shared {
    Program programs[kMaxPrograms];
};

Shared* shared = nullptr;
Program* program = nullptr;

/// The file's name without its directory: what runs, however it was called.
void own_name(char* name) {
    char path[1024];
    if (config.program != nullptr) {
        Text(path, sizeof(path) - 1).put(config.program).put('\0');
    } else {
        const i64 bytes = sys::call(__NR_readlink, "/proc/self/exe", path, sizeof(path) - 1);
        path[failed(bytes) ? 0 : bytes] = 0;
    }
    const char* last = path;
    for (const char* at = path; *at != 0; at++)
        if (*at == '/') last = at + 1;
    u64 n = 0;
    for (; last[n] != 0 && n + 1 < sizeof(Program::name); n++)
        name[n] = last[n];
    name[n] = 0;
}

void put_counts_path(char* path, u64 bytes) {
    Text(path, bytes - 1).put(config.summary).put(".counts").put('\0');
}

Program* find_program(const char* name) {
    for (Program& each : shared->programs) {
        u32 state = 0;
        if (__atomic_compare_exchange_n(&each.state, &state, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)) {
            memcpy(each.name, name, length(name) + 1);
            __atomic_store_n(&each.state, 2, __ATOMIC_RELEASE);
            return &each;
        }
        // Killed in the middle of it: that place stays empty.
        for (int turns = 0; state == 1 && turns < 1000; turns++) {
            sys::call(__NR_sched_yield);
            state = __atomic_load_n(&each.state, __ATOMIC_ACQUIRE);
        }
        if (state == 2 && equal(each.name, name)) return &each;
    }
    return nullptr;
}

/// Lines up to the end of the buffer are written out in one piece.
void write_program(int fd, const Program& each) {
    char buffer[1024];
    Text text(buffer, sizeof(buffer));
    Counts total{};
    for (const Counts& counts : each.calls) {
        total.host += counts.host;
        total.other += counts.other;
        total.errors += counts.errors;
    }
    text.put(each.name)
        .put(": ")
        .unsigned_decimal(total.host)
        .put(" calls offloaded, ")
        .unsigned_decimal(total.other);
    text.put(" not; started ").unsigned_decimal(each.started).put(each.started == 1 ? " time\n" : " times\n");
    text.put("  offloaded      errors         not  call\n");
    for (u32 number = 0; number < kCalls; number++) {
        const Counts& counts = each.calls[number];
        if (counts.host == 0 && counts.other == 0) continue;
        if (text.room() < 100) {
            write_all(fd, text.data(), text.size());
            text.clear();
        }
        text.right(counts.host, 11).right(counts.errors, 12).right(counts.other, 12).put("  ");
        if (call_name(number) != nullptr)
            text.put(call_name(number)).put('\n');
        else
            text.put("call ").unsigned_decimal(number).put('\n');
    }
    write_all(fd, text.put('\n').data(), text.size());
}

}  // namespace

void begin_summary() {
    char path[1024];
    put_counts_path(path, sizeof(path));
    sys::call(__NR_unlink, path);
}

void open_summary() {
    char path[1024];
    put_counts_path(path, sizeof(path));
    i64 fd = sys::call(__NR_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (failed(fd)) return;
    i64 memory = -1;
    if (sys::call(__NR_ftruncate, fd, sizeof(Shared)) == 0)
        memory = sys::call(__NR_mmap, 0, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    sys::call(__NR_close, fd);
    if (failed(memory)) return;
    shared = reinterpret_cast<Shared*>(memory);
    char name[sizeof(Program::name)];
    own_name(name);
    program = find_program(name);
    if (program != nullptr) __atomic_fetch_add(&program->started, 1, __ATOMIC_RELAXED);
}

void count_call(u32 number, bool host, bool error) {
    if (program == nullptr) return;
    Counts& counts = program->calls[number];
    __atomic_fetch_add(host ? &counts.host : &counts.other, 1, __ATOMIC_RELAXED);
    if (host && error) __atomic_fetch_add(&counts.errors, 1, __ATOMIC_RELAXED);
}

void write_summary() {
    if (program == nullptr) return;
    // Under a name of its own first: others may be writing theirs.
    char path[1024];
    Text text(path, sizeof(path) - 1);
    text.put(config.summary).put('.').decimal(sys::call(__NR_getpid)).put('\0');
    const i64 fd = sys::call(__NR_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (failed(fd)) return;
    for (const Program& each : shared->programs)
        if (__atomic_load_n(&each.state, __ATOMIC_ACQUIRE) == 2) write_program(static_cast<int>(fd), each);
    sys::call(__NR_close, fd);
    sys::call(__NR_rename, path, config.summary);
}

}  // namespace farcall::preload
