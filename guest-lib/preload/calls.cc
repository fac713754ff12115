// SPDX-License-Identifier: MIT
#include "guest-lib/preload/calls.h"

#include "guest-lib/preload/descriptors.h"
#include "guest-lib/preload/exec.h"
#include "guest-lib/preload/objects.h"
#include "guest-lib/preload/socket.h"

namespace farcall::preload {

namespace {

struct Table {
    CallRow rows[kCalls];

    constexpr void add(u32 number, const char* name, const char* pattern,
                       Action (*handler)(Call&) = nullptr) {
        rows[number] = {name, pattern, handler, false};
    }
    constexpr void opens(u32 number, const char* name, const char* pattern,
                         Action (*handler)(Call&) = nullptr) {
        rows[number] = {name, pattern, handler, true};
    }

    constexpr Table() : rows{} {
        data();
        descriptors();
        names();
        sockets();
        process();
    }
    constexpr void data();
    constexpr void descriptors();
    constexpr void names();
    constexpr void sockets();
    constexpr void process();
};

constexpr void Table::data() {
    add(__NR_read, "read", "fBu");
    add(__NR_write, "write", "fbu");
    add(__NR_pread64, "pread64", "fBul");
    add(__NR_pwrite64, "pwrite64", "fbul");
    add(__NR_readv, "readv", "fVi");
    add(__NR_writev, "writev", "fvi");
    add(__NR_preadv, "preadv", "fVil");
    add(__NR_pwritev, "pwritev", "fvil");
    add(__NR_preadv2, "preadv2", "fVilxx");
    add(__NR_pwritev2, "pwritev2", "fvilxx");
    add(__NR_sendfile, "sendfile", "ffOu");
    add(__NR_splice, "splice", "fOfOux");
    add(__NR_tee, "tee", "ffux");
    add(__NR_vmsplice, "vmsplice", "fvux");
    add(__NR_copy_file_range, "copy_file_range", "fOfOux");
    add(__NR_lseek, "lseek", "flw");
    add(__NR_getdents64, "getdents64", "fDu");
    add(__NR_getdents, "getdents", "fpu");
    add(__NR_fsync, "fsync", "f");
    add(__NR_fdatasync, "fdatasync", "f");
    add(__NR_syncfs, "syncfs", "f");
    add(__NR_sync_file_range, "sync_file_range", "fllx");
    add(__NR_ftruncate, "ftruncate", "fl");
    add(__NR_fallocate, "fallocate", "fxll");
    add(__NR_fadvise64, "fadvise64", "flui");
    add(__NR_readahead, "readahead", "flu");
    add(__NR_mmap, "mmap", "puTMfx", on_mmap);
    add(__NR_munmap, "munmap", "pu", on_munmap);
}

constexpr void Table::descriptors() {
    opens(__NR_open, "open", "Po");
    opens(__NR_openat, "openat", "dPo");
    opens(__NR_openat2, "openat2", "dPpu");
    opens(__NR_creat, "creat", "Pm");
    add(__NR_close, "close", "f", on_close);
    add(__NR_close_range, "close_range", "uux", on_close_range);
    opens(__NR_dup, "dup", "f");
    opens(__NR_dup2, "dup2", "ff", on_dup2);
    opens(__NR_dup3, "dup3", "ffo", on_dup2);
    add(__NR_fcntl, "fcntl", "fc", on_fcntl);
    add(__NR_flock, "flock", "fK");
    add(__NR_ioctl, "ioctl", "fxp");
    add(__NR_fstat, "fstat", "fS");
    add(__NR_fstatfs, "fstatfs", "fp");
    add(__NR_fchmod, "fchmod", "fm");
    add(__NR_fchown, "fchown", "fuu");
    add(__NR_fchdir, "fchdir", "f");
    add(__NR_fsetxattr, "fsetxattr", "fsbux");
    add(__NR_fgetxattr, "fgetxattr", "fsBu");
    add(__NR_flistxattr, "flistxattr", "fBu");
    add(__NR_fremovexattr, "fremovexattr", "fs");
    opens(__NR_memfd_create, "memfd_create", "sx");
}

constexpr void Table::names() {
    add(__NR_stat, "stat", "PS");
    add(__NR_lstat, "lstat", "PS");
    add(__NR_newfstatat, "newfstatat", "dPSF");
    add(__NR_statx, "statx", "dPFkX");
    add(__NR_statfs, "statfs", "Pp");
    add(__NR_access, "access", "Pa");
    add(__NR_faccessat, "faccessat", "dPa");
    add(__NR_faccessat2, "faccessat2", "dPaF");
    add(__NR_readlink, "readlink", "Pnu");
    add(__NR_readlinkat, "readlinkat", "dPnu");
    add(__NR_chdir, "chdir", "P");
    add(__NR_truncate, "truncate", "Pl");
    add(__NR_rename, "rename", "PP");
    add(__NR_renameat, "renameat", "dPdP");
    add(__NR_renameat2, "renameat2", "dPdPx");
    add(__NR_mkdir, "mkdir", "Pm");
    add(__NR_mkdirat, "mkdirat", "dPm");
    add(__NR_rmdir, "rmdir", "P");
    add(__NR_unlink, "unlink", "P");
    add(__NR_unlinkat, "unlinkat", "dPF");
    add(__NR_link, "link", "PP");
    add(__NR_linkat, "linkat", "dPdPF");
    add(__NR_symlink, "symlink", "sP");
    add(__NR_symlinkat, "symlinkat", "sdP");
    add(__NR_mknod, "mknod", "Pmx");
    add(__NR_mknodat, "mknodat", "dPmx");
    add(__NR_chmod, "chmod", "Pm");
    add(__NR_fchmodat, "fchmodat", "dPm");
    add(__NR_chown, "chown", "Puu");
    add(__NR_lchown, "lchown", "Puu");
    add(__NR_fchownat, "fchownat", "dPuuF");
    add(__NR_utime, "utime", "Pp");
    add(__NR_utimes, "utimes", "Pp");
    add(__NR_futimesat, "futimesat", "dPp");
    add(__NR_utimensat, "utimensat", "dPeF");
    add(__NR_setxattr, "setxattr", "Psbux");
    add(__NR_lsetxattr, "lsetxattr", "Psbux");
    add(__NR_getxattr, "getxattr", "PsBu");
    add(__NR_lgetxattr, "lgetxattr", "PsBu");
    add(__NR_listxattr, "listxattr", "PBu");
    add(__NR_llistxattr, "llistxattr", "PBu");
    add(__NR_removexattr, "removexattr", "Ps");
    add(__NR_lremovexattr, "lremovexattr", "Ps");
    add(__NR_inotify_add_watch, "inotify_add_watch", "iPx");
}

constexpr void Table::sockets() {
    opens(__NR_socket, "socket", "ytr", on_socket);
    add(__NR_bind, "bind", "fAu");
    add(__NR_listen, "listen", "fi");
    opens(__NR_accept, "accept", "fRp");
    opens(__NR_accept4, "accept4", "fRpt");
    add(__NR_connect, "connect", "fAu");
    add(__NR_sendto, "sendto", "fbugAu");
    add(__NR_recvfrom, "recvfrom", "fBugRp");
    add(__NR_sendmsg, "sendmsg", "fhg");
    add(__NR_recvmsg, "recvmsg", "fhg");
    add(__NR_sendmmsg, "sendmmsg", "fpug");
    add(__NR_recvmmsg, "recvmmsg", "fpugp");
    add(__NR_shutdown, "shutdown", "fH");
    add(__NR_getsockname, "getsockname", "fRp");
    add(__NR_getpeername, "getpeername", "fRp");
    add(__NR_setsockopt, "setsockopt", "fLiqu");
    add(__NR_getsockopt, "getsockopt", "fLipp");
}

constexpr void Table::process() {
    add(__NR_execve, "execve", "Ppp", on_execve);
    add(__NR_execveat, "execveat", "dPppx", on_execveat);
    add(__NR_prctl, "prctl", "ixxxx", on_prctl);
    add(__NR_seccomp, "seccomp", "uxp", on_seccomp);
}

constexpr Table kTable;

}  // namespace

const CallRow& call_row(u32 number) {
    return kTable.rows[number];
}

}  // namespace farcall::preload
