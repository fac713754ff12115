// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "host-lib/blocking_pool.h"
#include "host-lib/ops.h"
#include "host-lib/region.h"

namespace farcall {

class Client;
struct HostObject;

/// Part of a command that runs in the blocking pool and then completes it on the worker.
class FileJob : public Job {
  public:
    void attach(Client& client, uint32_t node);
    /// Keeps memory that the job uses; before it is posted.
    void pin(Region& region) { pins_.emplace_back(region); }
    void run(Worker& worker) final;
    /// All of it at once on the worker: for a job that cannot block.
    int64_t run_here(Client& client) {
        block();
        return complete(client);
    }

  protected:
    /// On the worker, after block(): turns the outcome into the result of the command.
    virtual int64_t complete(Client&) { return result_; }
    int64_t result_ = 0;

  private:
    Client* client_ = nullptr;  // lives until all its jobs are back
    uint32_t node_ = 0;
    std::vector<RegionPin> pins_;
};

/// Where a command wants its output; checked to be inside of the region, which may be written to.
struct Output {
    Region* region = nullptr;
    uint64_t at = 0;
    uint32_t bytes = 0;
};

/// A job that is one function `int64_t step(std::string& output)`. It owns what it captures and lets go of it
/// where it ran, so that a file that was closed meanwhile is closed there and not on the worker. What it
/// leaves in `output`, at most the bytes that there is room for, goes to the client when the result is not an
/// error.
template <class Step>
class StepJob final : public FileJob {
  public:
    StepJob(Step step, Output output) : step_(std::move(step)), output_(output) {
        if (output.region != nullptr) pin(*output.region);
    }
    void block() override {
        result_ = (*step_)(bytes_);
        step_.reset();
    }

  protected:
    int64_t complete(Client&) override {
        if (result_ >= 0 && !bytes_.empty())
            output_.region->copy_in(output_.at, bytes_.data(), bytes_.size());
        return result_;
    }

  private:
    std::optional<Step> step_;
    Output output_;
    std::string bytes_;
};

/// Runs the job on the worker when `here`, else in the pool. Returns the command's result, kPending or
/// -ENOSPC.
int64_t start_job(Client& client, Task& task, std::unique_ptr<FileJob> job, bool here);

/// start_job() of a StepJob.
template <class Step>
int64_t start_step(Client& client, Task& task, bool here, Step step, Output output = {}) {
    return start_job(client, task, std::make_unique<StepJob<Step>>(std::move(step), output), here);
}

/// Lets go of an object in the pool: what its last user has to do then (close, unmap) may block.
void drop_elsewhere(Worker& worker, std::shared_ptr<void> object);

}  // namespace farcall
