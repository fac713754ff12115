# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Part of in_vm.sh: event-priority weighting, in a guest of its own. Its first process is weight_guest.sh, because no other
# could unload the module: init's own streams go through it.

weight_session() {
  vm --root packed --append rdinit=/weight_guest.sh --add "$here/weight_guest.sh:/weight_guest.sh" \
    --add "$build/farcall-demo:/bin/farcall-demo" -- /bin/true >"$work/weight-log" 2>&1
  local status=$?
  tr -d '\r' <"$work/weight-log" >"$work/log"
  # It turns itself off, which farcall takes for a failure; its console is printed then.
  ((status == 125)) && grep -qx 'end of weighting' "$work/log" && return 0
  return "$status"
}

weight_checks() {
  with_retries weighting weight_session
  guest_verdicts "$release"
}
