// SPDX-License-Identifier: MIT
#include "bench/outputs.h"

#include <fstream>

#include "bench/csv.h"
#include "bench/html/report_page.h"
#include "bench/record.h"
#include "host-lib/error.h"

namespace farcall::bench {
namespace {

void write_text(const std::string& text, const std::string& path) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    if (!file.flush()) throw Error("cannot write " + path);
}

}  // namespace

void write_outputs(const std::vector<FullRecord>& records, const Outputs& outputs) {
    if (!outputs.html.empty()) write_text(report_page(records), outputs.html);
    if (!outputs.csv.empty()) write_text(csv_of(records), outputs.csv);
}

void write_outputs(const Report& report, const Outputs& outputs) {
    if (!outputs.json.empty()) write_json(report, outputs.json);
    if (outputs.html.empty() && outputs.csv.empty()) return;
    // By way of the record, so that a report is the same now and later.
    write_outputs({parse_full_record(record_text(report), "this run")}, outputs);
}

}  // namespace farcall::bench
