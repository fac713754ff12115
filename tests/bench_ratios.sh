# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Sourced by the tests of the benches.

need_two_cores() {
  (($(nproc) >= 2)) && return
  echo "SKIPPED: client and worker need a core each, and there is one"
  exit 77
}

# One quick run of a bench whose client and worker need a core each; its ratios are in $json then.
quick_run() { # BENCH FARCALL JSON
  json=$3
  need_two_cores
  "$2" bench "$1" --quick --json "$3" --html "$3.html" --csv "$3.csv"
  # Both tell of the same run: a row for each series.
  local rows
  rows=$(grep -c '"rounds_ns":' "$3")
  (($(wc -l <"$3.csv") == rows + 1)) || { echo "$3.csv has not $rows rows and a header"; exit 1; }
  (($(grep -c '<th scope="row">' "$3.html") == rows)) || { echo "$3.html does not have $rows rows of data"; exit 1; }
}

# What is demanded of one ratio.
check() { # NAME OPERATOR LIMIT
  local value
  value=$(tr ',{}' '\n\n\n' <"$json" | sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\) *$/\1/p" | head -n 1)
  [[ -n $value ]] || { echo "no ratio $1 in $json"; exit 1; }
  awk -v v="$value" -v l="$3" "BEGIN { exit !(v $2 l) }" || { echo "ratio $1 is $value, wanted $2 $3"; exit 1; }
  echo "ratio $1: $value ($2 $3)"
}
