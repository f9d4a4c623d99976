#!/usr/bin/env bats
# A line that is slower than what is sent: packets wait in the engine, by flow, and few of them.
#
#   a ==== tbf, both ways ==== b       the first three
#   a ==== nothing limits ==== b       Bandwidth
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

@test "the peer is told of the end while the line is full" {
  topology_pair
  slow 5mbit
  # "nothing listens" would be said instead if ICMP were faster
  ip netns exec "$A" nft 'table inet f { chain o { type filter hook output priority 0; icmp type destination-unreachable drop; }; }'
  for _ in 1 2 3; do
    rm -f "$work"/?/up.log
    up_both
    fill 8
    sleep 1
    kill -TERM "$pid_a"
    eventually grep -q 'closed the link in order' "$work/b/up.log"
    kill -TERM "$pid_b"
    for pid in $(ip netns pids "$A") $(ip netns pids "$B"); do kill -KILL "$pid" || true; done
    eventually eval '[ -z "$(ip netns pids "$A")$(ip netns pids "$B")" ]'
  done
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

# sent_in SECONDS: bytes that a's device has sent, with Ethernet headers, and the milliseconds until they were read.
sent_in() {
  local start bytes
  start=$(date +%s%N)
  bytes=$(ip netns exec "$A" cat /sys/class/net/v0/statistics/tx_bytes)
  sleep "$1"
  echo $(($(ip netns exec "$A" cat /sys/class/net/v0/statistics/tx_bytes) - bytes)) $((($(date +%s%N) - start) / 1000000))
}

@test "Bandwidth holds the link to a rate, a ping does not wait for it, and a reload changes it" {
  topology_pair
  config a 192.0.2.2:51900 'Bandwidth = 10mbit'$'\n''Overhead = 14' # Ethernet
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  [ "$(status_of a .bandwidth) $(status_of b .bandwidth)" = "10000000 null" ]
  fill 8
  read -r bytes ms < <(sent_in 2)
  echo "10mbit: $bytes bytes in $ms ms"
  [ $((bytes * 8)) -le $((ms * 10100 + 100000)) ] # bits; 100,000 are 10 ms
  [ $((bytes * 8)) -ge $((ms * 5000)) ]
  ip netns exec "$A" ping -q -c 40 -i 0.05 10.77.0.2 >"$work/ping" 3>&- &
  ping=$!
  sleep 0.5
  sed -i 's/10mbit/30mbit/' "$work/a/sw0.conf"
  in_ns a "$SALTWAY" reload sw0
  wait "$ping" || { cat "$work/ping"; false; }
  cat "$work/ping"
  grep -q ' 0% packet loss' "$work/ping"
  average=$(sed -En 's|.*= [0-9.]+/([0-9]+).*|\1|p' "$work/ping")
  [ "$average" -lt 150 ]
  [ "$(status_of a .bandwidth)" = 30000000 ]
  read -r bytes ms < <(sent_in 1)
  echo "30mbit: $bytes bytes in $ms ms"
  [ $((bytes * 8)) -le $((ms * 30300 + 300000)) ]
  [ $((bytes * 8)) -ge $((ms * 12000)) ]
  wait "$filling"
  refused_nowhere
  run in_ns a "$SALTWAY" status sw0
  [[ $output = *"limited to 30.0 Mbit/s"* ]]
}
