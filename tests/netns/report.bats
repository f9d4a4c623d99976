#!/usr/bin/env bats
# What a link reports about itself: the sentence in the log and in `status`, the numbers, the JSON.
# The topology is that of topology_pair.

load topology

running() { eventually eval '[ "$(status_of '"$1"' .name)" = sw0 ]'; }

@test "status shows the sentence first, then uptime, MTU, traffic in human units and the drops" {
  two_sides
  in_ns a ping -q -c 200 -i 0.002 -s 1300 10.77.0.2
  run in_ns a "$SALTWAY" status sw0
  echo "$output"
  [ "$status" = 0 ]
  [ "${lines[0]}" = "sw0: up with 192.0.2.2:51900" ]
  [[ $output =~ "running for: ".*[0-9]" s" ]]
  [[ $output =~ "mtu: "[0-9]+ ]]
  [[ $output =~ "received: "[0-9]+" packets, "2[0-9][0-9]" KiB" ]]
  [[ $output == *"  round trip: "* ]]
  [[ $output == *"key fingerprint: $(status_of a .fingerprint)"* ]]
  [[ $output == *"allowed ips: 10.2.0.0/16, fd02::/64"* ]]
}

@test "status --json prints one array for one link, for all links, and for none" {
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
  eventually eval '[ "$(in_ns a "$SALTWAY" status --json | jq -c "map(.name) | sort")" = "[\"sw0\",\"sw1\"]" ]'
  run in_ns a "$SALTWAY" status # one of them is not up
  [ "$status" = 3 ]
  run in_ns a "$SALTWAY" status sw0
  [ "$status" = 0 ]
}

@test "status --json has every counter, even if it is zero, and every field is in the manual" {
  two_sides
  [ "$(status_of a '.drops | length')" = "$(grep -c '^  X(SW_DROP_' "$BATS_TEST_DIRNAME/../../include/saltway/drop.h")" ]
  [ "$(status_of a '.drops."bad-tag"')" = 0 ]
  [ "$(status_of a '[.uptime, .last_handshake, .mtu, .port, .packets_in] | map(type) | unique | join(",")')" = number ]
  local key
  for key in $(status_of a 'keys[]'); do
    grep -qE "^\.It Cm .*\b$key\b" "$BATS_TEST_DIRNAME/../../docs/saltway.8" || { echo "$key is not in saltway.8"; return 1; }
  done
}

@test "status accepts a file, as up does" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  running a
  run in_ns a "$SALTWAY" status "$work/a/sw0.conf"
  [ "$status" = 3 ]
  [[ $output == "sw0: "* ]]
}

@test "check prints the same key fingerprint as status" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  running a
  run in_ns a "$SALTWAY" check "$work/a/sw0.conf"
  [ "$status" = 0 ]
  [ "$output" = "$work/a/sw0.conf: ok, key fingerprint $(status_of a .fingerprint)" ]
}

# ---- the sentence ----

says() { [[ $(condition_of "$1") == *"$2"* ]]; }

# listener: starts a program on B that receives on port 51900, and never answers.
listener() {
  ip netns exec "$B" socat -u UDP4-RECV:51900 OPEN:/dev/null 3>&- &
  pids+=($!)
  eventually eval 'ip netns exec "$B" ss -Hlun sport = :51900 | grep -q 51900'
}

# lines_of SIDE: prints how many lines of the log are about the link's condition.
lines_of() { grep -cvE 'interface sw0|no user saltway' "$work/$1/up.log"; }

@test "a silent endpoint and one without a route are each reported with their own state, in at most 3 lines" {
  topology_pair
  listener
  ip -n "$A" addr flush dev v0 scope global
  ip -n "$A" addr add 192.0.2.1/24 dev v0 # no IPv6
  config a '192.0.2.2:51900, [2001:db8::9]:51900'
  up a
  eventually says a "no endpoint answers: 192.0.2.2:51900 is silent"
  says a "[2001:db8::9]:51900 is unreachable: Network is unreachable"
  says a "ip route get 2001:db8::9)"
  [ "$(status_of a .reason)" = silent ]
  [ "$(status_of a .about)" = 192.0.2.2:51900 ]
  [ "$(status_of a '[.endpoints[].error] | map(. // "-") | join(",")')" = '-,Network is unreachable' ]
  refute grep -qE '192\.0\.2\.2:51900 is unreachable' "$work/a/up.log"
  sleep 30 # in which both are tried several times
  cat "$work/a/up.log"
  [ "$(lines_of a)" -le 3 ]
}

@test "a refusal is reported for the endpoint whose host refuses" {
  topology_pair
  listener
  config a '192.0.2.2:51900, 127.0.0.1:9'
  up a
  eventually says a "the host of 127.0.0.1:9 says that nothing listens there"
  says a "192.0.2.2:51900 is silent"
  [ "$(status_of a .about)" = 127.0.0.1:9 ]
  refute grep -q 'host of 192.0.2.2' "$work/a/up.log"
}

