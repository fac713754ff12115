// SPDX-License-Identifier: MIT
#include "guest-lib/init/pump.h"

#include <unistd.h>

#include <cerrno>

namespace farcall::init {

namespace {

constexpr std::byte kEndOfTransmission{4};

}  // namespace

OutputPump::OutputPump(client::Client& client, client::Channel& channel, int fd, uint32_t handle, Tag tag)
    : channel_(channel), buffer_(client, kBytes), fd_(fd), handle_(handle), tag_(tag) {}

OutputPump::~OutputPump() {
    close();
}

void OutputPump::on_readable() {
    const ssize_t got = ::read(fd_, buffer_.data(), kBytes);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // A terminal whose last user is gone gives EIO.
    if (got <= 0) return close();
    filled_ = static_cast<uint32_t>(got);
    sent_ = 0;
    post();
}

void OutputPump::post() {
    fc_command command;
    farcall_prep_write(&command, handle_, FC_OFFSET_CURRENT, buffer_.region(), buffer_.offset() + sent_,
                       filled_ - sent_);
    farcall_set_data(&command, tag_);
    busy_ = farcall_post(channel_.get(), &command) == 0;
    if (!busy_) close();
}

void OutputPump::on_event(int result) {
    busy_ = false;
    // The host's side of the stream is closed: the command gets SIGPIPE, as it would there.
    if (result < 0 && result != -EINTR) return close();
    sent_ += result > 0 ? static_cast<uint32_t>(result) : 0;
    if (sent_ < filled_) post();
}

void OutputPump::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

InputPump::InputPump(client::Client& client, client::Channel& channel, int fd, bool terminal)
    : channel_(channel), buffer_(client, kBytes), fd_(fd), terminal_(terminal) {}

InputPump::~InputPump() {
    close();
}

void InputPump::post() {
    fc_command command;
    farcall_prep_read(&command, FC_HANDLE_STDIN, FC_OFFSET_CURRENT, buffer_.region(), buffer_.offset(),
                      kBytes);
    farcall_set_data(&command, kTagIn);
    if (farcall_post(channel_.get(), &command) < 0) close();
}

void InputPump::on_event(int result) {
    if (fd_ < 0) return;
    if (result == -EINTR) return post();
    written_ = 0;
    filled_ = result > 0 ? static_cast<uint32_t>(result) : 0;
    ended_ = result <= 0;
    if (ended_ && terminal_) {
        *buffer_.data() = kEndOfTransmission;
        filled_ = 1;
    } else if (ended_) {
        return close();
    }
    on_writable();
}

void InputPump::on_writable() {
    while (written_ < filled_) {
        const ssize_t done = ::write(fd_, buffer_.data() + written_, filled_ - written_);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0 && errno == EAGAIN) return;
        if (done < 0) return close();
        written_ += static_cast<uint32_t>(done);
    }
    if (!ended_) post();
}

void InputPump::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
    filled_ = written_ = 0;
}

}  // namespace farcall::init
