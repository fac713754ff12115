// SPDX-License-Identifier: MIT
#include "vmm/descriptor_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <cstdio>

namespace farcall::vmm {

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fmt::print(stderr, "farcall: the limit of open files cannot be raised\n");
}

}  // namespace farcall::vmm
