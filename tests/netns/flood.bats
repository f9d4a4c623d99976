#!/usr/bin/env bats
# A stranger floods the link. He has no key, one processor core, and a recording of all traffic.
#
#   ns C 198.18.0.2/24 ------ 198.18.0.1/24 ns A ------ ns B
#
# C sends up to 130,000 datagrams a second from 1,000 addresses.  A busy machine manages fewer; below 25,000 the test fails.
# Meanwhile the link between A and B carries traffic, and A's memory does not grow.  No answer of A to C is longer than the
# datagram that it answers.

load topology

FLOOD=$(dirname "$SALTWAY")/tests/netns/flood
SECONDS_LONG=4

stranger() {
  C=sw-c-$id
  ip netns add "$C"
  ip link add v1 netns "$A" type veth peer name v1 netns "$C"
  ip -n "$A" addr add 198.18.0.1/24 dev v1
  ip -n "$C" addr add 198.18.0.2/24 dev v1
  ip -n "$A" link set v1 up
  ip -n "$C" link set v1 up
  ip -n "$A" route add 198.19.0.0/16 via 198.18.0.2
  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.v1.rp_filter=0
}

# recorded: brings up a link between a and b, and records its handshake and some traffic in wire.pcap.
recorded() {
  not_sanitized "too slow for a flood"
  topology_pair
  stranger
  config a
  config b 192.0.2.1:51900
  capture_start
  up a
  up b
  wait_up
  ping_from b 10.77.0.1
  ping_from b -s 1000 10.77.0.1
  capture_stop
}

# size_of PID: prints the process's data segment in KiB, resident or not.
size_of() { awk '$1 == "VmData:" {print $2}' "/proc/$1/status"; }
dropped() { status_of a ".drops.\"$1\" // 0"; }

# flooded WHAT ADDRESSES: during a flood of 4 seconds no ping is lost and memory does not grow.
flooded() {
  local engine before; engine=$(status_of a .engine_pid)
  before=$(size_of "$engine")
  ip netns exec "$C" "$FLOOD" "$1" "$2" 198.18.0.1 130000 $SECONDS_LONG >"$work/rate" 3>&- &
  local flood=$!
  pids+=("$flood")
  sleep 0.5
  run in_ns b ping -q -c 30 -i 0.1 -W 5 10.77.0.1
  echo "$output"
  [[ "$output" == *" 0% packet loss"* ]]
  wait "$flood"
  echo "$(cat "$work/rate") datagrams a second; KiB before and after: $before $(size_of "$engine")"
  [ $(($(cat "$work/rate") * SECONDS_LONG)) -gt 100000 ]
  [ "$(size_of "$engine")" -le $((before + 256)) ]
  [ "$(status_of a .state)" = up ]
  status_of a .drops
}

# connects_during WHAT: side b ends, and connects again during a flood.
connects_during() {
  ip netns exec "$C" "$FLOOD" "$1" 1000 198.18.0.1 130000 120 >"$work/rate" 3>&- &
  local flood=$! before; before=$(status_of a .handshakes)
  pids+=("$flood")
  in_ns b "$SALTWAY" down sw0
  up b
  eventually is_up b
  kill -0 "$flood" # the flood has not ended
  [ "$(status_of a .handshakes)" -gt "$before" ]
}

answers_start() {
  ip netns exec "$C" tcpdump --immediate-mode -i v1 -U -w "$work/answers.pcap" src 198.18.0.1 and udp 2>"$work/answers" 3>&- &
  answers_pid=$!
  pids+=("$answers_pid")
  eventually grep -q 'listening on' "$work/answers"
}

answers_stop() {
  sleep 0.3
  kill -INT "$answers_pid"
  wait "$answers_pid" || true
  answers=$(tcpdump -r "$work/answers.pcap" -nn 2>/dev/null | wc -l)
  echo "answers: $answers"
}

@test "during a flood of garbage nothing is lost or answered, memory does not grow, and a peer connects" {
  recorded
  answers_start
  flooded garbage 1000
  answers_stop
  [ "$answers" = 0 ]
  [ $(($(dropped unknown-session) + $(dropped short) + $(dropped socket-full))) -gt 100000 ]
  connects_during garbage
}

# recorded_pings: writes the datagrams of b's pings in wire.pcap to $work/data.
recorded_pings() {
  [ "$(python3 "$BATS_TEST_DIRNAME/payloads.py" "$work/wire.pcap" 192.0.2.2 "$work/all")" -ge 6 ]
  python3 - "$work/all" "$work/data" <<'PYTHON'
import struct, sys
all = open(sys.argv[1], "rb").read(); at, found = 0, []
while at < len(all):
    n = struct.unpack_from("=I", all, at)[0]; found.append(all[at:at + 4 + n]); at += 4 + n
pings = [f for f in found if len(f) - 4 in (28 + 28 + 56, 28 + 28 + 1000)]
open(sys.argv[2], "wb").write(b"".join(pings))
PYTHON
}

@test "during a flood of recorded data nothing is lost or answered, memory does not grow, and a peer connects" {
  recorded
  recorded_pings
  answers_start
  flooded "$work/data" 1000
  answers_stop
  [ "$answers" = 0 ]
  [ "$(dropped replayed)" -gt 50000 ]
  connects_during "$work/data"
}

@test "during a flood of recorded data with altered counters nothing is lost or answered, memory does not grow, and a peer connects" {
  recorded
  recorded_pings
  answers_start
  flooded "altered:$work/data" 1000
  answers_stop
  [ "$answers" = 0 ]
  [ "$(dropped bad-tag)" -gt 50000 ]
  [ "$(dropped replayed)" = 0 ]
  connects_during "altered:$work/data"
}

@test "during a flood of a recorded init nothing is lost, no answer is longer than the init, memory does not grow, and a peer connects" {
  recorded
  [ "$(python3 "$BATS_TEST_DIRNAME/payloads.py" "$work/wire.pcap" 192.0.2.2 "$work/init" 1)" = 1 ]
  answers_start
  flooded "$work/init" 1000
  answers_stop
  local length; length=$(($(stat -c %s "$work/init") - 4))
  [ "$answers" -gt 0 ]
  tcpdump -r "$work/answers.pcap" -nn 2>/dev/null | sed -n 's/.*length \([0-9]*\)$/\1/p' | sort -n | tail -1 >"$work/longest"
  echo "init $length, longest answer $(cat "$work/longest")"
  [ "$(cat "$work/longest")" -le "$length" ]
  connects_during "$work/init"
  [ "$(status_of a .cookies_sent)" -gt 0 ]
}

@test "during a flood of forged reports that nothing listens no datagram of the link is lost" {
  recorded
  ip netns exec "$C" "$FLOOD" refusals 1000 198.18.0.1 50000 120 >"$work/rate" 3>&- &
  local flood=$!
  pids+=("$flood")
  reports() { ip netns exec "$A" nstat -az IcmpInDestUnreachs | awk '/Unreachs/ {print $2}'; }
  eventually eval '[ "$(reports)" -gt 1000 ]'
  local before; before=$(reports)
  for _ in 1 2 3; do tcp_hashed a b 10.77.0.2; done
  kill -0 "$flood" # the flood has not ended
  [ $(($(reports) - before)) -gt 1000 ]
  nothing_dropped
}
