// SPDX-License-Identifier: MIT
#include "vmm/share_option.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "host-lib/error.h"
#include "vmm/disk_image.h"
#include "vmm/host_root.h"

namespace farcall::vmm {

namespace {

/// This machine's programs change seldom; asking about each part of each path again would be most of the work
/// of starting a program.
constexpr unsigned kHostRootTimeoutMs = 30'000;

// Cuts a last ":ro" or ":rw" off; false where there is none.
bool cut_access(std::string& text, bool& writable) {
    if (!text.ends_with(":ro") && !text.ends_with(":rw")) return false;
    writable = text.ends_with("w");
    text.resize(text.size() - 3);
    return true;
}

std::string check_where(const std::string& where, const std::string& option) {
    std::string path = std::filesystem::path(where).lexically_normal();
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    for (const char* taken : {"/", "/dev", "/proc", "/sys"})
        if (path == taken)
            throw Error(fmt::format("--share: '{}' cannot be mounted at {}, see --root", option, path));
    return path;
}

void add_root(SharePlan& plan, const std::string& text) {
    GuestMount root{static_cast<unsigned>(plan.shares.size()), false, "/"};
    std::string path = text;
    cut_access(path, root.writable);
    ShareConfig share{path, root.writable};
    if (std::filesystem::is_directory(path)) {
        plan.tree.root_directory = path;
    } else {
        DiskImage image = open_disk_image(path, root.writable);
        plan.tree.root_image = image.type;
        plan.image = std::move(image.file);
        share.file = plan.image.get();
    }
    plan.shares.push_back(std::move(share));
    plan.tree.root = root;
}

void add_host_root(SharePlan& plan) {
    plan.tree.host_root = true;
    plan.tree.mounts.push_back(
        {static_cast<unsigned>(plan.shares.size()), false, "/usr", kHostRootTimeoutMs});
    plan.shares.push_back({"/usr", false});
}

}  // namespace

ShareOption parse_share(const std::string& text) {
    ShareOption option{{text, false}, {}};
    cut_access(option.share.path, option.share.writable);
    const size_t colon = option.share.path.rfind(":/");
    if (colon != std::string::npos) {
        option.where = check_where(option.share.path.substr(colon + 1), text);
        option.share.path.resize(colon);
    }
    if (option.share.path.empty()) throw Error(fmt::format("--share: '{}' names no directory", text));
    return option;
}

SharePlan plan_shares(const std::vector<std::string>& shares, const std::string& root, bool keep_packed) {
    SharePlan plan;
    for (const std::string& text : shares) {
        ShareOption option = parse_share(text);
        if (!option.where.empty())
            plan.tree.mounts.push_back(
                {static_cast<unsigned>(plan.shares.size()), option.share.writable, option.where});
        plan.shares.push_back(std::move(option.share));
    }
    const bool one_left = plan.shares.size() < FC_MAX_SHARES;
    if (root == "host" || (root == "auto" && !keep_packed && one_left && has_merged_usr())) {
        add_host_root(plan);
    } else if (root != "auto" && root != "packed") {
        add_root(plan, root);
    }
    if (plan.shares.size() > FC_MAX_SHARES)
        throw Error(fmt::format("--share: at most {} directories can be shared, that of --root among them",
                                FC_MAX_SHARES));
    const auto by_place = [](const GuestMount& a, const GuestMount& b) { return a.where < b.where; };
    std::sort(plan.tree.mounts.begin(), plan.tree.mounts.end(), by_place);
    const auto twice =
        std::adjacent_find(plan.tree.mounts.begin(), plan.tree.mounts.end(),
                           [](const GuestMount& a, const GuestMount& b) { return a.where == b.where; });
    if (twice != plan.tree.mounts.end())
        throw Error(fmt::format("--share: two directories cannot be mounted at {}", twice->where));
    return plan;
}

}  // namespace farcall::vmm
