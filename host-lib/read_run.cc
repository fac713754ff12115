// SPDX-License-Identifier: MIT
#include "host-lib/read_run.h"

#include "host-lib/client.h"
#include "host-lib/operands.h"
#include "host-lib/transfer.h"

namespace farcall {
namespace {

constexpr size_t kPieces = 64;  // as many as the commands have, if their regions are not in shreds

/// Appends the pieces of a read's memory. False: the command is wrong or needs too many; it goes its own way.
bool append_pieces(Client& client, const fc_command& command, std::span<iovec> pieces, size_t* count) {
    if (check_command(command) != 0) return false;
    Region* region = nullptr;
    if (find_range(client, command.region, command.buffer, command.length, true, &region) != 0) return false;
    uint64_t covered;
    *count += region->slice(command.buffer, command.length, pieces.subspan(*count), &covered);
    return covered == command.length;
}

}  // namespace

void ReadRun::add(const fc_command& command) {
    if (count_ != 0) {
        const bool goes_on = command.offset == end_ && command.handle == commands_[0].handle &&
                             count_ < kMost && bytes_ + command.length <= kInlineBytes;
        if (!goes_on) finish();
    }
    end_ = command.offset + command.length;
    bytes_ += command.length;
    commands_[count_++] = command;
}

void ReadRun::finish() {
    uint32_t done = count_ > 1 ? read_together() : 0;
    // What is left: a single read, one that is wrong, where the file ends or is not in the page cache.
    for (; done < count_; done++) {
        Task task;
        task.cmd = commands_[done];
        task.channel = &channel_;
        client_.run_simple(task);
    }
    count_ = 0;
    bytes_ = 0;
}

/// Returns how many of them it completed.
uint32_t ReadRun::read_together() {
    const uint64_t offset = commands_[0].offset;
    File* file = client_.handles().get<File>(commands_[0].handle);
    if (file == nullptr || file->kind != File::Kind::kRegular || !file->readable) return 0;
    if (bytes_ == 0 || offset > INT64_MAX - kInlineBytes || (!file->in_memory && file->nowait_refused[false]))
        return 0;
    std::array<iovec, kPieces> pieces;
    size_t count = 0;
    for (uint32_t i = 0; i < count_; i++)
        if (!append_pieces(client_, commands_[i], pieces, &count)) return 0;
    const Transfer transfer{false, static_cast<int64_t>(offset)};
    int64_t left = transfer.once(*file, {pieces.data(), count}, file->in_memory ? 0 : RWF_NOWAIT);
    uint32_t done = 0;
    for (; done < count_ && left >= static_cast<int64_t>(commands_[done].length); done++) {
        left -= commands_[done].length;
        client_.account(commands_[done], commands_[done].length);
        channel_.push_event(commands_[done], {.result = static_cast<int32_t>(commands_[done].length)});
    }
    return done;
}

}  // namespace farcall
