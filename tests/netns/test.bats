#!/usr/bin/env bats
# `saltway test`: figures of a link, measured from inside it. The topology is that of topology_pair.

load topology

# listen SIDE [OPTION]: starts the listener; its pid is in $listener.
listen() {
  local ns side=$1; shift
  [ "$side" = a ] && ns=$A || ns=$B
  ip netns exec "$ns" env RUNTIME_DIRECTORY="$work/run-$side" "$SALTWAY" test --listen "$@" sw0 >"$work/$side/test.log" 2>&1 3>&- &
  listener=$!
  pids+=("$listener")
  eventually listens "$ns"
}
listens() { ip netns exec "$1" ss -Hltn sport = :51909 | grep -q 51909; }

# hostile KIND...: plays clients at the listener of b that are not saltway, from a.
hostile() { in_ns a python3 "$BATS_TEST_DIRNAME/test_clients.py" 10.77.0.2 "$@"; }

@test "a test measures both directions, says what limits, and then nothing listens" {
  two_sides
  listen b
  run eval 'in_ns a "$SALTWAY" test --json -t 1 sw0 2>"$work/stderr"'
  echo "$output"
  [ "$status" = 0 ]
  [ ! -s "$work/stderr" ] # the progress is for terminals
  wait "$listener"
  refute listens "$B"
  jq -e '.name == "sw0" and .peer == "10.77.0.2" and .idle.probes_sent == 50 and .idle.rtt_median_ms > 0' <<<"$output"
  jq -e '.sending, .receiving | .bits_per_second > 1e6 and .bytes > 0 and .seconds > 0.5 and .retransmits >= 0 and
    .rtt_worst_ms >= .rtt_median_ms and .probes_lost_there + .probes_lost_back < .probes_sent and
    .engine_here > 0 and .engine_there > 0 and .machine_here > 0 and .bandwidth == null and
    (.limit | IN("cipher", "processors", "receiver", "path")) and (.reason | length > 0)' <<<"$output"
  local key
  for key in $(jq -r '[.idle, .sending, .receiving | keys[]] | unique[]' <<<"$output"); do
    grep -qE "^\.It Cm .*\b$key\b" "$BATS_TEST_DIRNAME/../../docs/saltway.8" || { echo "$key is not in saltway.8"; return 1; }
  done
}

@test "a limited direction is that of Bandwidth, whichever side has it, and its figure is close to it" {
  two_sides 'Bandwidth = 20mbit'
  listen b --keep
  run in_ns a "$SALTWAY" test --json -t 1 sw0
  echo "$output"
  [ "$status" = 0 ]
  jq -e '.sending | .limit == "shaper" and .bandwidth == 20000000 and .bits_per_second < 20e6' <<<"$output"
  jq -e '.receiving | .limit != "shaper" and .bandwidth == null' <<<"$output"
  kill "$listener"
  listen a
  run in_ns b "$SALTWAY" test -t 1 sw0 fd77::1 # the other way round, over IPv6
  echo "$output"
  [ "$status" = 0 ]
  [[ $output == "sw0: with fd77::1, 1 s each way"*"receiving"*"limit: shaper (Bandwidth is 20.0 Mbit/s there)"* ]]
}

@test "without a link, an address or a listener, a test says what is missing and what to do" {
  topology_pair
  config a 192.0.2.2:51900
  run in_ns a "$SALTWAY" test sw0
  [ "$status" = 1 ]
  [[ $output == *"sw0 is not up"* ]]
  up a
  eventually eval '[ "$(status_of a .state)" = connecting ]'
  run in_ns a "$SALTWAY" test sw0
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"sw0 is not up: "*"192.0.2.2:51900"*"(find out why: saltway doctor sw0)"* ]]
  config b 192.0.2.1:51900
  sed -i 's|/30, fd77::2/64|/24|' "$work/b/sw0.conf"
  up b
  wait_up
  run in_ns a "$SALTWAY" test sw0
  [ "$status" = 1 ]
  [[ $output == *"10.77.0.2 does not listen on port 51909: Connection refused (run there: saltway test --listen sw0)"* ]]
  run in_ns b "$SALTWAY" test sw0
  [ "$status" = 1 ]
  [[ $output == *"neither Address nor AllowedIPs tells the other side's address (give it: saltway test sw0 ADDRESS)"* ]]
  run in_ns b "$SALTWAY" test sw0 nonsense
  [ "$status" = 1 ]
  [[ $output == *'"nonsense" is not an IP address'* ]]
  local words
  for words in "" "-t 0 sw0" "-t 61 sw0" "-t" "--keep sw0" "--listen --json sw0" "--listen sw0 10.77.0.2" "sw0 x y"; do
    # shellcheck disable=SC2086 # a list of words
    run in_ns a "$SALTWAY" test $words
    [ "$status" = 2 ]
  done
}

@test "the listener is reached through the link only, has no privileges, and does not run twice" {
  two_sides
  listen b --keep
  ip -n "$A" route add 10.77.0.2/32 via 192.0.2.2 # past the link
  ip netns exec "$B" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.v0.rp_filter=0
  refute in_ns a timeout 2 socat -u /dev/null TCP4:10.77.0.2:51909
  ip -n "$A" route del 10.77.0.2/32
  in_ns a timeout 10 socat -u /dev/null TCP4:10.77.0.2:51909
  run in_ns b "$SALTWAY" test --listen sw0
  [ "$status" = 1 ]
  [[ $output == *"Address already in use (does another saltway test --listen run here?)"* ]]
  not_sanitized "the sandbox is off"
  grep -qE '^Seccomp:\s+2$' "/proc/$listener/status"
  grep -qE '^CapEff:\s+0+$' "/proc/$listener/status"
  [ "$(stat -c %u "/proc/$listener")" != 0 ] || [ "$(awk '/^Uid:/ {print $2}' "/proc/$listener/status")" != 0 ]
}

@test "clients with garbage, silence, huge numbers, or without end neither hang the listener nor make it grow" {
  local before
  two_sides
  listen b --keep
  before=$(ls "/proc/$listener/fd" | wc -l)
  hostile garbage silence numbers slow flood-probes second foreign-data
  [ "$(ls "/proc/$listener/fd" | wc -l)" -le $((before + 1)) ]
  [ "$(awk '/^VmRSS/ {print $2}' "/proc/$listener/status")" -lt $((32 << 10)) ]
  measured() { in_ns a "$SALTWAY" test -t 1 sw0; }
  eventually measured
}

@test "the bench needs no root and no link, and measures the cipher and the path on one core and on all" {
  local cores; cores=$(nproc)
  run setpriv --reuid=65534 --regid=65534 --clear-groups "$SALTWAY" bench --json
  echo "$output"
  [ "$status" = 0 ]
  jq -e --argjson cores "$cores" '(.results | map([.what, .bytes, .cores] | join(" "))) as $lines | .gso != null and .gro != null and
    (["seal", "open"] - (.results | map(select(.cores == $cores) | .what)) == []) and
    ($lines | contains(["path 1440 1", "path 64 1", "seal 1440 1", "open 64 1"])) and
    (.results | all(.bits_per_second > 1e5 and .packets_per_second > 100))' <<<"$output"
  run "$SALTWAY" bench
  [ "$status" = 0 ]
  [[ $output == *"seal  1440 bytes     1 core "*"bit/s"*"kpps"*"path: sealed, sent over loopback"* ]]
  run "$SALTWAY" bench x
  [ "$status" = 2 ]
}
