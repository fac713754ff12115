// SPDX-License-Identifier: MIT
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "guest-lib/preload/load.h"

namespace farcall::preload {

bool is_static_program(int fd) {
    u8 head[2048];
    struct stat status = {};
    const i64 got = sys::call(__NR_pread64, fd, head, sizeof(head), 0);
    if (got < static_cast<i64>(sizeof(Elf64_Ehdr)) || sys::call(__NR_fstat, fd, &status) != 0) return false;
    if ((status.st_mode & (S_ISUID | S_ISGID)) != 0 || !S_ISREG(status.st_mode)) return false;
    const Object object = Object::of_file(head, static_cast<u64>(got));
    return object.valid() && object.find(PT_LOAD) != nullptr && object.find(PT_INTERP) == nullptr;
}

bool is_static_program(const char* path) {
    const i64 fd = sys::call(__NR_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (failed(fd)) return false;
    const bool result = is_static_program(static_cast<int>(fd));
    sys::call(__NR_close, fd);
    return result && sys::call(__NR_access, path, 1 /* X_OK */) == 0;
}

}  // namespace farcall::preload
