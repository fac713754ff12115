// SPDX-License-Identifier: MIT
#pragma once

namespace farcall {

class Worker;

/// Something for a worker to do, posted by another thread. Deleted by the worker after run().
class Message {
  public:
    virtual ~Message() = default;
    /// On the worker's thread.
    virtual void run(Worker& worker) = 0;
};

}  // namespace farcall
