// SPDX-License-Identifier: MIT
// Writes the record of bench_example.h to standard output, for tests/bench_browser.sh.
#include <iostream>

#include "bench/record.h"
#include "tests/bench_example.h"

int main() {
    std::cout << farcall::bench::record_text(farcall::test::Example().report());
    return std::cout.flush() ? 0 : 1;
}
