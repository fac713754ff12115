// SPDX-License-Identifier: MIT
#include "host-lib/file_job.h"

#include "host-lib/client.h"
#include "host-lib/worker.h"

namespace farcall {

void FileJob::attach(Client& client, uint32_t node) {
    client_ = &client;
    node_ = node;
    home = &client.worker();
}

void FileJob::run(Worker& worker) {
    Client& client = *client_;
    client.job_back(node_, complete(client));
    pins_.clear();  // before the client, and its regions with it, may go
    worker.reap(client);
}

int64_t start_job(Client& client, Task& task, std::unique_ptr<FileJob> job, bool here) {
    if (here) return job->run_here(client);
    return client.run_elsewhere(task, std::move(job), client.worker().pool());
}

namespace {

class DropJob final : public Job {
  public:
    explicit DropJob(std::shared_ptr<void> object) : object_(std::move(object)) {}
    void block() override { object_.reset(); }
    void run(Worker&) override {}

  private:
    std::shared_ptr<void> object_;
};

}  // namespace

void drop_elsewhere(Worker& worker, std::shared_ptr<void> object) {
    auto job = std::make_unique<DropJob>(std::move(object));
    job->home = &worker;
    worker.pool().post(std::move(job));
}

}  // namespace farcall
