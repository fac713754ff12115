// SPDX-License-Identifier: MIT
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace farcall::probe {

struct Request {
    std::string directory;
    std::string op;
    uint64_t bytes;
    uint64_t count;
    std::string rest;  // what the op needs besides
};

/// Made ready by its constructor, which nobody times, and cleaned up by its destructor.
class Operation {
  public:
    virtual ~Operation() = default;
    /// The n-th operation, n from 0. Throws std::runtime_error if it fails.
    virtual void once(uint64_t n) = 0;
};

/// Throws std::runtime_error with a sentence when it cannot be set up, or there is no such op.
std::unique_ptr<Operation> make_operation(const Request& request);

uint64_t now_ns();

}  // namespace farcall::probe
