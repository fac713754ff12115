// SPDX-License-Identifier: MIT
// farcall-kv: a key-value server and its client, as an example of a service. Either side runs in a guest or
// on the host, over either transport (FARCALL), as long as both are clients of one domain.
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include "guest-lib/demo/demo.h"

namespace farcall::demo {
namespace {

constexpr const char* kServiceName = "farcall-kv";
constexpr unsigned kSlots = 16;

/// A request is a key, padded with NULs, and for a put the value behind it; a get's reply is the value.
enum Op : unsigned { kPut = 1, kGet = 2, kDelete = 3 };
constexpr uint32_t kKeyBytes = 64;
constexpr uint32_t kMaxValue = FC_MAX_CALL_BYTES - kKeyBytes;
constexpr uint64_t kMaxStored = 64ull << 20;

// --- server ---

class Store {
  public:
    /// Consents to so many sessions at a time.
    explicit Store(uint64_t max_sessions) : max_sessions_(max_sessions) {}

    /// The result of a call; *reply bytes of reply are at request.data then.
    int handle(const farcall_request& request, unsigned* reply) {
        if (request.kind == FC_CALL_OPEN) return open();
        if (request.kind == FC_CALL_CLOSE) sessions_--;
        if (request.kind != FC_CALL_OP) return 0;
        if (request.bytes < kKeyBytes) return -EINVAL;
        const auto* text = static_cast<const char*>(request.data);
        const std::string key(text, strnlen(text, kKeyBytes));
        switch (request.op) {
            case kPut:
                return put(key, {text + kKeyBytes, request.bytes - kKeyBytes});
            case kGet:
                return get(key, request, reply);
            case kDelete:
                return remove(key);
            default:
                return -EOPNOTSUPP;
        }
    }

  private:
    int open() {
        if (sessions_ >= max_sessions_) return -EACCES;
        sessions_++;
        return 0;
    }
    int put(const std::string& key, std::string value) {
        const auto old = values_.find(key);
        const uint64_t freed = old == values_.end() ? 0 : old->second.size();
        if (stored_ - freed + value.size() + kKeyBytes > kMaxStored) return -ENOSPC;
        stored_ += value.size() - freed + (old == values_.end() ? kKeyBytes : 0);
        values_[key] = std::move(value);
        return 0;
    }
    int get(const std::string& key, const farcall_request& request, unsigned* reply) const {
        const auto found = values_.find(key);
        if (found == values_.end()) return -ENOENT;
        const std::string& value = found->second;
        if (value.size() > request.capacity || value.size() > request.room) return -EMSGSIZE;
        value.copy(static_cast<char*>(request.data), value.size());
        *reply = static_cast<unsigned>(value.size());
        return static_cast<int>(value.size());
    }
    int remove(const std::string& key) {
        const auto found = values_.find(key);
        if (found == values_.end()) return -ENOENT;
        stored_ -= found->second.size() + kKeyBytes;
        values_.erase(found);
        return 0;
    }

