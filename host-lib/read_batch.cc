// SPDX-License-Identifier: MIT
#include "host-lib/read_batch.h"

#include "host-lib/client.h"
#include "host-lib/operands.h"
#include "host-lib/transfer.h"
#include "host-lib/worker.h"

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

void ReadBatch::add(const fc_command& command) {
    if (count_ == kMost || (count_ != 0 && bytes_ + command.length > kInlineBytes)) finish();
    bytes_ += command.length;
    commands_[count_++] = command;
}

void ReadBatch::finish() {
    sized_ = nullptr;
    for (uint32_t at = 0; at < count_;) {
        if (copy_mapped(at)) {
            at++;
            continue;
        }
        const uint32_t run = run_length(at);
        uint32_t done = run > 1 ? read_together(at, run) : 0;
        // What is left: a single read, one that is wrong, where the file ends or is not in the page cache.
        for (; done < run; done++) {
            Task task;
            task.cmd = commands_[at + done];
            task.channel = &channel_;
            results_[at + done] = client_.run_simple(task);
        }
        at += run;
    }
    for (uint32_t i = 0; i < count_; i++) {
        if (results_[i] != kPending) client_.answer(channel_, commands_[i], results_[i]);
    }
    count_ = 0;
    bytes_ = 0;
}

/// Does one of them if the file has a mapped window there; one look at the file's size is enough for all of
/// them.
bool ReadBatch::copy_mapped(uint32_t index) {
    const fc_command& command = commands_[index];
    File* file = client_.handles().get<File>(command.handle);
    if (file == nullptr || file->windows == nullptr || command.offset > INT64_MAX - kInlineBytes)
        return false;
    const MappedWindow* window = file->windows->find(command.offset, command.length);
    if (window == nullptr || !file->readable) return false;
    if (sized_ != file) {
        sized_ = file;
        size_ = window->file_size();
    }
    if (check_command(command) != 0) return false;
    Region* region = nullptr;
    if (find_range(client_, command.region, command.buffer, command.length, true, &region) != 0) return false;
    WindowCache& windows = client_.worker().windows();
    if (!windows.copy(*file, *window, size_, command.offset, *region, command.buffer, command.length))
        return false;
    results_[index] = command.length;
    return true;
}

/// How many from `first` on adjoin in one file.
uint32_t ReadBatch::run_length(uint32_t first) const {
    uint32_t next = first + 1;
    while (next < count_ && commands_[next].handle == commands_[first].handle &&
           commands_[next].offset == commands_[next - 1].offset + commands_[next - 1].length)
        next++;
    return next - first;
}

/// Returns how many of them it did.
uint32_t ReadBatch::read_together(uint32_t first, uint32_t count) {
    const uint64_t offset = commands_[first].offset;
    File* file = client_.handles().get<File>(commands_[first].handle);
    if (file == nullptr || file->kind != File::Kind::kRegular || !file->readable) return 0;
    if (offset > INT64_MAX - kInlineBytes || (!file->in_memory && file->nowait_refused[false])) return 0;
    std::array<iovec, kPieces> pieces;
    size_t used = 0;
    for (uint32_t i = first; i < first + count; i++)
        if (!append_pieces(client_, commands_[i], pieces, &used)) return 0;
    if (used == 0) return 0;
    const Transfer transfer{false, static_cast<int64_t>(offset)};
    int64_t left = transfer.once(*file, {pieces.data(), used}, file->in_memory ? 0 : RWF_NOWAIT);
    uint32_t done = 0;
    for (; done < count && left >= static_cast<int64_t>(commands_[first + done].length); done++)
        left -= results_[first + done] = commands_[first + done].length;
    return done;
}

}  // namespace farcall
