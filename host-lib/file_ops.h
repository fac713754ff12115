// SPDX-License-Identifier: MIT
#pragma once

#include <sys/uio.h>

#include <memory>
#include <string>
#include <vector>

#include "host-lib/blocking_pool.h"
#include "host-lib/engine.h"
#include "host-lib/handle_table.h"
#include "host-lib/ops.h"
#include "host-lib/region.h"

namespace farcall {

class Client;

/// Part of a command that runs in the blocking pool and then completes it on the worker.
class FileJob : public Job {
  public:
    void attach(Client& client, uint32_t node);
    /// Keeps memory that the job uses; before it is posted.
    void pin(Region& region) { pins_.emplace_back(region); }
    void run(Worker& worker) final;

  protected:
    /// On the worker, after block(): turns the outcome into the result of the command.
    virtual int64_t complete(Client&) { return result_; }
    int64_t result_ = 0;

  private:
    Client* client_ = nullptr;  // lives until all its jobs are back
    uint32_t node_ = 0;
    std::vector<RegionPin> pins_;
};

// Rows of the op table.
int64_t op_open(Client& client, Task& task, const Operands& operands);
int64_t op_close(Client& client, Task& task, const Operands& operands);
int64_t op_read(Client& client, Task& task, const Operands& operands);
int64_t op_write(Client& client, Task& task, const Operands& operands);
int64_t op_fsync(Client& client, Task& task, const Operands& operands);
int64_t op_stat(Client& client, Task& task, const Operands& operands);

}  // namespace farcall
