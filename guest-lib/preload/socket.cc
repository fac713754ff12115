// SPDX-License-Identifier: MIT
#include "guest-lib/preload/socket.h"

#include <asm/errno.h>
#include <farcall/ioctl.h>
#include <linux/fcntl.h>
#include <linux/net.h>

#include "guest-lib/preload/descriptors.h"
#include "guest-lib/preload/fork_state.h"
#include "guest-lib/preload/watch.h"
#include "guest-lib/preload/where.h"

namespace farcall::preload {

namespace {

constexpr int kInet = 2;  // AF_INET, AF_INET6: no header of the kernel's has them
constexpr int kInet6 = 10;
constexpr int kStream = 1;  // SOCK_STREAM, SOCK_DGRAM
constexpr int kDatagram = 2;
constexpr int kTypeMask = 0xf;

#ifdef FC_IOC_SOCKET
int open_device() {
    const i64 fd = sys::call(__NR_openat, AT_FDCWD, FC_DEVICE_PATH, O_RDWR | O_CLOEXEC);
    if (failed(fd)) return static_cast<int>(fd);
    const int kept = hide(Hidden::kDevice, static_cast<int>(fd), true);
    if (kept < 0)
        sys::call(__NR_close, fd);
    else
        watch_descriptors();
    return kept;
}

/// A new descriptor or -errno. Children inherit the device's: it does not ask whose it is. But a call that
/// was not seen may have closed it, and the number may be something else by now.
i64 ask(const fc_ioc_socket& request) {
    i64 result = -EBADF;
    if (hidden(Hidden::kDevice) >= 0)
        result = sys::call(__NR_ioctl, hidden(Hidden::kDevice), FC_IOC_SOCKET, &request);
    if (result != -EBADF && result != -ENOTTY) return result;
    lose(Hidden::kDevice);
    const int fd = open_device();
    return fd < 0 ? fd : sys::call(__NR_ioctl, fd, FC_IOC_SOCKET, &request);
}

/// Whether the guest's kernel shall be asked instead: the device does not make such sockets, or there is
/// none.
bool is_not_for_the_device(i64 result) {
    switch (result) {
        case -EAFNOSUPPORT:
        case -ESOCKTNOSUPPORT:
        case -EPROTONOSUPPORT:
        case -ENOENT:
        case -ENXIO:
        case -ENODEV:
        case -ENOTTY:
        case -EACCES:
        case -EPERM:
        case -EMFILE:  // or the kernel says so itself
        case -ENFILE:
            return true;
        default:
            return false;
    }
}
#endif

}  // namespace

Action on_socket(Call& call) {
    const int family = static_cast<int>(call.args[0]), type = static_cast<int>(call.args[1]) & kTypeMask;
    if ((family != kInet && family != kInet6) || (type != kStream && type != kDatagram)) return Action::kPass;
#ifdef FC_IOC_SOCKET
    if (in_vforked_child()) return Action::kPass;
    const fc_ioc_socket request{static_cast<fc_u32>(family), static_cast<fc_u32>(call.args[1]),
                                static_cast<fc_u32>(call.args[2]), 0};
    const i64 result = ask(request);
    if (is_not_for_the_device(result)) return Action::kPass;
    call.result = result;
    if (!failed(result)) note_host_socket(static_cast<u32>(result));
    return Action::kDone;
#else
    return Action::kPass;  // this ABI has no such sockets yet
#endif
}

}  // namespace farcall::preload
