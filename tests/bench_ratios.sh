# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Sourced by the tests of the benches: what they demand of the ratios in the file $json.
check() { # NAME OPERATOR LIMIT
  local value
  value=$(tr ',{}' '\n\n\n' <"$json" | sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\) *$/\1/p" | head -n 1)
  [[ -n $value ]] || { echo "no ratio $1 in $json"; exit 1; }
  awk -v v="$value" -v l="$3" "BEGIN { exit !(v $2 l) }" || { echo "ratio $1 is $value, wanted $2 $3"; exit 1; }
  echo "ratio $1: $value ($2 $3)"
}
