// SPDX-License-Identifier: MIT
#include "guest-lib/preload/config.h"

namespace farcall::preload {

Config config;

namespace {

constexpr char kLibraryName[] = "libfarcall-preload.so";
constexpr char kPreload[] = "LD_PRELOAD=";
constexpr char kTrace[] = "FARCALL_TRACE=";

// Programs overwrite the memory of their environment (to change what ps shows), so copies are kept.
char storage[8192];
u64 storage_used = 0;
const char* variables[kMaxOwnVariables];
u64 variable_count = 0;
u64 trace_variable = kMaxOwnVariables;
char trace_number[32];

/// Returns where the copy of the value begins, nullptr when it is too long: then it is not ours to hide
/// either.
const char* keep(const char* variable, u64 name_bytes) {
    const u64 bytes = length(variable) + 1;
    if (variable_count == kMaxOwnVariables || bytes > sizeof(storage) - storage_used) return nullptr;
    char* copy = storage + storage_used;
    memcpy(copy, variable, bytes);
    storage_used += bytes;
    variables[variable_count++] = copy;
    return copy + name_bytes;
}

// Programs change their directory.
const char* keep_path(const char* variable, u64 name_bytes) {
    char absolute[2048];
    Text text(absolute, sizeof(absolute) - 1);
    const char* value = variable + name_bytes;
    if (value[0] == '/' || number_from(value) >= 0) return keep(variable, name_bytes);
    char directory[1024];
    if (failed(sys::call(__NR_getcwd, directory, sizeof(directory)))) return nullptr;
    text.put(variable, name_bytes).put(directory).put('/').put(value).put('\0');
    return keep(absolute, name_bytes);
}

struct Name {
    const char* text;  // with its '='
    const char* Config::*field;
    bool path;
};

constexpr Name kNames[] = {
    {kTrace, &Config::trace, true},
    {"FARCALL_SUMMARY=", &Config::summary, true},
    {"FARCALL_EXEC=", &Config::launcher, true},
    {"FARCALL_NET=", &Config::net, false},
    {"FARCALL_FSTYPE=", &Config::fstype, false},
    {"FARCALL_PRELOAD_REPORT=", &Config::report, true},
};

bool take(const char* variable) {
    for (const Name& name : kNames) {
        if (!starts_with(variable, name.text)) continue;
        const u64 bytes = length(name.text);
        config.*name.field = name.path ? keep_path(variable, bytes) : keep(variable, bytes);
        if (name.text == kTrace) trace_variable = variable_count - 1;
        return config.*name.field != nullptr;
    }
    if (starts_with(variable, "FARCALL_CHILD=")) return config.inherited = true;
    return false;
}

const char* keep_string(const char* string) {
    const u64 bytes = length(string) + 1;
    if (bytes > sizeof(storage) - storage_used) return nullptr;
    char* copy = storage + storage_used;
    memcpy(copy, string, bytes);
    storage_used += bytes;
    return copy;
}

// Finds the library in the variable; `cut`: leaves there what else is to be loaded. True when nothing is.
bool take_library(char* variable, bool cut) {
    char* const begin = variable + sizeof(kPreload) - 1;
    char* out = begin;
    char name[1024];
    u64 bytes = 0;
    for (const char* in = begin; *in != 0; in += bytes) {
        bytes = 0;
        while (in[bytes] != 0 && in[bytes] != ':' && in[bytes] != ' ')
            bytes++;
        if (names_library(in, bytes) && bytes < sizeof(name)) {
            memcpy(name, in, bytes);
            name[bytes] = 0;
            if (config.library == nullptr) config.library = keep_string(name);
        } else if (bytes > 0 && cut) {
            if (out != begin) *out++ = ':';
            memmove(out, in, bytes);
            out += bytes;
        }
        while (in[bytes] == ':' || in[bytes] == ' ')
            bytes++;
    }
    if (cut) *out = 0;
    return out == begin;
}

}  // namespace

bool names_library(const char* entry, u64 bytes) {
    const u64 name = sizeof(kLibraryName) - 1;
    return bytes >= name && memcmp(entry + bytes - name, kLibraryName, name) == 0 &&
           (bytes == name || entry[bytes - name - 1] == '/');
}

void set_library(const char* path) {
    config.library = keep_string(path);
}

void set_launcher(const char* path) {
    char variable[1024];
    Text text(variable, sizeof(variable) - 1);
    text.put("FARCALL_EXEC=").put(path).put('\0');
    config.launcher = keep(variable, sizeof("FARCALL_EXEC=") - 1);
}

bool take_config(char** environment, bool hide) {
    for (char** variable = environment; *variable != nullptr; variable++)
        if (equal(*variable, "FARCALL_PRELOAD=off")) return false;
    char** out = environment;
    char** in = environment;
    for (; *in != nullptr; in++) {
        const bool ours = starts_with(*in, kPreload) ? take_library(*in, hide) : take(*in);
        if (!ours || !hide) *out++ = *in;
    }
    for (; out != in; out++)
        *out = nullptr;
    static char child[] = "FARCALL_CHILD=1";
    if (variable_count < kMaxOwnVariables) variables[variable_count++] = child;
    return true;
}

const char* own_variable(u64 i) {
    return i < variable_count ? variables[i] : nullptr;
}

void set_trace_descriptor(int fd) {
    if (trace_variable >= variable_count) return;
    Text text(trace_number, sizeof(trace_number) - 1);
    text.put(kTrace).decimal(fd).put('\0');
    variables[trace_variable] = trace_number;
}

}  // namespace farcall::preload
