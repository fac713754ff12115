// SPDX-License-Identifier: MIT
#include "bench/json_text.h"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/record.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

using Json = nlohmann::ordered_json;

/// Is told of everything that the parser meets, and stops it.
class Bounds {
  public:
    void meet(int depth, Json::parse_event_t event) {
        if (depth > kDeepestJson)
            throw Error(fmt::format("more than {} objects and arrays in each other", kDeepestJson));
        if (event == Json::parse_event_t::object_start) members_.push_back(0);
        if (event == Json::parse_event_t::object_end) members_.pop_back();
        if (event == Json::parse_event_t::key && ++members_.back() > kMostMembers)
            throw Error(fmt::format("an object with more than {} members", kMostMembers));
    }

  private:
    std::vector<size_t> members_;  // of the objects that are open
};

}  // namespace

Json parse_json(std::string_view text) {
    Bounds bounds;
    return Json::parse(text, [&bounds](int depth, Json::parse_event_t event, const Json&) {
        bounds.meet(depth, event);
        return true;
    });
}

std::string read_text(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw errno_error("cannot read " + path);
    std::string text;
    // Not by its size: it may be a pipe, or grow.
    std::vector<char> part(size_t{64} << 10);
    while (file.read(part.data(), static_cast<std::streamsize>(part.size())), file.gcount() > 0) {
        text.append(part.data(), static_cast<size_t>(file.gcount()));
        if (text.size() > kLargestText)
            throw Error(fmt::format("{} is larger than {} MiB: no record is", path, kLargestText >> 20));
    }
    if (file.bad()) throw errno_error("cannot read " + path);
    return text;
}

void use_record(std::string_view text, const std::string& origin,
                const std::function<void(const Json&)>& use) {
    try {
        const Json json = parse_json(text);
        if (json.value("schema", 0) != kRecordSchema)
            throw Error(fmt::format("not a record of schema {}: measure again with --json", kRecordSchema));
        use(json);
    } catch (const Json::exception& error) {
        throw Error(fmt::format("{} is not the record of a bench: {}", origin, error.what()));
    } catch (const Error& error) {
        throw Error(fmt::format("{}: {}", origin, error.what()));
    }
}

}  // namespace farcall::bench
