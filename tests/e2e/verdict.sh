#!/bin/sh
# SPDX-License-Identifier: MIT
# One check of the end-to-end session as a test: passes if it passed, else prints what it had said.
#   verdict.sh RESULTS CHECK
grep -qx "pass $2" "$1" && exit
awk -v line="fail $2" '$0 == line { found = 1; print; next } /^  \| / { if (found) print; next } { found = 0 }' "$1"
grep -qx "fail $2" "$1" || echo "$2 was not reached"
exit 1