    std::map<std::string, std::string> values_;
    uint64_t stored_ = 0;
    const uint64_t max_sessions_;
    uint64_t sessions_ = 0;
};

/// Until it is killed: the host then ends what its clients wait for.
int serve(Arguments& arguments) {
    const std::string name = arguments.option("--name").value_or(kServiceName);
    const uint64_t spin = arguments.number("--spin", 1, 1'000'000'000);
    Store store(arguments.number("--sessions", UINT32_MAX, UINT32_MAX));
    arguments.rest(0, 0, "serve [--name NAME] [--spin NS] [--sessions N]");
    client::Client client;
    farcall_service* service = nullptr;
    client::check(farcall_service_create(client.get(), name.c_str(), kSlots, FC_MAX_CALL_BYTES, &service),
                  "serving");
    farcall_set_spin(farcall_service_channel(service), spin);
    std::printf("serving %s\n", name.c_str());
    std::fflush(stdout);
    int rc = 0;
    while (rc >= 0 || rc == -EINTR) {
        farcall_request request;
        rc = farcall_service_next(service, &request, -1);
        if (rc <= 0) continue;
        unsigned bytes = 0;
        const int result = store.handle(request, &bytes);
        rc = farcall_service_reply(service, &request, result, bytes);
    }
    farcall_service_destroy(service);
    throw Failure("the service ended: " + error_text(rc));
}

// --- client ---

/// The client's side: a session with the server, and memory for requests.
class Session {
  public:
    explicit Session(const std::string& name) : channel(client), request_(client, FC_MAX_CALL_BYTES, true) {
        name.copy(reinterpret_cast<char*>(request_.data()), name.size());
        fc_command command;
        farcall_prep_service_open(&command, request_.region(), 0, static_cast<uint32_t>(name.size()));
        const int handle = perform(channel, command);
        if (handle < 0) throw Failure("no server: " + error_text(handle));
        service = static_cast<uint32_t>(handle);
    }
    /// A call about `key`; the reply replaces the request.
    int call(Op op, const std::string& key, const std::string& value, uint32_t capacity) {
        put_key(request_, key);
        if (value.size() > kMaxValue) throw Failure("the value is too long");
        value.copy(reinterpret_cast<char*>(request_.data()) + kKeyBytes, value.size());
        fc_command command;
        farcall_prep_call(&command, service, op, 0, request_.region(), 0,
                          kKeyBytes + static_cast<uint32_t>(value.size()), capacity);
        return perform(channel, command);
    }
    const char* reply() const { return reinterpret_cast<const char*>(request_.data()); }

    static void put_key(const client::Buffer& buffer, const std::string& key) {
        if (key.empty() || key.size() > kKeyBytes) throw Failure("a key has 1 to 64 bytes");
        std::memset(buffer.data(), 0, kKeyBytes);
        key.copy(reinterpret_cast<char*>(buffer.data()), key.size());
    }

    client::Client client;
    client::Channel channel;
    uint32_t service = 0;

  private:
    client::Buffer request_;
};

int report(int result) {
    if (result >= 0) return 0;
    std::fprintf(stderr, "farcall-kv: %s\n", error_text(result).c_str());
    return 1;
}

int put(Arguments& arguments) {
    Session session(arguments.option("--name").value_or(kServiceName));
    const auto words = arguments.rest(2, 2, "put [--name NAME] KEY VALUE");
    return report(session.call(kPut, words[0], words[1], 0));
}

int get(Arguments& arguments) {
    Session session(arguments.option("--name").value_or(kServiceName));
    const auto words = arguments.rest(1, 1, "get [--name NAME] KEY");
    const int result = session.call(kGet, words[0], "", FC_MAX_CALL_BYTES);
    if (result > 0) std::fwrite(session.reply(), 1, static_cast<size_t>(result), stdout);
    return report(result);
}

int remove(Arguments& arguments) {
    Session session(arguments.option("--name").value_or(kServiceName));
    const auto words = arguments.rest(1, 1, "delete [--name NAME] KEY");
    return report(session.call(kDelete, words[0], "", 0));
}

/// Through the server with no step of this process in between: the file is read to behind a key, put, got
/// back and written. The lengths go from command to command in variables.
int copy(Arguments& arguments) {
    Session session(arguments.option("--name").value_or(kServiceName));
    const auto words = arguments.rest(3, 3, "copy [--name NAME] FILE KEY OUT");
    client::Client& client = session.client;
    const PathBuffer in(client, parse_path(words[0])), out(client, parse_path(words[2]));
    const client::Buffer sent(client, FC_MAX_CALL_BYTES + 1, true), got(client, FC_MAX_CALL_BYTES, true);
    Session::put_key(sent, words[1]);
    Session::put_key(got, words[1]);
    const Variable handle_in(client, kNoHandle), handle_out(client, kNoHandle);
    const Variable request_bytes(client, kKeyBytes), value_bytes(client);
    Chain chain(client, session.channel);

    const uint64_t open_in = chain.add("open in", in.open(FC_OPEN_READ, 0, handle_in.index()), {});
    const uint64_t open_out =
        chain.add("open out",
                  out.open(FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE, 0644, handle_out.index()), {});
    fc_command command;
    // One byte more than fits: a longer file fails at the call instead of being cut off.
    farcall_prep_read(&command, 0, 0, sent.region(), kKeyBytes, kMaxValue + 1);
    farcall_handle_from(&command, handle_in.index());
    farcall_add_result(&command, request_bytes.index());
    const uint64_t read = chain.add("read", command, {open_in});
    farcall_prep_call(&command, session.service, kPut, 0, sent.region(), 0, 0, 0);
    farcall_offset_from(&command, request_bytes.index());
    const uint64_t put = chain.add("put", command, {read});
    farcall_prep_call(&command, session.service, kGet, 0, got.region(), 0, kKeyBytes, FC_MAX_CALL_BYTES);
    farcall_store_result(&command, value_bytes.index());
    const uint64_t get = chain.add("get", command, {put});
    farcall_prep_write(&command, 0, 0, got.region(), 0, 0);
    farcall_handle_from(&command, handle_out.index());
    farcall_length_from(&command, value_bytes.index());
    const uint64_t write = chain.add("write", command, {open_out, get}, FC_F_SHORT_STOP);
    farcall_prep_close(&command, 0);
    farcall_handle_from(&command, handle_in.index());
    const uint64_t close_in = chain.add("close in", command, {open_in, read}, FC_F_ALWAYS);
    farcall_prep_close(&command, 0);
    farcall_handle_from(&command, handle_out.index());
    chain.add("close out", command, {open_out, write, close_in}, FC_F_ALWAYS);

    const Activity before = Activity::now(client, session.channel);
    chain.run();
    const Activity activity = Activity::now(client, session.channel).since(before);
    chain.check();
    std::printf("bytes: %llu\n", static_cast<unsigned long long>(value_bytes.get()));
    activity.print();
    return 0;
}

struct Subcommand {
    const char* name;
    int (*run)(Arguments&);
    const char* usage;
};
constexpr std::array kSubcommands = {
    Subcommand{"serve", serve, "serve [--name NAME] [--spin NS] [--sessions N]"},
    Subcommand{"put", put, "put [--name NAME] KEY VALUE"},
    Subcommand{"get", get, "get [--name NAME] KEY"},
    Subcommand{"delete", remove, "delete [--name NAME] KEY"},
    Subcommand{"copy", copy, "copy [--name NAME] FILE KEY OUT"},
};

int run(int argc, char** argv) {
    for (const Subcommand& subcommand : kSubcommands) {
        if (argc < 2 || std::strcmp(argv[1], subcommand.name) != 0) continue;
        Arguments arguments({argv + 2, argv + argc});
        return subcommand.run(arguments);
    }
    std::fprintf(stderr, "usage:\n");
    for (const Subcommand& subcommand : kSubcommands)
        std::fprintf(stderr, "  farcall-kv %s\n", subcommand.usage);
    return 1;
}

}  // namespace
}  // namespace farcall::demo

int main(int argc, char** argv) {
    try {
        return farcall::demo::run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "farcall-kv: %s\n", error.what());
        return 1;
    }
}
