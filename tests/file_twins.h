// SPDX-License-Identifier: MIT
#pragma once

#include <sstream>

#include "tests/file_choice.h"
#include "tests/file_client.h"
#include "tests/file_oracle.h"

namespace farcall::test {

/// Handle 0, 1 and 2 on the farcall side: share 0, another one, and share 0 once more, read-only.
struct Pair {
    uint32_t handle = 0;
    oracle::Object direct;
};

/// Two trees of the same content, one behind an engine, and what is open in both.
class Twins : public Choice {
  public:
    Twins(const std::filesystem::path& where, uint32_t seed) : Choice(seed) {
        std::string pattern = (where / "farcall-XXXXXX").string();
        base_ = mkdtemp(pattern.data());
        DomainConfig config;
        for (const char* side : {"farcall", "direct"}) {
            for (const char* share : {"zero", "one"})
                plant(base_ / side / share);
        }
        config.shares.push_back({(base_ / "farcall/zero").string(), true});
        config.shares.push_back({(base_ / "farcall/one").string(), true});
        config.shares.push_back({(base_ / "farcall/zero").string(), false});
        domain_ = engine_.create_domain(config);
        client_ = std::make_unique<TestClient>(*domain_);
        files_ = std::make_unique<FileClient>(*client_);
        for (const char* share : {"zero", "one", "zero"}) {
            const int fd = open((base_ / "direct" / share).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            const auto n = static_cast<uint32_t>(pairs_.size());
            pairs_.push_back({n, {fd, true, static_cast<int>(n), n != 2}});
        }
    }
    ~Twins() {
        for (const Pair& pair : pairs_)
            if (pair.direct.fd >= 0) close(pair.direct.fd);
        client_.reset();
        domain_.reset();
        std::filesystem::remove_all(base_);
    }

    std::string tree(const char* side) const {
        std::ostringstream out;
        for (const char* share : {"zero", "one"})
            describe(base_ / side / share, out);
        return out.str();
    }
    int successes = 0;

  protected:
    /// Most often something of the right type, and a directory most often a share.
    Pair& any(bool directory) {
        if (directory && chance(60)) return pairs_[one_of<size_t>({0, 0, 0, 1, 1, 2})];
        Pair* pair = &pairs_[below(pairs_.size())];
        for (int i = 0; i < 8 && pair->direct.directory != directory && !chance(4); i++)
            pair = &pairs_[below(pairs_.size())];
        return *pair;
    }
    bool same(int64_t farcall, int64_t direct) {
        text_ << " gives " << farcall << ", directly " << direct;
        successes += direct >= 0;
        return farcall == direct;
    }

    std::filesystem::path base_;
    Engine engine_{EngineConfig{.blocking_threads = 2, .spin = std::chrono::microseconds(200)}};
    std::unique_ptr<Domain> domain_;
    std::unique_ptr<TestClient> client_;
    std::unique_ptr<FileClient> files_;
    std::vector<Pair> pairs_;
    std::ostringstream text_;
};

}  // namespace farcall::test
