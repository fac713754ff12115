// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <farcall/control.h>
#include <farcall/farcall.hpp>

namespace farcall::demo {

/// What is wrong, for the user.
class Failure : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// "N:path" or "path": a share's handle and a path inside it.
struct SharePath {
    uint32_t share = 0;
    std::string path;
};
SharePath parse_path(std::string_view text);

/// Arguments of a subcommand: "--name value", "--name" and the rest. Takes what it knows, complains about
/// what is left.
class Arguments {
  public:
    explicit Arguments(std::vector<std::string> words) : words_(std::move(words)) {}
    bool flag(std::string_view name);
    std::optional<std::string> option(std::string_view name);
    uint64_t number(std::string_view name, uint64_t default_value, uint64_t max);
    /// The words that are left; throws Failure with `usage` unless there are `min` to `max` and none is an
    /// option.
    std::vector<std::string> rest(size_t min, size_t max, const char* usage);

  private:
    std::vector<std::string> words_;
};

/// Commands that wait for each other, posted in one go. Each has an event ID and a name; all but the last are
/// quiet, so the last must wait, directly or through others, for all of them, with FC_F_ALWAYS.
class Chain {
  public:
    struct Step {
        const char* name;
        fc_command command;
        fc_event_ts event{};
        bool done = false;
    };
    explicit Chain(client::Client& client, client::Channel& channel);

    /// Adds a prepared command; returns its event ID.
    uint64_t add(const char* name, fc_command command, std::vector<uint64_t> after, unsigned flags = 0);
    /// Posts all and sleeps until all have completed. Throws Failure when the channel dies or nothing comes
    /// for a minute.
    void run();
    /// Forgets the steps, so that the next chain can be built.
    void clear();
    const Step& step(const char* name) const;
    /// Throws Failure for the first step with a negative result that was not cancelled because of another.
    void check() const;

  private:
    Step& step_of(uint64_t id);

    client::Client& client_;
    client::Channel& channel_;
    client::Buffer lists_;  ///< wait lists
    size_t lists_used_ = 0;
    std::vector<Step> steps_;
};

/// A path in shared memory.
class PathBuffer {
  public:
    PathBuffer(client::Client& client, const SharePath& path);
    /// An open of it; its result goes to variable `handle`.
    fc_command open(unsigned flags, unsigned mode, uint32_t handle_variable) const;

  private:
    SharePath path_;
    client::Buffer buffer_;
};

/// A variable, freed on destruction.
class Variable {
  public:
    explicit Variable(client::Client& client, uint64_t value = 0);
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable();
    uint32_t index() const { return index_; }
    uint64_t get() const { return farcall_var_get(client_, index_); }
    void set(uint64_t value) { farcall_var_set(client_, index_, value); }

  private:
    farcall_client* client_;
    uint32_t index_;
};

/// A value that is no handle: what a handle variable holds before its open has succeeded.
constexpr uint64_t kNoHandle = 0xffffffffu;

/// Posts one command and waits for its result. -ETIME after 10 s.
int perform(client::Channel& channel, fc_command command);

/// Counters of a stretch of work: what the library did, and context switches as the kernel counts them.
struct Activity {
    farcall_counters counters{};
    uint64_t voluntary_switches = 0;
    uint32_t vm_exits = 0;  ///< of the whole VM; what asking for them cost is taken off by since()
    bool local = false;
    static Activity now(client::Client& client, client::Channel& channel);
    Activity since(const Activity& before) const;
    void print() const;
};

std::string error_text(int result);

int cat(Arguments& arguments);
int catmany(Arguments& arguments);
int latency(Arguments& arguments);
int abuse(Arguments& arguments);
int files(Arguments& arguments);
int list(Arguments& arguments);
int call(Arguments& arguments);
int serve(Arguments& arguments);
int sendfile(Arguments& arguments);
int calls(Arguments& arguments);
int neighbours(Arguments& arguments);
int detach(Arguments& arguments);
int timed(Arguments& arguments);
int timers(Arguments& arguments);
int wakeup(Arguments& arguments);
int shares(Arguments& arguments);
int event_cost(Arguments& arguments);
int inherit(Arguments& arguments);
int urgent(Arguments& arguments);
int twins(Arguments& arguments);

}  // namespace farcall::demo
