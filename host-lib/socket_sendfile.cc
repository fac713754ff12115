// SPDX-License-Identifier: MIT
// SENDFILE to a stream socket: reads in the blocking pool and sends on the worker take turns, so that neither
// a slow disk nor a slow peer holds anybody up.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "host-lib/client.h"
#include "host-lib/file_job.h"
#include "host-lib/operands.h"
#include "host-lib/socket.h"
#include "host-lib/socket_ops.h"
#include "host-lib/transfer.h"
#include "host-lib/worker.h"

namespace farcall {
namespace {

constexpr size_t kChunk = 128 << 10;

using Outcome = ReadyWaiter::Outcome;

class SendfileWaiter final : public ReadyWaiter {
  public:
    SendfileWaiter(Client& client, std::shared_ptr<Socket> socket, std::shared_ptr<File> file, int64_t offset,
                   uint32_t length)
        : ReadyWaiter(client, Side::kWrite),
          socket_(std::move(socket)),
          file_(std::move(file)),
          offset_(offset),
          left_(length) {}
    ~SendfileWaiter() override {
        drop_elsewhere(client().worker(), std::move(file_));
    }  // its close may block

    Outcome retry(uint32_t /*ready*/) override {
        if (filling_) return Outcome::wait();
        while (at_ < chunk_.size()) {
            iovec piece{chunk_.data() + at_, chunk_.size() - at_};
            msghdr message{};
            message.msg_iov = &piece;
            message.msg_iovlen = 1;
            const int more = left_ > 0 ? MSG_MORE : 0;
            const ssize_t n = ::sendmsg(socket_->fd.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL | more);
            if (n < 0 && errno == EAGAIN) return Outcome::wait();
            if (n < 0 && errno != EINTR) return end(-errno);
            if (n > 0) at_ += static_cast<size_t>(n), sent_ += n;
        }
        if (left_ == 0 || ended_ != 0) return end(std::min<int64_t>(ended_, 0));
        fill();
        return Outcome::wait();
    }

    /// What a read gave: bytes, or the end of the file (`result` 0), or -errno.
    void filled(std::vector<char> chunk, int64_t result) {
        filling_ = false;
        chunk_ = std::move(chunk);
        at_ = 0;
        ended_ = result > 0 ? 0 : result < 0 ? result : 1;
        left_ -= static_cast<uint32_t>(std::max<int64_t>(result, 0));
        if (offset_ >= 0) offset_ += std::max<int64_t>(result, 0);
        look_again();
    }

  private:
    void fill();
    Outcome end(int64_t err) {
        // What was read and not sent was not read either.
        if (offset_ < 0 && at_ < chunk_.size())
            lseek(file_->fd, -static_cast<off_t>(chunk_.size() - at_), SEEK_CUR);
        return Outcome::done(sent_ > 0 || err == 0 ? sent_ : err);
    }

    std::shared_ptr<Socket> socket_;
    std::shared_ptr<File> file_;
    int64_t offset_;  ///< -1: the file's own position
    uint32_t left_;   ///< bytes to read
    int64_t sent_ = 0;
    std::vector<char> chunk_;
    size_t at_ = 0;
    int64_t ended_ = 0;  ///< 1: the file ended; below 0: why a read failed
    bool filling_ = false;
};

/// One read; its command may be over when it comes back.
class FillJob final : public Job {
  public:
    FillJob(Client& client, EventGraph::Ref ref, std::shared_ptr<File> file, int64_t offset, size_t bytes)
        : client_(client.id()), ref_(ref), file_(std::move(file)), offset_(offset), chunk_(bytes) {
        home = &client.worker();
    }
    void block() override {
        const iovec piece{chunk_.data(), chunk_.size()};
        result_ = Transfer{false, offset_}.once(*file_, {&piece, 1}, 0);
        chunk_.resize(static_cast<size_t>(std::max<int64_t>(result_, 0)));
        file_.reset();
    }
    void run(Worker& worker) override {
        Client* client = worker.find_client(client_);
        Waiter* waiter = client == nullptr ? nullptr : client->waiter(ref_);
        if (waiter != nullptr) static_cast<SendfileWaiter*>(waiter)->filled(std::move(chunk_), result_);
    }

  private:
    ClientId client_;
    EventGraph::Ref ref_;  // of that command only, so that its waiter is a SendfileWaiter
    std::shared_ptr<File> file_;
    int64_t offset_;
    std::vector<char> chunk_;
    int64_t result_ = 0;
};

void SendfileWaiter::fill() {
    filling_ = true;
    chunk_.clear();
    at_ = 0;
    const size_t bytes = std::min<size_t>(left_, kChunk);
    client().worker().pool().post(std::make_unique<FillJob>(client(), ref(), file_, offset_, bytes));
}

}  // namespace

int64_t socket_sendfile(Client& client, Task& task, uint64_t handle, std::shared_ptr<File> file,
                        int64_t offset, uint32_t length) {
    std::shared_ptr<Socket> socket = client.handles().share<Socket>(handle);
    if (!socket->stream()) return -EINVAL;
    if (length == 0) return 0;
    Watch& watch = socket->watched(client.worker().readiness());
    auto waiter =
        std::make_unique<SendfileWaiter>(client, std::move(socket), std::move(file), offset, length);
    return suspend_on(client, task, watch, std::move(waiter), 0, true);
}

}  // namespace farcall