# one_way ENDPOINT_OF_B: a firewall on A drops what arrives, while A's handshakes reach B.
one_way() {
  topology_pair
  ip netns exec "$A" nft 'table inet f { chain i { type filter hook input priority 0; udp dport 51900 drop; }; }'
  config a 192.0.2.2:51900
  config b "$1"
  up b
  up a
  eventually says b "handshakes of the peer arrive from 192.0.2.1:51900, but our answers do not reach it"
  [ "$(status_of b .reason)" = one-way ]
  grep -q 'our answers do not reach it' "$work/b/up.log"
  eventually says a "no answer from 192.0.2.2:51900: nothing arrives at all"
  refute says b "nothing arrives at all"
}

@test "a firewall that passes UDP in one direction is reported on both sides" {
  one_way 192.0.2.1:51900
  refute grep -q "nothing arrives at all" "$work/b/up.log"
}

@test "a firewall that passes UDP in one direction is reported on a side without Endpoint" {
  one_way ''
}

@test "a firewall on this machine that drops what the link sends is reported" {
  topology_pair
  listener
  ip netns exec "$A" nft 'table inet f { chain o { type filter hook output priority 0; udp dport 51900 drop; }; }'
  config a 192.0.2.2:51900
  up a
  eventually says a "cannot send to 192.0.2.2:51900: Operation not permitted (does a firewall on this machine drop it?"
}

@test "a stray datagram does not hide the cause" {
  topology_pair
  config a 198.51.100.1:51900 # no route
  up a
  eventually says a "198.51.100.1:51900 is unreachable: Network is unreachable"
  echo x | ip netns exec "$B" socat -u - UDP4-SENDTO:192.0.2.1:51900
  eventually eval '[ "$(status_of a .drops.short)" = 1 ]'
  says a "198.51.100.1:51900 is unreachable: Network is unreachable"
  sleep 3
  says a "198.51.100.1:51900 is unreachable: Network is unreachable"
  [ "$(lines_of a)" = 1 ]
}

@test "a side without Endpoint reports datagrams that its key does not open" {
  topology_pair
  config b
  up b
  eventually says b "waiting on UDP port 51900 for the peer to start"
  (umask 077 && "$SALTWAY" genkey >"$work/other.key")
  key=$work/other.key config a 192.0.2.2:51900
  up a
  eventually says b "datagrams arrive from 192.0.2.1:51900 that our key does not open"
}

@test "a peer of another protocol version is reported, with the version" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually says a "the host of 192.0.2.2:51900 says that nothing listens there"
  ip netns exec "$B" "$(dirname "$SALTWAY")/tests/netns/other_version" "$work/link.key" 192.0.2.1 51900
  eventually says a "speaks protocol version 2, this side 1 (upgrade the older side)"
  [ "$(status_of a .reason)" = version ]
  grep -q 'speaks protocol version 2' "$work/a/up.log"
}

@test "a link that loses a fifth of its probes is degraded, which is reported once, and status still exits with 0" {
  topology_pair
  config a 192.0.2.2:51900
  echo "PersistentKeepalive = 1" >>"$work/a/sw0.conf"
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  [ "$(status_of a .state)" = up ]
  ip netns exec "$A" nft 'table inet f { chain i { type filter hook input priority 0; udp dport 51900 numgen inc mod 5 == 0 drop; }; }'
  until_true 180 eval '[ "$(status_of a .state)" = degraded ]'
  says a "up with 192.0.2.2:51900, but "
  [ "$(status_of a .reason)" = loss ]
  is_up a
  [ "$(grep -c 'of the probes are lost' "$work/a/up.log")" = 1 ]
}

@test "the side that misses datagrams of the peer says so, and the other one does not" {
  two_sides
  ip netns exec "$A" nft 'table inet f { chain i { type filter hook input priority 0; udp dport 51900 udp length > 1250 numgen inc mod 3 == 0 drop; }; }'
  in_ns b ping -q -i 0.01 -s 1300 -w 170 10.77.0.1 >/dev/null 3>&- &
  pids+=($!)
  until_true 180 eval '[ "$(status_of a .state)" = degraded ]'
  says a "% of the peer's datagrams do not arrive"
  [ "$(status_of b '.condition | test("of the peer")')" = false ]
  run in_ns a "$SALTWAY" status sw0
  [[ $output =~ "  lost: "[0-9.]+" % ("[0-9]+" of "[0-9]+" datagrams of the peer)" ]]
}

@test "a link over its second endpoint is degraded, and status names the first" {
  topology_pair
  config a '192.0.2.3:51900, 192.0.2.2:51900' # the first does not exist
  config b
  up b
  up a
  wait_up
  eventually eval '[ "$(status_of a .state)" = degraded ]'
  [ "$(status_of a .reason)" = standby ]
  says a "up with 192.0.2.2:51900, but that is a standby: 192.0.2.3 port 51900, the first Endpoint, is not in use"
  [ "$(status_of b .state)" = up ]
}
