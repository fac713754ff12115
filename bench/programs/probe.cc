// SPDX-License-Identifier: MIT
// What bench/programs runs in every guest and on the host itself: plain system calls, timed. It knows nothing
// of farcall.
//   farcall-probe accept PORT   closes each connection as it comes, for the op "connect" of others
//   farcall-probe DIR      works in DIR, as lines of stdin say:
//     OP BYTES COUNT [WORDS]   sets up, prints "ready"; after the line "go" runs COUNT operations and prints
//                              "done NS...", the ns per operation of up to 64 chunks, or "failed WHY"
// Nothing is printed or read while an operation is timed, so whoever drives it counts exits between "go" and
// "done".
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "bench/programs/probe_ops.h"

namespace {

using farcall::probe::Operation;

constexpr uint64_t kChunks = 64;

// The ns per operation of each chunk, so that a slice taken by somebody else spoils one of them only.
std::string timed(Operation& operation, uint64_t count) {
    std::ostringstream result;
    const uint64_t chunks = std::min(kChunks, count);
    if (chunks == 0) throw std::runtime_error("nothing to measure: a count of 0");
    uint64_t done = 0;
    for (uint64_t chunk = 1; chunk <= chunks; chunk++) {
        const uint64_t until = count * chunk / chunks;
        const uint64_t n =
            std::max<uint64_t>(until - done, 1);  // at least one: there are no more chunks than operations
        const uint64_t begun = farcall::probe::now_ns();
        for (; done < until; done++)
            operation.once(done);
        result << ' ' << (farcall::probe::now_ns() - begun) / n;
    }
    return result.str();
}

void say(const std::string& line) {
    // One write: a console costs an exit for each, and some for each byte.
    std::cout << line + "\n" << std::flush;
}

void serve(const std::string& directory, const std::string& line) {
    std::istringstream words(line);
    farcall::probe::Request request{.directory = directory, .op = "", .bytes = 0, .count = 0, .rest = ""};
    if (!(words >> request.op >> request.bytes >> request.count))
        throw std::runtime_error("not a request: " + line);
    std::getline(words >> std::ws, request.rest);
    const auto operation = farcall::probe::make_operation(request);
    std::string go;
    say("ready");
    if (!std::getline(std::cin, go)) return;
    say("done" + timed(*operation, request.count));
}

int accept_and_close(uint16_t port) {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener, 128) != 0) {
        std::perror("farcall-probe: accept");
        return 1;
    }
    for (;;)
        close(accept(listener, nullptr, nullptr));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 3 && std::string(argv[1]) == "accept")
        return accept_and_close(static_cast<uint16_t>(std::stoi(argv[2])));
    if (argc != 2) {
        std::fprintf(stderr, "usage: farcall-probe DIR | accept PORT\n");
        return 2;
    }
    std::string line;
    say("probe");
    while (std::getline(std::cin, line)) {
        try {
            serve(argv[1], line);
        } catch (const std::exception& error) {
            say(std::string("failed ") + error.what());
        }
    }
}
