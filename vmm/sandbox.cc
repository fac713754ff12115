// SPDX-License-Identifier: MIT
#include "vmm/sandbox.h"

#include <linux/capability.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <span>

#include "host-lib/error.h"
#include "vmm/kvm_api.h"

namespace farcall::vmm {

namespace {

constexpr int kAllowed[] = {
    // handles of the guest: files
    SCMP_SYS(openat),      // an O_PATH descriptor of a share reopened by its name in /proc
    SCMP_SYS(openat2),     // beneath a share's directory
    SCMP_SYS(close),       // handles, and descriptors at the end
    SCMP_SYS(preadv2),     // reads into guest memory
    SCMP_SYS(pwritev2),    // writes from guest memory
    SCMP_SYS(pread64),     // the same for one buffer
    SCMP_SYS(pwrite64),    //
    SCMP_SYS(readv),       // streams: several buffers
    SCMP_SYS(writev),      //
    SCMP_SYS(read),        // streams, eventfds, signalfd, timerfd
    SCMP_SYS(write),       // streams, eventfds, messages on stderr
    SCMP_SYS(lseek),       // FC_OP_GETDENTS; a copy that was cut short
    SCMP_SYS(fstat),       // FC_OP_STAT
    SCMP_SYS(newfstatat),  // what the C library makes of fstat()
    SCMP_SYS(statx),       // FC_OP_STAT, FC_OP_STATX
    SCMP_SYS(fstatfs),     // FC_OP_STATFS; may reads of this file wait for a device?
    SCMP_SYS(fsync),       // FC_OP_FSYNC
    SCMP_SYS(fdatasync),   // FC_OP_FSYNC
    SCMP_SYS(ftruncate),   // FC_OP_FTRUNCATE
    SCMP_SYS(fallocate),   // FC_OP_FALLOCATE
    // handles of the guest: names, copies
    SCMP_SYS(getdents64),       // FC_OP_GETDENTS
    SCMP_SYS(renameat2),        // FC_OP_RENAME
    SCMP_SYS(renameat),         // what the C library makes of it without flags
    SCMP_SYS(unlinkat),         // FC_OP_UNLINK
    SCMP_SYS(mkdirat),          // FC_OP_MKDIR
    SCMP_SYS(symlinkat),        // FC_OP_SYMLINK
    SCMP_SYS(readlinkat),       // FC_OP_READLINK
    SCMP_SYS(linkat),           // FC_OP_LINK
    SCMP_SYS(copy_file_range),  // FC_OP_COPY
    SCMP_SYS(mknodat),          // FC_OP_MKNOD: files, FIFOs and sockets
    // handles of the guest: attributes, by names in /proc
    SCMP_SYS(truncate),     // FC_OP_SETATTR
    SCMP_SYS(fchmodat),     // FC_OP_SETATTR
    SCMP_SYS(utimensat),    // FC_OP_SETATTR
    SCMP_SYS(getxattr),     // FC_OP_GETXATTR
    SCMP_SYS(setxattr),     // FC_OP_SETXATTR
    SCMP_SYS(removexattr),  // FC_OP_REMOVEXATTR
    SCMP_SYS(listxattr),    // FC_OP_LISTXATTR
    // a worker's ring: it was made before, and takes reads, writes and syncs only
    SCMP_SYS(io_uring_enter),
    // --control
    SCMP_SYS(accept4),  // a reader of statistics
    SCMP_SYS(sendto),   // its answer
    // waiting
    SCMP_SYS(poll),             // main thread; streams before they are read
    SCMP_SYS(ppoll),            //
    SCMP_SYS(epoll_wait),       // workers that sleep
    SCMP_SYS(epoll_pwait),      //
    SCMP_SYS(epoll_pwait2),     //
    SCMP_SYS(epoll_ctl),        // what they watch
    SCMP_SYS(futex),            // locks between threads
    SCMP_SYS(clock_gettime),    // where the vDSO cannot answer
    SCMP_SYS(clock_nanosleep),  // timed waits
    SCMP_SYS(nanosleep),        //
    SCMP_SYS(timerfd_settime),  // timers
    SCMP_SYS(restart_syscall),  // a wait that a signal interrupted
    SCMP_SYS(sched_yield),      // workers that poll
    SCMP_SYS(eventfd2),         // a client's cancel event
    // threads of the engine that have just been created
    SCMP_SYS(rseq),             // the C library, in each new thread
    SCMP_SYS(set_robust_list),  // the same
    // memory
    SCMP_SYS(mmap),      // the allocator
    SCMP_SYS(munmap),    // the allocator; guest memory at the end
    SCMP_SYS(mlock),     // windows of files that are read often
    SCMP_SYS(mremap),    // the allocator
    SCMP_SYS(mprotect),  // the allocator's arenas
    SCMP_SYS(madvise),   // the allocator, stacks of threads that end
    SCMP_SYS(brk),       // the allocator
    // signals and the end
    SCMP_SYS(rt_sigaction),    // fatal signals restore the terminal
    SCMP_SYS(rt_sigprocmask),  // pthread_kill() and thread exit
    SCMP_SYS(rt_sigreturn),    // the vCPU kick
    SCMP_SYS(tgkill),          // the vCPU kick; abort()
    SCMP_SYS(getpid),          // pthread_kill()
    SCMP_SYS(gettid),          // pthread_kill(), raise()
    SCMP_SYS(exit),            // threads
    SCMP_SYS(exit_group),      // the process
};

// handles of the guest: sockets; only where the user lets it use some
constexpr int kAllowedOnSockets[] = {
    SCMP_SYS(bind),         // FC_OP_BIND, FC_OP_LISTEN
    SCMP_SYS(listen),       // FC_OP_LISTEN
    SCMP_SYS(accept4),      // FC_OP_ACCEPT
    SCMP_SYS(connect),      // FC_OP_CONNECT
    SCMP_SYS(sendmsg),      // FC_OP_SEND, FC_OP_SENDMSG
    SCMP_SYS(recvmsg),      // FC_OP_RECV, FC_OP_RECVMSG
    SCMP_SYS(recvfrom),     // a datagram that the policy drops
    SCMP_SYS(shutdown),     // FC_OP_SHUTDOWN
    SCMP_SYS(getsockopt),   // FC_OP_GETSOCKOPT
    SCMP_SYS(setsockopt),   // FC_OP_SETSOCKOPT
    SCMP_SYS(getsockname),  // FC_OP_GETSOCKNAME
    SCMP_SYS(getpeername),  // FC_OP_GETPEERNAME
};
constexpr unsigned kAllowedFamilies[] = {AF_UNIX, AF_INET, AF_INET6};  // FC_OP_SOCKET

// ioctl() is a thousand system calls: only these.
constexpr unsigned long kAllowedIoctls[] = {
    KVM_RUN,              // vCPUs
    KVM_GET_REGS,         // where a vCPU was when KVM gave up
    KVM_IRQFD,            // MSI-X vectors masked and unmasked
    KVM_SET_GSI_ROUTING,  // MSI-X messages
    KVM_IOEVENTFD,        // the doorbell BAR moved
    TIOCGWINSZ,           // the terminal's size changed
    TCGETS,               // terminal mode
    TCSETS,               // terminal mode restored
};

// On sockets of the guest: FC_OP_GETSOCKOPT's FC_SOL_QUEUES.
constexpr unsigned long kAllowedSocketIoctls[] = {FIONREAD, TIOCOUTQ};

void check(int result) {
    if (result < 0) throw errno_error("cannot restrict system calls", -result);
}

void allow_ioctls(void* filter, std::span<const unsigned long> requests) {
    for (const unsigned long request : requests) {
        check(::seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                 SCMP_A1_32(SCMP_CMP_EQ, static_cast<uint32_t>(request))));
    }
}

void allow_sockets(void* filter) {
    for (const int number : kAllowedOnSockets)
        check(::seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0));
    for (const unsigned family : kAllowedFamilies)
        check(
            ::seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0_32(SCMP_CMP_EQ, family)));
    allow_ioctls(filter, kAllowedSocketIoctls);
}

}  // namespace

void drop_privileges(bool keep_file_access, bool keep_low_ports) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) throw errno_error("cannot give up gaining privileges");
    uint32_t kept = 0;
    if (keep_file_access) kept |= 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_FOWNER;
    if (keep_low_ports) kept |= 1u << CAP_NET_BIND_SERVICE;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    if (::syscall(SYS_capget, &header, data) < 0)
        throw errno_error("cannot read this process's capabilities");
    for (auto& half : data)
        half.inheritable = 0, half.effective = 0;
    data[0].permitted &= kept;
    data[0].effective = data[0].permitted;
    data[1].permitted = 0;
    if (::syscall(SYS_capset, &header, data) < 0) throw errno_error("cannot drop capabilities");
}

void restrict_system_calls(bool network) {
    const std::unique_ptr<void, void (*)(void*)> filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                        ::seccomp_release);
    if (filter == nullptr) throw Error("cannot restrict system calls: libseccomp is out of memory");
    check(::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1));
    for (const int number : kAllowed)
        check(::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, number, 0));
    if (network) allow_sockets(filter.get());
    allow_ioctls(filter.get(), kAllowedIoctls);
    check(::seccomp_load(filter.get()));
}

}  // namespace farcall::vmm
