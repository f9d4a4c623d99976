# shellcheck shell=bash
# check TEXT COMMAND...: runs the command, prints whether it succeeded, and its output if it did not.
check() {
  local text=$1 output
  shift
  # a new shell, because `set -e` has no effect in a function whose status is tested
  if output=$(bash -euo pipefail -c '"$@"' - "$@" 2>&1); then
    echo "ok $text"
  else
    echo "not ok $text"
    tail -n 40 <<<"$output" | sed 's/^/# /'
    bad=1
    return 1
  fi
}
