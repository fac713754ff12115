// SPDX-License-Identifier: MIT
// The ops on files and directories, in a new directory of a share: what they leave there is for the host to
// compare.
#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

namespace {

/// Names below one share.
class Tree {
  public:
    Tree(Requests& requests, std::string_view directory)
        : requests_(requests), root_(parse_path(directory)), output_(requests.client(), kOutputBytes) {}

    std::string path(const std::string& name) const { return root_.path + "/" + name; }
    uint32_t share() const { return FC_HANDLE_SHARE(root_.share); }

    int mkdir(const std::string& name, unsigned mode) {
        const Text text(requests_.client(), name);
        fc_command command;
        farcall_prep_mkdir(&command, share(), text.region(), text.offset(), text.length(), mode);
        return requests_.run(command);
    }
    int unlink(const std::string& name, unsigned flags = 0) {
        const Text text(requests_.client(), name);
        fc_command command;
        farcall_prep_unlink(&command, share(), text.region(), text.offset(), text.length(), flags);
        return requests_.run(command);
    }
    int link(const std::string& from, const std::string& to) {
        const Text text(requests_.client(), from + '\0' + to);
        fc_command command;
        farcall_prep_link(&command, share(), share(), text.region(), text.offset(), text.length());
        return requests_.run(command);
    }
    int rename(const std::string& from, const std::string& to, unsigned flags = 0) {
        const Text text(requests_.client(), from + '\0' + to);
        fc_command command;
        farcall_prep_rename(&command, share(), share(), text.region(), text.offset(), text.length(), flags);
        return requests_.run(command);
    }
    int symlink(const std::string& target, const std::string& name) {
        const Text text(requests_.client(), target + '\0' + name);
        fc_command command;
        farcall_prep_symlink(&command, share(), text.region(), text.offset(), text.length());
        return requests_.run(command);
    }
    std::string readlink(const std::string& name) {
        const Text text(requests_.client(), name);
        fc_command command;
        farcall_prep_readlink(&command, share(), text.region(), text.offset(), text.length(), output(256));
        const auto length = handle_of("readlink of " + name, requests_.run(command));
        return {reinterpret_cast<const char*>(output_.data() + sizeof(fc_iov)), length};
    }
    /// Of a name, or with "" of the handle itself.
    fc_statx statx(uint32_t handle, const std::string& name, unsigned flags = 0) {
        const Text text(requests_.client(), name.empty() ? "?" : name);
        fc_command command;
        farcall_prep_statx(&command, handle, name.empty() ? 0 : text.region(),
                           name.empty() ? 0 : text.offset(), static_cast<uint32_t>(name.size()),
                           output(sizeof(fc_statx)), flags);
        expect("statx of " + name, requests_.run(command), 0);
        fc_statx out;
        std::memcpy(&out, output_.data() + sizeof(fc_iov), sizeof(out));
        return out;
    }

  private:
    static constexpr uint64_t kOutputBytes = 4096;
    /// Says that the output goes behind the iov itself.
    uint64_t output(uint32_t bytes) {
        const fc_iov iov{output_.offset() + sizeof(fc_iov), 0, bytes};
        std::memcpy(output_.data(), &iov, sizeof(iov));
        return output_.offset();
    }

