// SPDX-License-Identifier: MIT
#include "guest-lib/preload/exec.h"

#include <asm/errno.h>
#include <linux/prctl.h>

#include "guest-lib/preload/config.h"
#include "guest-lib/preload/fork_state.h"
#include "guest-lib/preload/load.h"
#include "guest-lib/preload/objects.h"
#include "guest-lib/preload/watch.h"

namespace farcall::preload {

namespace {

constexpr char kPreload[] = "LD_PRELOAD=";
constexpr u64 kOnStack = 1024;  // variables
constexpr u64 kPreloadBytes = 1024;

// Reads it as the kernel will, without falling over it. An entry's highest bytes are zero, so that it ends as
// a string does.
bool readable(const void* string) {
    return sys::call(__NR_access, string, 0) != -EFAULT;
}

/// Number of variables, -1 when the kernel would refuse the environment.
i64 count_variables(const char* const* environment) {
    i64 count = 0;
    while (readable(environment + count) && environment[count] != nullptr) {
        if (!readable(environment[count])) return -1;
        count++;
    }
    return readable(environment + count) ? count : -1;
}

bool keeps_out(const char* const* environment) {
    for (; *environment != nullptr; environment++)
        if (equal(*environment, "FARCALL_PRELOAD=off")) return true;
    return false;
}

bool has_library(const char* value) {
    while (*value != 0) {
        u64 bytes = 0;
        while (value[bytes] != 0 && value[bytes] != ':' && value[bytes] != ' ')
            bytes++;
        if (names_library(value, bytes)) return true;
        value += bytes;
        if (*value != 0) value++;
    }
    return false;
}

bool same_name(const char* a, const char* b) {
    while (*a == *b && *a != 0 && *a != '=') {
        a++;
        b++;
    }
    return *a == '=' && *b == '=';
}

bool has_variable(const char* const* environment, const char* variable) {
    for (; *environment != nullptr; environment++)
        if (same_name(*environment, variable)) return true;
    return false;
}

/// The program's variables and ours; `preload` is memory for LD_PRELOAD.
void fill(const char** to, const char* const* environment, Text preload) {
    preload.put(kPreload).put(config.library);
    for (u64 i = 0; own_variable(i) != nullptr; i++)
        if (!has_variable(environment, own_variable(i))) *to++ = own_variable(i);
    for (; *environment != nullptr; environment++) {
        const char* variable = *environment;
        if (!starts_with(variable, kPreload)) {
            *to++ = variable;
        } else if (has_library(variable + sizeof(kPreload) - 1) || length(variable) > preload.room()) {
            *to++ = variable;  // as it is: too long a list loses this library, not the program's
            preload.clear();
        } else if (variable[sizeof(kPreload) - 1] != 0) {
            preload.put(':').put(variable + sizeof(kPreload) - 1);
        }
    }
    if (preload.size() > 0) {
        preload.put('\0');
        *to++ = preload.data();
    }
    *to = nullptr;
}

/// Room for the new environment is on this stack while the kernel copies it: nothing is left behind in a
/// vforked child.
Action execute_with(Call& call, u64 which, const char** to, const char* const* environment) {
    char preload[kPreloadBytes];
    fill(to, environment, Text(preload, sizeof(preload) - 1));
    call.args[which] = reinterpret_cast<u64>(to);
    call.result = sys::call6(call.number, call.args[0], call.args[1], call.args[2], call.args[3],
                             call.args[4], call.args[5]);
    call.args[which] = reinterpret_cast<u64>(environment);
    return Action::kDone;
}

[[gnu::noinline]] Action execute_on_stack(Call& call, u64 which, const char* const* environment, u64 count) {
    auto** to = static_cast<const char**>(__builtin_alloca((count + kMaxOwnVariables + 2) * sizeof(char*)));
    return execute_with(call, which, to, environment);
}

Action execute(Call& call, u64 which) {
    const auto* environment = reinterpret_cast<const char* const*>(call.args[which]);
    static const char* const kEmpty[] = {nullptr};
    if (config.library == nullptr) return Action::kPass;
    if (environment == nullptr) environment = kEmpty;  // as the kernel takes it
    const i64 variables = count_variables(environment);
    if (variables < 0 || keeps_out(environment)) return Action::kPass;
    const auto count = static_cast<u64>(variables);
    if (count <= kOnStack) return execute_on_stack(call, which, environment, count);
    const u64 bytes = (count + kMaxOwnVariables + 2) * sizeof(char*);
    auto** to = static_cast<const char**>(map_memory(bytes));
    if (to == nullptr) return Action::kPass;
    execute_with(call, which, to, environment);
    unmap_memory(to, bytes);  // it failed
    return Action::kDone;
}

}  // namespace

namespace {

/// A statically linked program goes through farcall-exec, which nothing else can be loaded into.
[[gnu::noinline]] Action execute_launched(Call& call, u64 count) {
    const auto* const* words = reinterpret_cast<const char* const*>(call.args[1]);
    auto** to = static_cast<const char**>(__builtin_alloca((count + 5) * sizeof(char*)));
    to[0] = config.launcher;
    to[1] = "--name";
    to[2] = count > 0 ? words[0] : "";
    to[3] = reinterpret_cast<const char*>(call.args[0]);
    for (u64 i = 1; i <= count; i++)
        to[3 + i] = words[i];
    if (count == 0) to[4] = nullptr;
    const u64 path = call.args[0], original = call.args[1];
    call.args[0] = reinterpret_cast<u64>(config.launcher);
    call.args[1] = reinterpret_cast<u64>(to);
    const Action action = execute(call, 2);
    call.args[0] = path;
    call.args[1] = original;
    return action;
}

}  // namespace

Action on_execve(Call& call) {
    const auto* path = reinterpret_cast<const char*>(call.args[0]);
    // In a launched program that is the launcher.
    if (config.program != nullptr && readable(path) && equal(path, "/proc/self/exe"))
        call.args[0] = reinterpret_cast<u64>(path = config.program);
    if (config.launcher != nullptr && call.args[1] != 0 && readable(path) && is_static_program(path)) {
        const i64 count = count_variables(reinterpret_cast<const char* const*>(call.args[1]));
        const auto* environment = reinterpret_cast<const char* const*>(call.args[2]);
        const bool kept_out =
            environment != nullptr && count_variables(environment) >= 0 && keeps_out(environment);
        if (count >= 0 && count <= static_cast<i64>(kOnStack) && !kept_out)
            return execute_launched(call, static_cast<u64>(count));
    }
    return execute(call, 2);
}

Action on_execveat(Call& call) {
    return execute(call, 3);
}

Action on_prctl(Call& call) {
    if (static_cast<int>(call.args[0]) == PR_SET_SECCOMP && !in_vforked_child()) stop_own_calls();
    return Action::kPass;
}

Action on_seccomp(Call&) {
    if (!in_vforked_child()) stop_own_calls();
    return Action::kPass;
}

}  // namespace farcall::preload
