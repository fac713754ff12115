// SPDX-License-Identifier: MIT
#include "guest-lib/demo/demo.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace farcall::demo {

namespace {

constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

SharePath parse_path(std::string_view text) {
    SharePath result;
    const size_t colon = text.find(':');
    if (colon > 0 && colon <= 2) {
        const auto end = std::from_chars(text.data(), text.data() + colon, result.share);
        if (end.ec == std::errc() && end.ptr == text.data() + colon && result.share < FC_MAX_SHARES) {
            text.remove_prefix(colon + 1);
        }
    }
    if (text.empty()) throw Failure("an empty path");
    result.path = text;
    return result;
}

bool Arguments::flag(std::string_view name) {
    const auto found = std::find(words_.begin(), words_.end(), name);
    if (found == words_.end()) return false;
    words_.erase(found);
    return true;
}

std::optional<std::string> Arguments::option(std::string_view name) {
    const auto found = std::find(words_.begin(), words_.end(), name);
    if (found == words_.end()) return std::nullopt;
    if (found + 1 == words_.end()) throw Failure(std::string(name) + " needs a value");
    std::string value = *(found + 1);
    words_.erase(found, found + 2);
    return value;
}

uint64_t Arguments::number(std::string_view name, uint64_t default_value, uint64_t max) {
    const auto text = option(name);
    if (!text) return default_value;
    uint64_t value = 0;
    const auto end = std::from_chars(text->data(), text->data() + text->size(), value);
    if (end.ec != std::errc() || end.ptr != text->data() + text->size() || value == 0 || value > max) {
        throw Failure(std::string(name) + " needs a number from 1 to " + std::to_string(max) + ", got \"" +
                      *text + "\"");
    }
    return value;
}

std::vector<std::string> Arguments::rest(size_t min, size_t max, const char* usage) {
    const bool option_left = std::any_of(words_.begin(), words_.end(),
                                         [](const std::string& word) { return word.starts_with("--"); });
    if (option_left || words_.size() < min || words_.size() > max)
        throw Failure(std::string("usage: farcall-demo ") + usage);
    return std::move(words_);
}

Chain::Chain(client::Client& client, client::Channel& channel)
    : client_(client), channel_(channel), lists_(client, 4096) {}

uint64_t Chain::add(const char* name, fc_command command, std::vector<uint64_t> after, unsigned flags) {
    const uint64_t id = farcall_event_id(channel_.get());
    if (id == 0) throw Failure("the host gives no event IDs");
    farcall_set_id(&command, id);
    farcall_add_flags(&command, flags | FC_F_QUIET);
    if (!after.empty()) {
        const size_t bytes = after.size() * sizeof(uint64_t);
        if (lists_used_ + bytes > lists_.size()) throw Failure("a chain with too many wait lists");
        auto* list = reinterpret_cast<uint64_t*>(lists_.data() + lists_used_);
        std::copy(after.begin(), after.end(), list);
        const auto count = static_cast<unsigned>(after.size());
        farcall_after_list(&command, list, lists_.offset() + lists_used_, count);
        lists_used_ += bytes;
    }
    steps_.push_back({name, command});
    return id;
}

void Chain::clear() {
    steps_.clear();
    lists_used_ = 0;
}

Chain::Step& Chain::step_of(uint64_t id) {
    for (Step& step : steps_) {
        if (step.command.id == id && !step.done) return step;
    }
    throw Failure("an event for a command that was never posted");
}

void Chain::run() {
    steps_.back().command.flags &= static_cast<fc_u16>(~FC_F_QUIET);
    for (const Step& step : steps_) {
        fc_command* command = farcall_prepare(channel_.get());
        if (command == nullptr) throw Failure("a chain longer than the ring");
        *command = step.command;
    }
    client::check(farcall_submit(channel_.get()), "posting");
    const bool stamps = farcall_poll_ts(channel_.get(), nullptr, 0) != -EINVAL;
    for (size_t done = 0; done < steps_.size();) {
        fc_event_ts events[32];
        int count = 0;
        if (stamps) {
            count = farcall_poll_ts(channel_.get(), events, 32);
        } else {
            fc_event plain[32];
            count = farcall_poll(channel_.get(), plain, 32);
            for (int i = 0; i < count; i++)
                events[i] = {plain[i]};
        }
        client::check(count, "reading events");
        for (int i = 0; i < count; i++) {
            Step& step = step_of(events[i].event.id);
            step.event = events[i];
            step.done = true;
        }
        done += static_cast<size_t>(count);
        if (count != 0 || done == steps_.size()) continue;
        const int rc = farcall_wait(channel_.get(), 60 * kSecond);
        if (rc != -EINTR) client::check(rc, "waiting for events");
    }
}

const Chain::Step& Chain::step(const char* name) const {
    for (const Step& step : steps_) {
        if (std::strcmp(step.name, name) == 0) return step;
    }
    throw Failure(std::string("no step ") + name);
}

void Chain::check() const {
    for (const Step& step : steps_) {
        const int result = step.event.event.result;
        if (result < 0 && result != -ECANCELED)
            throw Failure(std::string(step.name) + ": " + error_text(result));
    }
    for (const Step& step : steps_) {
        if (step.event.event.result < 0) throw Failure(std::string(step.name) + ": cancelled");
    }
}

PathBuffer::PathBuffer(client::Client& client, const SharePath& path)
    : path_(path), buffer_(client, path.path.size()) {
    std::memcpy(buffer_.data(), path.path.data(), path.path.size());
}

fc_command PathBuffer::open(unsigned flags, unsigned mode, uint32_t handle_variable) const {
    fc_command command;
    farcall_prep_open(&command, FC_HANDLE_SHARE(path_.share), buffer_.region(), buffer_.offset(),
                      static_cast<uint32_t>(path_.path.size()), flags, mode);
    farcall_store_result(&command, handle_variable);
    return command;
}

Variable::Variable(client::Client& client, uint64_t value)
    : client_(client.get()),
      index_(static_cast<uint32_t>(client::check(farcall_var_alloc(client.get()), "farcall_var_alloc"))) {
    set(value);
}

Variable::~Variable() {
    farcall_var_free(client_, static_cast<int>(index_));
}

int perform(client::Channel& channel, fc_command command) {
    client::check(farcall_post(channel.get(), &command), "posting");
    fc_event event{};
    for (;;) {
        const int count = farcall_poll(channel.get(), &event, 1);
        if (count < 0) return count;
        if (count == 1) return event.result;
        const int rc = farcall_wait(channel.get(), 10 * kSecond);
        if (rc < 0 && rc != -EINTR) return rc;
    }
}

Activity Activity::now(client::Client& client, client::Channel& channel) {
    Activity activity;
    farcall_info info{};
    if (const int rc = farcall_get_info(client.get(), &info); rc < 0) throw Failure(error_text(rc));
    activity.vm_exits = info.vm_exits;
    activity.local = info.local != 0;
    farcall_get_counters(channel.get(), &activity.counters);
    std::ifstream status("/proc/self/status");
    const std::string key = "voluntary_ctxt_switches:";
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(key)) activity.voluntary_switches = std::stoull(line.substr(key.size()));
    }
    return activity;
}

