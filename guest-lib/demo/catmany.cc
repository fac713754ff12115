// SPDX-License-Identifier: MIT
// Many files concatenated into one, a chain for each: open, stat, read, write, close.
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <sstream>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

/// Opens a file without a chain; the handle.
uint32_t open_now(client::Client& client, client::Channel& channel, const std::string& path, unsigned flags) {
    Variable handle(client);
    const PathBuffer buffer(client, parse_path(path));
    const int result = perform(channel, buffer.open(flags, 0644, handle.index()));
    if (result < 0) throw Failure(path + ": " + error_text(result));
    return static_cast<uint32_t>(result);
}

int close_now(client::Channel& channel, uint32_t handle) {
    fc_command command;
    farcall_prep_close(&command, handle);
    return perform(channel, command);
}

std::string read_list(client::Client& client, client::Channel& channel, const std::string& path) {
    std::string text;
    if (path == "-") {
        std::stringstream all;
        all << std::cin.rdbuf();
        return all.str();
    }
    const client::Buffer buffer(client, 64 << 10);
    const uint32_t handle = open_now(client, channel, path, FC_OPEN_READ);
    for (;;) {
        fc_command command;
        farcall_prep_read(&command, handle, text.size(), buffer.region(), buffer.offset(),
                          static_cast<uint32_t>(buffer.size()));
        const int got = perform(channel, command);
        if (got < 0) throw Failure(path + ": " + error_text(got));
        if (got == 0) break;
        text.append(reinterpret_cast<const char*>(buffer.data()), static_cast<size_t>(got));
    }
    close_now(channel, handle);
    return text;
}

class Concatenation {
  public:
    Concatenation(client::Client& client, client::Channel& channel, uint32_t buffer, uint32_t out)
        : client_(client),
          buffer_(client, buffer, true),
          stat_(client, sizeof(fc_stat)),
          chain_(client, channel),
          handle_(client),
          got_(client),
          position_(client),
          out_(out) {}

    /// Appends one file; its size. Files larger than the buffer take several chains.
    uint64_t append(const std::string& name) {
        const PathBuffer path(client_, parse_path(name));
        fc_stat status{};
        uint64_t offset = 0;
        do {
            run_piece(path, offset, name);
            std::memcpy(&status, stat_.data(), sizeof(status));
            offset += got_.get();
        } while (got_.get() != 0 && offset < status.size);
        if (offset != status.size) throw Failure(name + ": it changed while it was read");
        return offset;
    }
    uint64_t chains() const { return chains_; }
    uint64_t bytes() const { return position_.get(); }

  private:
    void run_piece(const PathBuffer& path, uint64_t offset, const std::string& name) {
        handle_.set(kNoHandle);
        chain_.clear();
        fc_command command;
        const uint64_t open = chain_.add("open", path.open(FC_OPEN_READ, 0, handle_.index()), {});
        farcall_prep_stat(&command, 0, stat_.region(), stat_.offset());
        farcall_handle_from(&command, handle_.index());
        const uint64_t stat = chain_.add("stat", command, {open});
        farcall_prep_read(&command, 0, offset, buffer_.region(), buffer_.offset(),
                          static_cast<uint32_t>(buffer_.size()));
        farcall_handle_from(&command, handle_.index());
        farcall_store_result(&command, got_.index());
        const uint64_t read = chain_.add("read", command, {stat});
        farcall_prep_write(&command, out_, 0, buffer_.region(), buffer_.offset(), 0);
        farcall_length_from(&command, got_.index());
        farcall_offset_from(&command, position_.index());
        farcall_add_result(&command, position_.index());
        const uint64_t write = chain_.add("write", command, {read}, FC_F_SHORT_STOP);
        farcall_prep_close(&command, 0);
        farcall_handle_from(&command, handle_.index());
        chain_.add("close", command, {write}, FC_F_ALWAYS);
        chain_.run();
        chains_++;
        try {
            chain_.check();
        } catch (const Failure& failure) {
            throw Failure(name + ": " + failure.what());
        }
    }

    client::Client& client_;
    client::Buffer buffer_;
    client::Buffer stat_;
    Chain chain_;
    Variable handle_;
    Variable got_;
    Variable position_;  ///< end of the output, kept by the host
    uint32_t out_;
    uint64_t chains_ = 0;
};

void write_manifest(client::Client& client, client::Channel& channel, const std::string& path,
                    const std::string& text) {
    const uint32_t handle =
        open_now(client, channel, path, FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE);
    const client::Buffer buffer(client, 64 << 10);
    for (size_t at = 0; at < text.size();) {
        const size_t length = std::min<size_t>(text.size() - at, buffer.size());
        std::memcpy(buffer.data(), text.data() + at, length);
        fc_command command;
        farcall_prep_write(&command, handle, at, buffer.region(), buffer.offset(),
                           static_cast<uint32_t>(length));
        const int done = perform(channel, command);
        if (done <= 0) throw Failure(path + ": " + error_text(done));
        at += static_cast<size_t>(done);
    }
    close_now(channel, handle);
}

}  // namespace

int catmany(Arguments& arguments) {
    const auto buffer_bytes = static_cast<uint32_t>(arguments.number("--buffer", 1u << 20, 1u << 30));
    const auto manifest = arguments.option("--manifest");
    const auto paths = arguments.rest(2, 2, "catmany [--buffer BYTES] [--manifest FILE] LIST OUT");
    client::Client client;
    client::Channel channel(client);
    std::istringstream list(read_list(client, channel, paths[0]));
    const uint32_t out =
        open_now(client, channel, paths[1], FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE);
    Concatenation concatenation(client, channel, buffer_bytes, out);

    std::string order;
    uint64_t files = 0;
    const Activity before = Activity::now(client, channel);
    const auto start = std::chrono::steady_clock::now();
    for (std::string name; std::getline(list, name);) {
        if (name.empty()) continue;
        const uint64_t bytes = concatenation.append(name);
        order += std::to_string(bytes) + " " + name + "\n";
        files++;
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const Activity activity = Activity::now(client, channel).since(before);
    if (const int rc = close_now(channel, out); rc < 0) throw Failure(paths[1] + ": " + error_text(rc));
    if (manifest) write_manifest(client, channel, *manifest, order);
    std::printf("files: %" PRIu64 "\nbytes: %" PRIu64 "\nchains: %" PRIu64 "\nseconds: %.3f\n", files,
                concatenation.bytes(), concatenation.chains(), seconds.count());
    activity.print();
    return 0;
}

}  // namespace farcall::demo
