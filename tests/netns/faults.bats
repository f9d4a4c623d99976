#!/usr/bin/env bats
# Links that do not work, and what their log and status say about them.

load topology

@test "with different keys nothing passes, and both sides say that their key does not open what arrives" {
  topology_pair
  config a 192.0.2.2:51900
  (umask 077 && "$SALTWAY" genkey >"$work/other.key")
  key=$work/other.key config b 192.0.2.1:51900
  up a
  up b
  for side in a b; do
    eventually eval '[[ $(condition_of $side) == *"our key does not open"* ]]'
    fingerprint=$(status_of $side .fingerprint)
    [[ $(condition_of $side) == *"$fingerprint"* ]]
    eventually grep -q "our key does not open.*$fingerprint" "$work/$side/up.log"
    [ "$(status_of $side '.drops."unknown-session"')" -ge 1 ]
    [ "$(status_of $side .packets_in)" = 0 ]
    refute is_up $side
  done
  [ "$(status_of a .fingerprint)" != "$(status_of b .fingerprint)" ]
  refute in_ns a ping -q -c 2 -i 0.1 -W 1 10.77.0.2
}

@test "a silent peer is reported: nothing arrives at all" {
  topology_pair
  config a 192.0.2.2:51900
  ip netns exec "$B" socat -u UDP4-RECV:51900 OPEN:/dev/null 3>&- &
  pids+=($!)
  eventually eval 'ip netns exec "$B" ss -Hlun sport = :51900 | grep -q 51900'
  up a
  eventually eval '[[ $(condition_of a) == *"no answer from"*"nothing arrives at all"* ]]'
  grep -q 'nothing arrives at all' "$work/a/up.log"
}

@test "a host on which nothing listens is distinguished from a silent peer" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[[ $(condition_of a) == *"192.0.2.2"*"says that nothing listens there"* ]]'
}

@test "an unreachable peer is distinguished from a silent one" {
  topology_pair
  config a 192.0.2.77:51900 # no host has this address
  up a
  eventually eval '[[ $(condition_of a) == *"is unreachable: No route to host"* ]]'
  in_ns a "$SALTWAY" down sw0
  config a 198.51.100.1:51900 # no route
  up a
  eventually eval '[[ $(condition_of a) == *"is unreachable: Network is unreachable"* ]]'
}

@test "a link whose own datagrams are routed into it is reported" {
  topology_pair
  config a 192.0.2.2:51900
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16, 192.0.2.2/32|' "$work/a/sw0.conf"
  config b 192.0.2.1:51900
  up a
  up b
  eventually eval '[[ $(condition_of a) == *"within AllowedIPs"*"go into the link"* ]]'
}

@test "a name that does not resolve is reported" {
  topology_pair
  config a no-such-host.invalid:51900
  up a
  eventually eval '[[ $(condition_of a) == *"cannot resolve no-such-host.invalid"* ]]'
}

@test "an idle link notices that its peer is gone, and comes up again with it" {
  topology_pair
  config a 192.0.2.2:51900
  sed -i '/AllowedIPs/a PersistentKeepalive = 2' "$work/a/sw0.conf"
  config b
  up a
  up b
  wait_up
  ip -n "$B" link set v0 down
  eventually eval '[ "$(status_of a .state)" = silent ]'
  refute is_up a
  ip -n "$B" link set v0 up
  eventually is_up a
  ping_from a 10.77.0.2
}

@test "noise of every length and replays of all traffic are dropped, counted and not answered, and the link stays up" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  capture_start
  up b
  eventually eval '[ "$(status_of b .state)" = waiting ]'
  up a
  wait_up
  ping_from a -s 300 10.77.0.2
  capture_stop
  # the stranger has an address of his own on the wire
  ip -n "$A" addr add 192.0.2.66/24 dev v0
  rm -f "$work/tcpdump"
  # b may have answered several inits of a; each of them may be answered once more when it is replayed
  local inits; inits=$((1 + $(status_of a '.drops."unexpected-reply" // 0')))
  ip netns exec "$A" tcpdump --immediate-mode -i v0 -U -w "$work/stranger.pcap" src 192.0.2.2 and dst 192.0.2.66 2>"$work/tcpdump" 3>&- &
  pids+=($!)
  eventually grep -q 'listening on' "$work/tcpdump"
  run ip netns exec "$A" python3 "$BATS_TEST_DIRNAME/stranger.py" "$work/wire.pcap" 192.0.2.66 192.0.2.2 51900 $((28 + 20 + 8 + 300))
  echo "$output"
  [ "$status" = 0 ]
  ping_from a 10.77.0.2
  [ "$(status_of b .state)" = up ]
  [ "$(status_of b .drops.short)" -ge 28 ]
  [ "$(status_of b '.drops."unknown-session"')" -ge 1473 ]
  [ "$(status_of b .drops.replayed)" -ge 3 ]
  [ "$(status_of b '.drops."bad-tag"')" -ge 1 ]
  # nothing but a replayed init of the captured handshake may be answered
  sleep 0.3
  answers=$(tcpdump -r "$work/stranger.pcap" -nn udp 2>/dev/null | wc -l)
  echo "answers to the stranger: $answers"
  [ "$answers" -le "$inits" ]
}