    Requests& requests_;
    const SharePath root_;
    client::Buffer output_;
};

/// Pieces of two regions, written as one and read back cut elsewhere.
void vectors(Requests& requests, uint32_t handle) {
    const client::Buffer near(requests.client(), 4096), list(requests.client(), 3 * sizeof(fc_iov));
    const client::Buffer far(requests.client(), 8192, true);
    std::memcpy(near.data(), "near", 4);
    std::memset(far.data(), 'f', 5000);
    auto* iov = reinterpret_cast<fc_iov*>(list.data());
    iov[0] = {far.offset(), far.region(), 5000};
    iov[1] = {near.offset(), near.region(), 4};
    iov[2] = {far.offset() + 100, far.region(), 1};
    fc_command command;
    farcall_prep_writev(&command, handle, 0, list.region(), list.offset(), 3);
    expect("writev", requests.run(command), 5005);
    iov[0] = {near.offset() + 1000, near.region(), 2};
    iov[1] = {far.offset() + 6000, far.region(), 1000};
    iov[2] = {near.offset() + 1002, near.region(), 3};
    farcall_prep_readv(&command, handle, 4000, list.region(), list.offset(), 3);
    expect("readv", requests.run(command), 1005);
    if (std::memcmp(near.data() + 1000, "ffarf", 5) != 0 ||
        std::memcmp(far.data() + 6000 + 998, "ne", 2) != 0)
        throw Failure("readv: not what was written");
}

void sizes(Requests& requests, Tree& tree, uint32_t handle) {
    fc_command command;
    farcall_prep_fallocate(&command, handle, 0, 1 << 20, FC_FALLOCATE_KEEP_SIZE);
    expect("fallocate", requests.run(command), 0);
    expect("size after fallocate", static_cast<int64_t>(tree.statx(handle, "").stat.size), 5005);
    farcall_prep_ftruncate(&command, handle, 100'000);
    expect("ftruncate", requests.run(command), 0);
    expect("size after ftruncate", static_cast<int64_t>(tree.statx(handle, "").stat.size), 100'000);
    farcall_prep_fallocate(&command, handle, 0, 4096, FC_FALLOCATE_KEEP_SIZE | FC_FALLOCATE_PUNCH_HOLE);
    expect("fallocate: a hole", requests.run(command), 0);
    farcall_prep_fsync(&command, handle, 0);
    expect("fsync", requests.run(command), 0);
    farcall_prep_fsync(&command, handle, FC_FSYNC_DATA);
    expect("fdatasync", requests.run(command), 0);
}

void names(Requests& requests, Tree& tree) {
    const std::string data = tree.path("data"), hard = tree.path("hard"), moved = tree.path("moved");
    expect("link", tree.link(data, hard), 0);
    expect("links", tree.statx(tree.share(), hard).stat.links, 2);
    expect("rename onto another", tree.rename(data, hard, FC_RENAME_NOREPLACE), -EEXIST);
    expect("rename", tree.rename(hard, moved), 0);
    expect("symlink", tree.symlink("data", tree.path("soft")), 0);
    if (tree.readlink(tree.path("soft")) != "data") throw Failure("readlink: not what symlink said");
    const fc_statx followed = tree.statx(tree.share(), tree.path("soft"));
    expect("statx through a link", static_cast<int64_t>(followed.stat.size), 100'000);
    expect("statx of a link",
           tree.statx(tree.share(), tree.path("soft"), FC_STATX_NOFOLLOW).stat.mode & S_IFMT, S_IFLNK);
    expect("symlink to outside", tree.symlink("/etc/passwd", tree.path("outside")), 0);
    expect("open through it",
           open_file(requests, std::to_string(tree.share()) + ":" + tree.path("outside"), FC_OPEN_READ),
           -EXDEV);
    expect("mkdir", tree.mkdir(tree.path("gone"), 0700), 0);
    expect("unlink of a directory", tree.unlink(tree.path("gone")), -EISDIR);
    expect("rmdir", tree.unlink(tree.path("gone"), FC_UNLINK_DIRECTORY), 0);
    expect("rmdir again", tree.unlink(tree.path("gone"), FC_UNLINK_DIRECTORY), -ENOENT);
    expect("mkdir outside", tree.mkdir("../outside", 0700), -EXDEV);
}

/// All of a file copied by the host: opened, copied and closed with no step of this process in between.
void copy(client::Client& client, client::Channel& channel, const std::string& from, const std::string& to) {
    const PathBuffer in(client, parse_path(from)), out(client, parse_path(to));
    const Variable handle_in(client, kNoHandle), handle_out(client, kNoHandle), copied(client);
    Chain chain(client, channel);
    const uint64_t open_in = chain.add("open in", in.open(FC_OPEN_READ, 0, handle_in.index()), {});
    const uint64_t open_out =
        chain.add("open out",
                  out.open(FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE, 0640, handle_out.index()), {});
    fc_command command;
    farcall_prep_copy(&command, 0, 0, 0, 0, 1u << 30);
    farcall_handle_from(&command, handle_in.index());
    farcall_region_from(&command, handle_out.index());
    farcall_store_result(&command, copied.index());
    const uint64_t copy = chain.add("copy", command, {open_in, open_out});
    farcall_prep_close(&command, 0);
    farcall_handle_from(&command, handle_in.index());
    const uint64_t close_in = chain.add("close in", command, {open_in, copy}, FC_F_ALWAYS);
    farcall_handle_from(&command, handle_out.index());
    chain.add("close out", command, {open_out, copy, close_in}, FC_F_ALWAYS);
    const Activity before = Activity::now(client, channel);
    chain.run();
    const Activity activity = Activity::now(client, channel).since(before);
    chain.check();
    std::printf("copied: %llu bytes\n", static_cast<unsigned long long>(copied.get()));
    activity.print();
}

void read_only(Requests& requests, const std::string& file) {
    const SharePath place = parse_path(file);
    Tree tree(requests, std::to_string(place.share) + ":.");
    expect("mkdir, read-only", tree.mkdir("new", 0700), -EROFS);
    expect("unlink, read-only", tree.unlink(place.path), -EROFS);
    expect("rename, read-only", tree.rename(place.path, "new"), -EROFS);
    expect("symlink, read-only", tree.symlink("x", "new"), -EROFS);
    expect("open for writing, read-only", open_file(requests, file, FC_OPEN_WRITE), -EROFS);
}

char type_letter(uint32_t mode) {
    switch (mode & S_IFMT) {
        case S_IFDIR:
            return 'd';
        case S_IFLNK:
            return 'l';
        case S_IFREG:
            return 'f';
        case S_IFIFO:
            return 'p';
        default:
            return '?';
    }
}

void print_entry(Tree& tree, uint32_t directory, const std::string& name, const std::string& path) {
    const fc_statx status = tree.statx(directory, name, FC_STATX_NOFOLLOW);
    const bool is_link = (status.stat.mode & S_IFMT) == S_IFLNK;
    std::printf("entry %s %c %o %u %llu %llu %lld %s\n", name.c_str(), type_letter(status.stat.mode),
                status.stat.mode & 07777, status.stat.links,
                static_cast<unsigned long long>(status.stat.size),
                static_cast<unsigned long long>(status.stat.inode),
                static_cast<long long>(status.stat.mtime_ns), is_link ? tree.readlink(path).c_str() : "");
}

/// More than a program usually may have open. They stay so: closing them is the host's, when we are gone.
void many_handles(Requests& requests, const std::string& file, unsigned count) {
    uint32_t last = 0;
    for (unsigned i = 0; i < count; i++)
        last = handle_of("open no. " + std::to_string(i), open_file(requests, file, FC_OPEN_READ));
    fc_command command;
    farcall_prep_fsync(&command, last, 0);
    expect("fsync of the last of them", requests.run(command), 0);
}

}  // namespace

int files(Arguments& arguments) {
    const auto words = arguments.rest(2, 2, "files READ-ONLY-FILE NEW-DIRECTORY");
    client::Client client;
    Requests requests(client);
    Tree tree(requests, words[1]);
    expect("mkdir of " + words[1], tree.mkdir(parse_path(words[1]).path, 0750), 0);
    const uint32_t data =
        handle_of("open", open_file(requests, words[1] + "/data",
                                    FC_OPEN_READ | FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_EXCLUSIVE, 0600));
    vectors(requests, data);
    sizes(requests, tree, data);
    names(requests, tree);
    read_only(requests, words[0]);
    client::Channel channel(client);
    copy(client, channel, words[0], words[1] + "/copy");
    fc_command command;
    farcall_prep_close(&command, data);
    expect("close", requests.run(command), 0);
    many_handles(requests, words[0], 1500);
    return 0;
}

int list(Arguments& arguments) {
    const auto bytes = static_cast<uint32_t>(arguments.number("--buffer", 32768, 65536));
    const auto words = arguments.rest(1, 1, "list [--buffer BYTES] DIRECTORY");
    client::Client client;
    Requests requests(client);
    Tree tree(requests, words[0]);
    const uint32_t directory =
        handle_of(words[0], open_file(requests, words[0], FC_OPEN_READ | FC_OPEN_DIRECTORY));
    const client::Buffer names(client, bytes);
    unsigned calls = 0;
    for (;; calls++) {
        fc_command command;
        farcall_prep_getdents(&command, directory, FC_OFFSET_CURRENT, names.region(), names.offset(), bytes);
        const auto filled = handle_of("getdents", requests.run(command));
        for (uint32_t at = 0; at < filled;) {
            const auto* entry = reinterpret_cast<const fc_dirent*>(names.data() + at);
            const std::string name(entry->name);
            if (name != "." && name != "..") print_entry(tree, directory, name, tree.path(name));
            at += entry->reclen;
        }
        if (filled == 0) break;
    }
    std::printf("getdents: %u calls\n", calls);
    return 0;
}

}  // namespace farcall::demo