Activity Activity::since(const Activity& before) const {
    Activity result = *this;
    result.counters.posts -= before.counters.posts;
    result.counters.events -= before.counters.events;
    result.counters.doorbells -= before.counters.doorbells;
    result.counters.sleeps -= before.counters.sleeps;
    result.counters.system_calls -= before.counters.system_calls;
    result.voluntary_switches -= before.voluntary_switches;
    result.vm_exits -= before.vm_exits + (local ? 0 : 1);
    return result;
}

void Activity::print() const {
    std::printf(
        "commands: %llu\nwake-ups: %llu\nsystem calls by libfarcall: %llu\ndoorbells: %llu\n"
        "voluntary context switches: %llu\n",
        static_cast<unsigned long long>(counters.posts), static_cast<unsigned long long>(counters.sleeps),
        static_cast<unsigned long long>(counters.system_calls),
        static_cast<unsigned long long>(counters.doorbells),
        static_cast<unsigned long long>(voluntary_switches));
    if (!local) std::printf("VM exits to the monitor, of the whole VM: %u\n", vm_exits);
}

std::string error_text(int result) {
    const char* name = strerrorname_np(-result);
    return std::string("-") + (name != nullptr ? name : "?") + " (" + std::strerror(-result) + ")";
}

}  // namespace farcall::demo
