// SPDX-License-Identifier: MIT
#include "guest-lib/aem/forker.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "guest-lib/aem/notifier.h"
#include "guest-lib/aem/run.h"
#include "guest-lib/aem/section.h"
#include "guest-lib/aem/session.h"

namespace farcall::aem {

namespace {

/// The one whose process could not be made: it comes first when that is tried again.
struct {
    bool valid = false;
    uint32_t node = kNone;
    Upcall upcall{};
    bool no_zombie = false;
} stuck;

bool take(uint32_t* node, Upcall* upcall, bool* no_zombie) {
    for (;;) {
        {
            const Section section;
            if (g.forks.empty()) return false;
            *node = g.forks.head;
            unlink(g.nodes, g.forks, *node);
            *no_zombie = (g.descriptors.at(g.nodes.at(*node).descriptor).flags & EVF_NOCLDWAIT) != 0;
        }
        if (begin_delivery(*node, true, upcall)) return true;
    }
}

[[noreturn]] void be_the_child(const Upcall& upcall, const sigset_t& mask) {
    forget_parent();
    pthread_sigmask(SIG_SETMASK, &mask, nullptr);
    invoke(upcall);
    ::_exit(0);
}

/// False: no process.
bool make_process(Upcall upcall, bool no_zombie) {
    // The pool is not inherited: the child gets a copy.
    char* copy = nullptr;
    if (upcall.data != nullptr) {
        copy = static_cast<char*>(std::malloc(static_cast<size_t>(upcall.value)));
        if (copy == nullptr) return false;
        std::memcpy(copy, upcall.data, static_cast<size_t>(upcall.value));
        upcall.data = copy;
    }
    const sigset_t mask = notifier().mask();
    const pid_t pid = ::fork();
    if (pid == 0) {
        // Without a zombie: somebody between, who is waited for at once, leaves the child to init.
        const pid_t inner = no_zombie ? ::fork() : 0;
        if (inner != 0) ::_exit(inner < 0 ? 1 : 0);
        be_the_child(upcall, mask);
    }
    std::free(copy);
    if (pid < 0 || !no_zombie) return pid > 0;
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return true;  // the program waited for it: then we do not know, and it will have worked
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

void wake_forker() {
    notifier().wake();
}

bool forks_wait() {
    const Section section;
    return stuck.valid || !g.forks.empty();
}

bool serve_forks() {
    for (;;) {
        if (!stuck.valid) {
            if (!take(&stuck.node, &stuck.upcall, &stuck.no_zombie)) return true;
            stuck.valid = true;
        }
        if (!make_process(stuck.upcall, stuck.no_zombie)) return false;
        stuck.valid = false;
        end_delivery(stuck.node, 0, true);
    }
}

}  // namespace farcall::aem
