#!/usr/bin/env bats
# What a link reports of itself: the sentence in the log and in `status`, the numbers, the JSON.
#
#   A 192.0.2.1 ------ v0 ------ 192.0.2.2 B

load topology

running() { until_true 20 eval '[ "$(status_of '"$1"' .name)" = sw0 ]'; }

@test "status shows the sentence first, then uptime, MTU, traffic in human units and the drops" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  in_ns a ping -q -c 200 -i 0.002 -s 1300 10.77.0.2
  run in_ns a "$SALTWAY" status sw0
  echo "$output"
  [ "$status" = 0 ]
  [ "${lines[0]}" = "sw0: up with 192.0.2.2:51900" ]
  [[ $output =~ "running for ".*[0-9]" s" ]]
  [[ $output =~ "mtu  "\ *[0-9]+ ]]
  [[ $output =~ "received  "\ *[0-9]+" packets, "2[0-9][0-9]" KiB" ]]
  [[ $output == *"  round trip  "* ]]
  [[ $output == *"key fingerprint  $(status_of a .fingerprint)"* ]]
  [[ $output == *"allowed ips      10.2.0.0/16, fd02::/64"* ]]
}

@test "status --json prints one array: of one link, of all links, of none" {
  topology_pair
  run in_ns a "$SALTWAY" status --json
  [ "$status" = 3 ]
  [ "$(in_ns a "$SALTWAY" status --json 2>/dev/null | jq -c .)" = '[]' ]
  [ "$(in_ns a "$SALTWAY" status --json sw0 2>/dev/null | jq -c .)" = '[]' ]
  config a 192.0.2.2:51900
  config b
  up a
  up b
  wait_up
  [ "$(in_ns a "$SALTWAY" status --json sw0 | jq -c 'map(.name)')" = '["sw0"]' ]
  mkdir "$work/second"
  sed 's/51900$/51901/; s/10\.77\.0/10.78.0/; s/fd77/fd78/; s/^AllowedIPs.*/AllowedIPs = 10.3.0.0\/16/' "$work/a/sw0.conf" >"$work/second/sw1.conf"
  in_ns a "$SALTWAY" up "$work/second/sw1.conf" >"$work/second/up.log" 2>&1 3>&- &
  pids+=($!)
  until_true 20 eval '[ "$(in_ns a "$SALTWAY" status --json | jq -c "map(.name) | sort")" = "[\"sw0\",\"sw1\"]" ]'
  run in_ns a "$SALTWAY" status # one of them is not up
  [ "$status" = 3 ]
  run in_ns a "$SALTWAY" status sw0
  [ "$status" = 0 ]
}

@test "status --json has every counter, zeros too, and numbers of the documented kinds" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  [ "$(status_of a '.drops | length')" = 26 ]
  [ "$(status_of a '.drops."bad-tag"')" = 0 ]
  [ "$(status_of a '[.uptime, .last_handshake, .mtu, .port, .packets_in] | map(type) | unique | join(",")')" = number ]
  # every field has its place in the manual
  local key
  for key in $(status_of a 'keys[]'); do
    grep -qE "^\.It Cm .*\b$key\b" "$BATS_TEST_DIRNAME/../../docs/saltway.8" || { echo "$key is not in saltway.8"; return 1; }
  done
}

@test "status takes a file as up does" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  running a
  run in_ns a "$SALTWAY" status "$work/a/sw0.conf"
  [ "$status" = 3 ]
  [[ $output == "sw0: "* ]]
}

@test "check prints the key's fingerprint, the one that status shows" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  running a
  run in_ns a "$SALTWAY" check "$work/a/sw0.conf"
  [ "$status" = 0 ]
  [ "$output" = "$work/a/sw0.conf: ok, key fingerprint $(status_of a .fingerprint)" ]
}
