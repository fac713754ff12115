// SPDX-License-Identifier: MIT
// The library's one entry: the loader runs it before any other constructor (-z initfirst), when the process
// has one thread.
#include "guest-lib/preload/config.h"
#include "guest-lib/preload/fork_state.h"
#include "guest-lib/preload/objects.h"
#include "guest-lib/preload/watch.h"

extern "C" {
// glibc calls constructors with main()'s arguments, musl without any.
[[gnu::weak]] const char* gnu_get_libc_version();
[[gnu::weak]] extern char** environ;
}

namespace farcall::preload {

namespace {

// Slots are filled while nobody runs the code that is patched; with other threads that cannot be known.
bool alone() {
    char text[4096];
    const i64 fd =
        sys::call(__NR_openat, -100 /* AT_FDCWD */, "/proc/self/stat", 02000000 /* O_RDONLY|O_CLOEXEC */);
    if (failed(fd)) return true;  // no /proc: early, and so alone
    const i64 bytes = sys::call(__NR_read, fd, text, sizeof(text) - 1);
    sys::call(__NR_close, fd);
    if (bytes <= 0) return true;
    text[bytes] = 0;
    const char* field = text + bytes;
    while (field > text && *field != ')')
        field--;
    for (int spaces = 0; *field != 0 && spaces < 18;
         field++)  // num_threads is the 18th field behind the name
        spaces += *field == ' ' ? 1 : 0;
    return field[0] == '1' && field[1] == ' ';
}

}  // namespace

extern "C" [[gnu::constructor, gnu::used]] void fc_start(int, char**, char** arguments_environment) {
    char** environment = gnu_get_libc_version != nullptr ? arguments_environment : environ;
    if (environment == nullptr || !take_config(environment) || !make_fork_state() || !alone()) return;
    set_report(config.report);
    start_watching();
    patch_loaded_objects();
}

}  // namespace farcall::preload
