#!/usr/bin/env bats
# A line that is slower than what is sent: packets wait in the engine, by flow, and few of them.
#
#   a ==== tbf, both ways ==== b
#
# Timing does not decide: the limits are far from what is measured (6 ms), and farther from what a line with one queue
# would give (400 ms, and the TUN device's 512 super-packets).

load topology

up_both() {
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
}

slow() { # RATE: of the line, with 400 ms of buffer that nothing tells flows apart in
  for ns in "$A" "$B"; do tc -n "$ns" qdisc replace dev v0 root tbf rate "$1" burst 16k latency 400ms; done
}

# Starts four TCP streams from a to b for so many seconds.
fill() { # SECONDS
  ip netns exec "$B" iperf3 -s -1 >/dev/null 3>&- &
  pids+=("$!")
  eventually eval 'ip netns exec "$B" ss -Hltn sport = :5201 | grep -q 5201'
  ip netns exec "$A" iperf3 -c 10.77.0.2 -t "$1" -P 4 -J >"$work/iperf.json" 3>&- &
  filling=$!
  pids+=("$filling")
  sleep 1
}

refused_nowhere() { # but in the queue
  for side in a b; do
    [ "$(status_of "$side" '.drops | del(.queue, ."no-session", ."unexpected-reply", ."repeated-init") | add')" = 0 ]
  done
}

@test "a ping does not wait for the streams beside it, and is not lost" {
  topology_pair
  up_both
  slow 20mbit
  fill 6
  run ip netns exec "$A" ping -q -c 60 -i 0.05 10.77.0.2
  echo "$output"
  [[ $output = *" 0% packet loss"* ]]
  average=$(sed -En 's|.*= [0-9.]+/([0-9]+).*|\1|p' <<<"$output")
  [ "$average" -lt 150 ]
  wait "$filling"
  [ "$(jq '.end.sum_received.bits_per_second > 10e6' "$work/iperf.json")" = true ]
  [ "$(status_of a .drops.queue)" -gt 0 ]
  refused_nowhere
}

@test "packets of connections that understand marks are marked, not dropped" {
  topology_pair
  up_both
  for ns in "$A" "$B"; do ip netns exec "$ns" sysctl -qw net.ipv4.tcp_ecn=1; done
  slow 20mbit
  fill 5
  wait "$filling"
  [ "$(status_of a .marked)" -gt 0 ]
  [ "$(status_of a .drops.queue)" = 0 ]
  refused_nowhere
}

@test "status tells what waits while the socket is full" {
  topology_pair
  up_both
  slow 1mbit
  fill 60 # ended with the test
  eventually eval '[ "$(status_of a ".queue_bytes > 0 and .queue_ms > 0")" = true ]'
  run in_ns a "$SALTWAY" status sw0
  [[ $output = *"  queue: "* ]]
}
