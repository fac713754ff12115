// SPDX-License-Identifier: MIT
#include "guest-lib/demo/requests.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace farcall::demo {

namespace {

constexpr int64_t kPatience = 20'000'000'000;

std::string text_of(int64_t value) {
    return value < 0 && value > -4096 ? error_text(static_cast<int>(value)) : std::to_string(value);
}

}  // namespace

uint64_t Requests::fresh_id() {
    const uint64_t id = farcall_event_id(channel_.get());
    if (id == 0) throw Failure("the host gives no event IDs");
    return id;
}

uint64_t Requests::post(fc_command command) {
    if ((command.flags & FC_F_ID) == 0) farcall_set_id(&command, fresh_id());
    int rc;
    while ((rc = farcall_post(channel_.get(), &command)) == -EAGAIN)
        collect(kPatience);
    client::check(rc, "posting");
    return command.id;
}

void Requests::collect(int64_t timeout_ns) {
    fc_event events[32];
    for (;;) {
        const int count = client::check(farcall_poll(channel_.get(), events, 32), "reading events");
        arrived_.insert(arrived_.end(), events, events + count);
        if (count > 0) return;
        const int rc = farcall_wait(channel_.get(), timeout_ns);
        if (rc == -ETIME) return;
        if (rc != -EINTR) client::check(rc, "waiting for events");
    }
}

fc_event Requests::next(uint64_t id) {
    for (;;) {
        const auto found = std::find_if(arrived_.begin(), arrived_.end(),
                                        [id](const fc_event& event) { return event.id == id; });
        if (found != arrived_.end()) {
            const fc_event event = *found;
            arrived_.erase(found);
            return event;
        }
        const size_t before = arrived_.size();
        collect(kPatience);
        if (arrived_.size() == before) throw Failure("no event for 20 s");
    }
}

fc_event Requests::next() {
    if (arrived_.empty()) collect(kPatience);
    if (arrived_.empty()) throw Failure("no event for 20 s");
    const fc_event event = arrived_.front();
    arrived_.pop_front();
    return event;
}

int Requests::result(uint64_t id) {
    fc_event event;
    do
        event = next(id);
    while ((event.flags & FC_E_MORE) != 0);
    return event.result;
}

bool Requests::silent(uint64_t id) {
    collect(0);
    return std::none_of(arrived_.begin(), arrived_.end(),
                        [id](const fc_event& event) { return event.id == id; });
}

void Requests::sleep(uint64_t ns) {
    fc_command command;
    farcall_prep_timer(&command, ns, 0);
    expect("a timer", run(command), 0);
}

void expect(const std::string& what, int64_t got, int64_t wanted) {
    if (got != wanted) throw Failure(what + ": " + text_of(got) + ", expected " + text_of(wanted));
}

uint32_t handle_of(const std::string& what, int result) {
    if (result < 0) throw Failure(what + ": " + error_text(result));
    return static_cast<uint32_t>(result);
}

Text::Text(client::Client& client, std::string_view text) : buffer_(client, text.size()) {
    std::memcpy(buffer_.data(), text.data(), text.size());
}

int open_file(Requests& requests, std::string_view path, unsigned flags, unsigned mode) {
    const SharePath place = parse_path(path);
    const Text text(requests.client(), place.path);
    fc_command command;
    farcall_prep_open(&command, FC_HANDLE_SHARE(place.share), text.region(), text.offset(), text.length(),
                      flags, mode);
    return requests.run(command);
}

}  // namespace farcall::demo
