// SPDX-License-Identifier: MIT
// farcall-exec: starts a program so that its system calls are seen. A dynamically linked one gets
// libfarcall-preload.so; a statically linked one is loaded into this very process, under Syscall User
// Dispatch.
#include <asm/errno.h>
#include <linux/auxvec.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>

#include "guest-lib/preload/config.h"
#include "guest-lib/preload/dispatch.h"
#include "guest-lib/preload/exec.h"
#include "guest-lib/preload/fork_state.h"
#include "guest-lib/preload/load.h"
#include "guest-lib/preload/patch.h"
#include "guest-lib/preload/watch.h"

namespace farcall::preload {

namespace {

constexpr int kUnusable = 125, kNotExecutable = 126, kNotFound = 127;
constexpr u64 kMaxPath = 1024;

struct Start {
    u64 entry;
    u64 stack;
};

[[noreturn]] void fail(const char* what, const char* why, int status) {
    char line[kMaxPath + 128];
    Text text(line, sizeof(line));
    text.put("farcall-exec: ").put(what).put(": ").put(why).put('\n');
    write_all(2, text.data(), text.size());
    for (;;)
        sys::call(__NR_exit_group, status);
}

const char* variable(char** environment, const char* name) {
    for (; *environment != nullptr; environment++)
        if (starts_with(*environment, name)) return *environment + length(name);
    return nullptr;
}

bool executable(const char* path) {
    return sys::call(__NR_access, path, 1 /* X_OK */) == 0;
}

/// As a shell finds it.
void find_program(const char* name, char** environment, char* path) {
    for (const char* c = name; *c != 0; c++) {
        if (*c != '/') continue;
        Text(path, kMaxPath - 1).put(name).put('\0');
        return;
    }
    const char* list = variable(environment, "PATH=");
    for (const char* at = list != nullptr ? list : "/usr/local/bin:/usr/bin:/bin"; *at != 0;) {
        u64 bytes = 0;
        while (at[bytes] != 0 && at[bytes] != ':')
            bytes++;
        Text(path, kMaxPath - 1).put(at, bytes).put(bytes > 0 ? "/" : "./").put(name).put('\0');
        if (executable(path)) return;
        at += at[bytes] == ':' ? bytes + 1 : bytes;
    }
    fail(name, "not found", kNotFound);
}

/// The library lies beside this program.
void complete_config() {
    char self[kMaxPath];
    const i64 bytes = sys::call(__NR_readlink, "/proc/self/exe", self, sizeof(self) - 64);
    if (failed(bytes)) return;
    self[bytes] = 0;
    if (config.launcher == nullptr) set_launcher(self);
    if (config.library != nullptr) return;
    u64 directory = static_cast<u64>(bytes);
    while (directory > 0 && self[directory - 1] != '/')
        directory--;
    Text(self + directory, sizeof(self) - directory - 1).put("libfarcall-preload.so").put('\0');
    if (sys::call(__NR_access, self, 4 /* R_OK */) == 0) set_library(self);
}

[[noreturn]] void execute(const char* path, char** words, char** environment) {
    Call call{};
    call.number = __NR_execve;
    call.args[0] = reinterpret_cast<u64>(path);
    call.args[1] = reinterpret_cast<u64>(words);
    call.args[2] = reinterpret_cast<u64>(environment);
    config.launcher = nullptr;  // not back here; what is executed later has it from the environment
    if (on_execve(call) == Action::kPass) call.result = sys::call(__NR_execve, path, words, environment);
    fail(path, call.result == -ENOENT ? "not found" : "cannot be executed",
         call.result == -ENOENT ? kNotFound : kNotExecutable);
}

/// What /proc/self/exe would say.
void keep_name(int fd, const char* path) {
    static char absolute[kMaxPath];
    char link[40];
    Text(link, sizeof(link)).put("/proc/self/fd/").decimal(fd).put('\0');
    const i64 bytes = sys::call(__NR_readlink, link, absolute, sizeof(absolute) - 1);
    config.program = failed(bytes) ? path : absolute;
}

void set_vector(u64* vector, const LoadedProgram& program, const char* path) {
    for (; vector[0] != AT_NULL; vector += 2) {
        switch (vector[0]) {
            case AT_PHDR:
                vector[1] = program.headers;
                break;
            case AT_PHNUM:
                vector[1] = program.header_count;
                break;
            case AT_ENTRY:
                vector[1] = program.entry;
                break;
            case AT_BASE:
                vector[1] = 0;
                break;
            case AT_EXECFN:
                vector[1] = reinterpret_cast<u64>(path);
                break;
            default:
                break;
        }
    }
}

/// The program's own stack: this one without our words, aligned as the kernel does it.
u64* make_stack(u64* stack, u64 dropped, u64* end) {
    u64* begin = stack + dropped;
    begin[0] = stack[0] - dropped;
    if (reinterpret_cast<u64>(begin) % 16 == 0) return begin;
    memmove(begin - 1, begin, static_cast<u64>(end - begin) * sizeof(u64));
    return begin - 1;
}

}  // namespace

extern "C" Start fc_exec_main(u64* stack) {
    static char path[kMaxPath];
    char** words = reinterpret_cast<char**>(stack + 1);
    char** environment = words + stack[0] + 1;
    u64 dropped = 1;
    if (stack[0] > 3 && equal(words[1], "--name")) dropped = 3;
    if (stack[0] <= dropped) fail("usage", "farcall-exec [--name NAME] PROGRAM [ARGUMENT...]", kUnusable);
    find_program(words[dropped], environment, path);
    char* const original = words[dropped];
    if (dropped == 3) words[3] = words[2];
    const bool wanted = take_config(environment, false) && make_fork_state();
    complete_config();
    const bool first = !config.inherited;
    const i64 fd = sys::call(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    LoadedProgram program;
    if (wanted) begin_run();
    if (!wanted || failed(fd) || !executable(path) || !is_static_program(static_cast<int>(fd)))
        execute(path, words + dropped, environment);
    // Children of the program's that are not seen coming (vfork) find all they need in its environment: so it
    // must be there.
    if (first && config.launcher != nullptr) {
        if (dropped == 3) words[3] = original;
        execute(config.launcher, words, environment);
    }
    set_report(config.report);
    if (!load_program(static_cast<int>(fd), path, program)) execute(path, words + dropped, environment);
    keep_name(static_cast<int>(fd), path);
    sys::call(__NR_close, fd);
    start_watching();
    const char* name = path;
    for (const char* c = path; *c != 0; c++)
        if (*c == '/') name = c + 1;
    sys::call(__NR_prctl, PR_SET_NAME, name);
    u64* vector = reinterpret_cast<u64*>(environment);
    while (*vector++ != 0) {
    }
    set_vector(vector, program, path);
    u64* end = vector;
    while (end[0] != AT_NULL)
        end += 2;
    u64* const start = make_stack(stack, dropped, end + 2);
    if (!start_dispatch()) fail(path, "this kernel has no Syscall User Dispatch", kUnusable);
    return {program.entry, reinterpret_cast<u64>(start)};
}

}  // namespace farcall::preload
