// SPDX-License-Identifier: MIT
// Two files concatenated into a third by chains of commands that need no step of the client in between.
#include <algorithm>
#include <cinttypes>
#include <cstdio>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {

namespace {

constexpr unsigned kOutFlags = FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE;

struct Files {
    PathBuffer one, two, out;
    Variable handle_one, handle_two, handle_out;
    Files(client::Client& client, const std::vector<std::string>& paths)
        : one(client, parse_path(paths[0])),
          two(client, parse_path(paths[1])),
          out(client, parse_path(paths[2])),
          handle_one(client, kNoHandle),
          handle_two(client, kNoHandle),
          handle_out(client, kNoHandle) {}
};

fc_command transfer(fc_opcode opcode, const Variable& handle, const client::Buffer& buffer, uint32_t length) {
    fc_command command;
    farcall_prep_read(&command, 0, 0, buffer.region(), buffer.offset(), length);
    command.opcode = static_cast<fc_u8>(opcode);
    farcall_handle_from(&command, handle.index());
    return command;
}

fc_command close_of(const Variable& handle) {
    fc_command command;
    farcall_prep_close(&command, 0);
    farcall_handle_from(&command, handle.index());
    return command;
}

void check_fits(const Chain& chain, const char* name, uint32_t limit) {
    if (static_cast<uint32_t>(chain.step(name).event.event.result) >= limit) {
        throw Failure(std::string(name) + ": the file does not fit into the buffer, see --buffer");
    }
}

/// FILE_READOUT_1 into CAT_BUFFER, FILE_READOUT_2 behind it at BYTES_READ, FILE_OUTPUT of BYTES_READ bytes.
int cat_sequential(const std::vector<std::string>& paths, uint32_t limit) {
    client::Client client;
    client::Channel channel(client);
    Files files(client, paths);
    const client::Buffer cat_buffer(client, 2ull * limit, true);
    Variable bytes_read(client);
    Chain chain(client, channel);

    const uint64_t open_one =
        chain.add("open 1", files.one.open(FC_OPEN_READ, 0, files.handle_one.index()), {});
    const uint64_t open_two =
        chain.add("open 2", files.two.open(FC_OPEN_READ, 0, files.handle_two.index()), {});
    const uint64_t open_out =
        chain.add("open out", files.out.open(kOutFlags, 0644, files.handle_out.index()), {});

    fc_command read = transfer(FC_OP_READ, files.handle_one, cat_buffer, limit);
    farcall_store_result(&read, bytes_read.index());
    const uint64_t read_one = chain.add("file readout 1", read, {open_one});

    read = transfer(FC_OP_READ, files.handle_two, cat_buffer, limit);
    farcall_buffer_from(&read, bytes_read.index());
    farcall_add_result(&read, bytes_read.index());
    const uint64_t read_two = chain.add("file readout 2", read, {open_two, read_one});

    fc_command output = transfer(FC_OP_WRITE, files.handle_out, cat_buffer, 0);
    farcall_length_from(&output, bytes_read.index());
    const uint64_t write = chain.add("file output", output, {open_out, read_two}, FC_F_SHORT_STOP);

    // A command whose predecessor failed is cancelled at once, so each close waits for its open, too: no
    // handle is left open, and the last close is the last event.
    const uint64_t close_one =
        chain.add("close 1", close_of(files.handle_one), {open_one, read_one}, FC_F_ALWAYS);
    const uint64_t close_two =
        chain.add("close 2", close_of(files.handle_two), {open_two, read_two}, FC_F_ALWAYS);
    chain.add("close out", close_of(files.handle_out), {open_out, write, close_one, close_two}, FC_F_ALWAYS);

    const Activity before = Activity::now(client, channel);
    chain.run();
    const Activity activity = Activity::now(client, channel).since(before);
    chain.check();
    check_fits(chain, "file readout 1", limit);
    check_fits(chain, "file readout 2", limit);
    if (static_cast<uint64_t>(chain.step("file output").event.event.result) != bytes_read.get()) {
        throw Failure("the output is short");
    }
    std::printf("bytes: %" PRIu64 "\n", bytes_read.get());
    activity.print();
    return 0;
}

struct Span {
    uint64_t picked_up, started, completed;
};

Span span_of(const Chain& chain, const char* name) {
    const fc_event_ts& event = chain.step(name).event;
    return {event.picked_up, event.picked_up + event.started_after, event.picked_up + event.completed_after};
}

void print_span(const char* name, const Span& span, uint64_t zero) {
    std::printf("%s: picked up %+" PRId64 " ns, started %+" PRId64 " ns, completed %+" PRId64 " ns\n", name,
                static_cast<int64_t>(span.picked_up - zero), static_cast<int64_t>(span.started - zero),
                static_cast<int64_t>(span.completed - zero));
}

bool report_overlap(const Chain& chain) {
    const Span one = span_of(chain, "file readout 1");
    const Span two = span_of(chain, "file readout 2");
    const uint64_t zero = std::min(one.picked_up, two.picked_up);
    print_span("file readout 1", one, zero);
    print_span("file readout 2", two, zero);
    const uint64_t from = std::max(one.started, two.started);
    const uint64_t to = std::min(one.completed, two.completed);
    if (from < to) {
        std::printf("overlap: %" PRIu64 " ns\n", to - from);
        return true;
    }
    std::printf("overlap: none\n");
    return false;
}

/// Two buffers, two reads that don't wait for each other, then the writes in order.
int cat_parallel(const std::vector<std::string>& paths, uint32_t limit) {
    client::Client client;
    client::Channel channel(client, 0, 0, FC_CHANNEL_TIMESTAMPS);
    Files files(client, paths);
    const client::Buffer buffer_one(client, limit, true);
    const client::Buffer buffer_two(client, limit, true);
    Variable bytes_one(client);
    Variable bytes_two(client);
    Chain chain(client, channel);

    const uint64_t open_one =
        chain.add("open 1", files.one.open(FC_OPEN_READ, 0, files.handle_one.index()), {});
    const uint64_t open_two =
        chain.add("open 2", files.two.open(FC_OPEN_READ, 0, files.handle_two.index()), {});
    const uint64_t open_out =
        chain.add("open out", files.out.open(kOutFlags, 0644, files.handle_out.index()), {});

    // Both wait for both opens, so that neither gets a head start.
    fc_command read = transfer(FC_OP_READ, files.handle_one, buffer_one, limit);
    farcall_store_result(&read, bytes_one.index());
    const uint64_t read_one = chain.add("file readout 1", read, {open_one, open_two});
    read = transfer(FC_OP_READ, files.handle_two, buffer_two, limit);
    farcall_store_result(&read, bytes_two.index());
    const uint64_t read_two = chain.add("file readout 2", read, {open_one, open_two});

    fc_command output = transfer(FC_OP_WRITE, files.handle_out, buffer_one, 0);
    farcall_length_from(&output, bytes_one.index());
    const uint64_t write_one = chain.add("file output 1", output, {open_out, read_one}, FC_F_SHORT_STOP);
    output = transfer(FC_OP_WRITE, files.handle_out, buffer_two, 0);
    farcall_length_from(&output, bytes_two.index());
    farcall_offset_from(&output, bytes_one.index());
    const uint64_t write_two = chain.add("file output 2", output, {write_one, read_two}, FC_F_SHORT_STOP);

    const uint64_t close_one =
        chain.add("close 1", close_of(files.handle_one), {open_one, read_one}, FC_F_ALWAYS);
    const uint64_t close_two =
        chain.add("close 2", close_of(files.handle_two), {open_two, read_two}, FC_F_ALWAYS);
    chain.add("close out", close_of(files.handle_out), {open_out, write_two, close_one, close_two},
              FC_F_ALWAYS);

    const Activity before = Activity::now(client, channel);
    chain.run();
    const Activity activity = Activity::now(client, channel).since(before);
    chain.check();
    check_fits(chain, "file readout 1", limit);
    check_fits(chain, "file readout 2", limit);
    std::printf("bytes: %" PRIu64 "\n", bytes_one.get() + bytes_two.get());
    activity.print();
    return report_overlap(chain) ? 0 : 2;
}

}  // namespace

int cat(Arguments& arguments) {
    const bool parallel = arguments.flag("--parallel");
    // One byte more than fits shows that a file is too large.
    const auto limit = static_cast<uint32_t>(arguments.number("--buffer", 8u << 20, 1u << 30)) + 1;
    const auto paths = arguments.rest(3, 3, "cat [--parallel] [--buffer BYTES] FILE1 FILE2 OUT");
    return parallel ? cat_parallel(paths, limit) : cat_sequential(paths, limit);
}

}  // namespace farcall::demo
