// SPDX-License-Identifier: MIT
// Runs a shell command twice, as it is and with libfarcall-preload.so loaded, each in its own directory of
// the same content.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace farcall::test {

struct Ran {
    int status = -1;  ///< as wait() has it
    std::string out;
    std::string err;
    std::string tree;  ///< what the command left behind: names, modes and sums
    bool operator==(const Ran&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Ran& ran) {
    return out << "status " << ran.status << "\n--- out\n"
               << ran.out << "\n--- err\n"
               << ran.err << "\n--- tree\n"
               << ran.tree;
}

class PreloadRig : public testing::Test {
  protected:
    PreloadRig() {
        std::string pattern = (std::filesystem::temp_directory_path() / "farcall-preload-XXXXXX").string();
        base_ = mkdtemp(pattern.data());
    }
    ~PreloadRig() override { std::filesystem::remove_all(base_); }

    static std::string slurp(const std::filesystem::path& path) {
        std::ifstream file(path, std::ios::binary);
        std::ostringstream all;
        all << file.rdbuf();
        return all.str();
    }

    /// `variables`: NAME=value words before the command. The directory has the same name in both cases:
    /// programs print it.
    Ran run(const std::string& command, const std::string& variables) {
        const auto work = base_ / "work";
        std::filesystem::remove_all(work);
        std::filesystem::create_directory(work);
        std::ofstream(base_ / "script") << command << "\n";
        const std::string line = "cd '" + work.string() + "' && exec env LC_ALL=C TZ=UTC " + variables +
                                 " bash '" + (base_ / "script").string() + "' >'" + (base_ / "out").string() +
                                 "' 2>'" + (base_ / "err").string() + "' </etc/passwd";
        Ran ran;
        ran.status = std::system(line.c_str());
        ran.out = slurp(base_ / "out");
        ran.err = slurp(base_ / "err");
        const std::string list =
            "cd '" + work.string() + "' && { find . -not -name '*.lock' -printf '%p %M %l\\n' | sort; " +
            "find . -type f -print0 | sort -z | xargs -0r sha256sum; } >'" + (base_ / "tree").string() + "'";
        EXPECT_EQ(std::system(list.c_str()), 0);
        ran.tree = slurp(base_ / "tree");
        return ran;
    }

    std::string preload(const std::string& more = "") const {
        return "LD_PRELOAD=" FARCALL_PRELOAD " " + more;
    }

    /// The library, and nothing, make no difference.
    Ran expect_same(const std::string& command, const std::string& more = "") {
        const Ran plain = run(command, "");
        const Ran with = run(command, preload(more));
        EXPECT_EQ(plain, with) << command << " with " << more;
        return plain;
    }
    /// Neither does what it can do beside.
    void expect_same_always(const std::string& command) {
        const std::string counts = "FARCALL_SUMMARY=" + (base_ / "summary").string();
        const std::string trace =
            "FARCALL_FSTYPE=" + fstype() + " FARCALL_TRACE=" + (base_ / "trace").string();
        expect_same(command);
        expect_same(command, "FARCALL_NET=1");
        expect_same(command, counts + " " + trace + " FARCALL_NET=1");
    }

    /// The type of the file system that the tests' files are on, so that it can be taken for the host's.
    std::string fstype() {
        const std::string file = (base_ / "type").string();
        EXPECT_EQ(std::system(("findmnt -n -o FSTYPE -T '" + base_.string() + "' >'" + file + "'").c_str()),
                  0);
        const std::string type = slurp(file);
        return type.substr(0, type.find('\n'));
    }

    static bool installed(const std::string& program) {
        const bool found = std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
        if (!found) std::cerr << "NOT TESTED: " << program << " is not installed\n";
        return found;
    }

    std::filesystem::path base_;
};

}  // namespace farcall::test
