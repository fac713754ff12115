// SPDX-License-Identifier: MIT
// Two processes that wait for each other's commands with no step of either in between.
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "guest-lib/demo/requests.h"

namespace farcall::demo {

namespace {

/// What the owner tells its neighbour, through a pipe.
struct Invitation {
    uint32_t serial;
    uint64_t first;
};
constexpr uint64_t kShared = 4;

class Pipe {
  public:
    Pipe() {
        if (::pipe(ends_) < 0) throw Failure("no pipe");
    }
    ~Pipe() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    template <typename T>
    void put(const T& value) {
        if (::write(ends_[1], &value, sizeof(value)) != sizeof(value)) throw Failure("a pipe that is closed");
    }
    template <typename T>
    T get() {
        T value;
        if (::read(ends_[0], &value, sizeof(value)) != sizeof(value)) throw Failure("a pipe that is closed");
        return value;
    }

  private:
    int ends_[2];
};

client::Client client_near(uint32_t serial) {
    farcall_options options{};
    options.near_serial = serial;
    return client::Client(nullptr, options);
}

int share(Requests& requests, uint64_t first, uint64_t count, uint32_t serial) {
    fc_command command;
    farcall_prep_event_share(&command, first, count, serial);
    return requests.run(command);
}

/// The result of a nop that waits for another client's ID.
int wait_for(Requests& requests, uint64_t id) {
    fc_command command;
    farcall_prep_nop(&command, 5);
    farcall_after(&command, id);
    return requests.run(command);
}

/// The other process: writes the file when all that it was invited to wait for is over, and waits in vain for
/// what the owner never posts.
void neighbour(Pipe& to_me, Pipe& from_me, const std::string& out) {
    const auto invitation = to_me.get<Invitation>();
    const client::Client client = client_near(invitation.serial);
    client::Client& mine = const_cast<client::Client&>(client);
    Requests requests(mine);
    expect("a wait that was not shared", wait_for(requests, invitation.first), -EPERM);
    from_me.put(client.info().serial);
    to_me.get<char>();  // shared now

    const uint32_t handle =
        handle_of(out, open_file(requests, out, FC_OPEN_WRITE | FC_OPEN_CREATE | FC_OPEN_TRUNCATE));
    const Text text(mine, "after all of them\n");
    const client::Buffer list(mine, 3 * sizeof(uint64_t));
    auto* ids = reinterpret_cast<uint64_t*>(list.data());
    for (uint64_t i = 0; i < 3; i++)
        ids[i] = invitation.first + i;
    fc_command command;
    farcall_prep_write(&command, handle, 0, text.region(), text.offset(), text.length());
    farcall_after_list(&command, ids, list.offset(), 3);
    const uint64_t write = requests.post(command);
    farcall_prep_nop(&command, 1);
    farcall_after(&command, invitation.first + 3);
    const uint64_t never = requests.post(command);
    requests.sleep(50'000'000);
    if (!requests.silent(write)) throw Failure("the write did not wait");
    from_me.put('w');  // waiting
    expect("the write", requests.result(write), text.length());
    from_me.put('d');
    expect("a wait for what its owner left unposted", requests.result(never), -ECANCELED);
    expect("a wait for IDs of a client that is gone", wait_for(requests, invitation.first), -EPERM);
    expect("close", requests.run([&] {
        farcall_prep_close(&command, handle);
        return command;
    }()),
           0);
}

/// Clients are dealt out to the workers in turn, so one of as many as there are workers is on each.
void elsewhere(Requests& requests, uint64_t first, unsigned workers) {
    unsigned same = 0, other = 0;
    for (unsigned i = 0; i < 4 * workers && (same == 0 || other == 0); i++) {
        const client::Client client;
        const int result = share(requests, first, 1, client.info().serial);
        if (result == 0) {
            same++;
        } else {
            expect("a share with a client of another worker", result, -EXDEV);
            other++;
        }
        const client::Client near = client_near(requests.client().info().serial);
        expect("a share with a client that is near", share(requests, first, 1, near.info().serial), 0);
    }
    expect("clients of another worker were seen", other != 0 ? 1 : 0, workers > 1 ? 1 : 0);
}

void nobody_is_near() {
    farcall_options options{};
    options.near_serial = 0xfffffe;
    farcall_client* client = nullptr;
    expect("a client near nobody", farcall_open(nullptr, &options, &client), -ENOENT);
}

void owner(Pipe& to_other, Pipe& from_other) {
    client::Client client;
    Requests requests(client);
    Invitation invitation{client.info().serial, requests.fresh_id()};
    for (uint64_t i = 1; i < kShared; i++)
        requests.fresh_id();  // handed out in a row
    to_other.put(invitation);
    const auto serial = from_other.get<uint32_t>();
    expect("a share with nobody", share(requests, invitation.first, 1, 0xfffffe), -ENOENT);
    expect("a share", share(requests, invitation.first, kShared, serial), 0);
    to_other.put('s');
    expect("the other process waits", from_other.get<char>(), 'w');
    fc_command command;
    for (uint64_t i = 0; i < 3; i++) {
        if (i == 1) {
            farcall_prep_event_wait(&command, invitation.first + i);
        } else {
            farcall_prep_timer(&command, 1'000'000 * i, 0);
            farcall_set_id(&command, invitation.first + i);
        }
        requests.post(command);
    }
    farcall_prep_event_set(&command, invitation.first + 1, 3);
    expect("event_set", requests.run(command), 0);
    expect("the other process is done", from_other.get<char>(), 'd');
}

}  // namespace

int neighbours(Arguments& arguments) {
    const auto workers = static_cast<unsigned>(arguments.number("--workers", 1, 64));
    const auto words = arguments.rest(1, 1, "neighbours [--workers N] OUT");
    Pipe to_other, from_other;
    const pid_t pid = ::fork();
    if (pid == 0) {
        try {
            neighbour(to_other, from_other, words[0]);
            std::_Exit(0);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "farcall-demo: the neighbour: %s\n", error.what());
        }
        std::_Exit(1);
    }
    owner(to_other, from_other);  // its client is gone when it returns
    int status = 0;
    if (::waitpid(pid, &status, 0) != pid || status != 0) throw Failure("the neighbour failed");
    nobody_is_near();
    client::Client client;
    Requests requests(client);
    elsewhere(requests, requests.fresh_id(), workers);
    std::printf("shared: %" PRIu64 " events with another process\n", kShared);
    return 0;
}

}  // namespace farcall::demo
