#!/usr/bin/env bats
# A link between two namespaces (topology_pair): the real program, real TUN devices, real sockets.

load topology

@test "an encrypted ping passes between two namespaces" {
  two_sides
  ping_from a 10.77.0.2
  ping_from b 10.77.0.1
}

# carries OUTER_A OUTER_B: pings of many sizes and both families and TCP both ways pass; the wire shows no plaintext.
carries() {
  topology_pair
  config a "$2:51900"
  config b "$1:51900"
  capture_start
  up a
  up b
  wait_up
  for size in 56 57 100 500 1000 1300; do
    ping_from a -s $size -p 5a17e7 10.77.0.2
    ping_from b -s $size -p 5a17e7 fd77::1
  done
  tcp_hashed a b 10.77.0.2
  tcp_hashed b a fd77::1
  capture_stop
  [ "$(stat -c %s "$work/wire.pcap")" -gt 1000000 ]
  run grep -c -a -P '\x5a\x17\xe7\x5a\x17\xe7' "$work/wire.pcap"
  [ "$output" = 0 ]
  run grep -c -a 'PLAINTEXT-MARK' "$work/wire.pcap"
  [ "$output" = 0 ]
  nothing_dropped
}

@test "pings of 56 to 1300 bytes and TCP pass over IPv4, and the wire shows no plaintext" {
  carries 192.0.2.1 192.0.2.2
}

@test "pings of 56 to 1300 bytes and TCP pass over IPv6, and the wire shows no plaintext" {
  carries '[2001:db8::1]' '[2001:db8::2]'
}

@test "packets larger than the interface's MTU pass in fragments" {
  two_sides
  ping_from a -s 8000 10.77.0.2
  ping_from a -s 8000 fd77::2
}

@test "routes to AllowedIPs are added, and a LAN behind each side is reachable" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  ip -n "$A" addr add 10.1.0.1/16 dev lo
  ip -n "$B" addr add 10.2.0.1/16 dev lo
  ip -n "$A" addr add fd01::1/64 dev lo
  ip -n "$B" addr add fd02::1/64 dev lo
  up a
  up b
  wait_up
  ping_from a -I 10.1.0.1 10.2.0.1
  ping_from b -I fd02::1 fd01::1
}

@test "the peer cannot become the host's router, and the kernel does not solicit one on the link" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  sleep 5 # the kernel would solicit a router at once, and again after 4 s
  [ "$(status_of a '.drops."no-session"')" = 0 ]
  up b
  wait_up
  in_ns b python3 -c '
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
index = socket.if_nametoindex("sw0")
for hops in (socket.IPV6_MULTICAST_HOPS, socket.IPV6_UNICAST_HOPS): s.setsockopt(socket.IPPROTO_IPV6, hops, 255)
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(socket.AF_INET6, "2001:db8:bad::")
advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix
for _ in range(3): s.sendto(advertisement, ("ff02::1", 0, 0, index))'
  ping_from b 10.77.0.1 # so the advertisements have arrived
  ip -n "$A" -6 route
  refute eval 'ip -n "$A" -6 route | grep -E "^default|2001:db8:bad"'
  ip -n "$A" -6 addr show dev sw0 scope link | grep -q fe80 # for routing protocols
}

@test "a source outside AllowedIPs is dropped and counted" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  ip -n "$A" addr add 172.16.9.9/32 dev lo
  up a
  up b
  wait_up
  refute in_ns a ping -q -c 2 -i 0.1 -W 1 -I 172.16.9.9 10.77.0.2
  [ "$(status_of b .drops.source)" = 2 ]
  ping_from a 10.77.0.2
}

@test "a side without an Endpoint waits until the peer connects" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up b
  eventually eval '[ "$(status_of b .state)" = waiting ]'
  up a
  wait_up
  ping_from b 10.77.0.1
}

@test "a side that has tried for long connects at once when a peer without an Endpoint starts" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up a
  sleep 8 # by now its retries are 5 s apart, unless the peer's host reports that nothing listens
  [ "$(status_of a .attempts)" -gt 20 ]
  up b
  wait_up
}

# comes_back SIDE [ENDPOINT]: a has an Endpoint, and b this one, or none.  SIDE is killed, and started again at once, and
# again after 4 s, in which the other side notices.  Pings of the other side are answered before that could have found its
# peer silent, which takes 14 s.
comes_back() {
  local side=$1 ns=$B n=1 pause began pings first
  [ "$side" = a ] || { ns=$A n=2; }
  topology_pair
  config a 192.0.2.2:51900
  config b "${2:-}"
  up a
  up b
  wait_up
  sleep 4 # a report that nothing listens is ignored right after a handshake
  for pause in 0 4; do
    killed "$side"
    ip netns exec "$ns" ping -D -i 0.05 10.77.0.$n >"$work/pings" 2>&1 3>&- & pings=$!
    pids+=("$pings")
    sleep $pause
    began=$(date +%s.%N)
    up "$side"
    until_true 12 grep 'bytes from' "$work/pings"
    first=$(sed -n '/bytes from/ {s/^\[\([0-9.]*\)\].*/\1/p; q}' "$work/pings")
    echo "# $side started $pause s after its end: pings pass again after $(awk "BEGIN {printf \"%.2f\", $first - $began}") s" >&3
    kill -INT "$pings"; wait "$pings" || true
    ping_from "$side" 10.77.0.$((3 - n))
  done
}

@test "a side that is killed and restarted is back before the other side finds it silent, if both have an Endpoint" {
  comes_back a 192.0.2.1:51900
}

@test "so is the other side, if both have an Endpoint" { comes_back b 192.0.2.1:51900; }

@test "so is the side with an Endpoint, if the other has none" { comes_back a; }

@test "so is the side without an Endpoint" { comes_back b; }

@test "down ends the link in order: the peer is told, and nothing is left behind" {
  two_sides
  in_ns a "$SALTWAY" down sw0
  refute ip -n "$A" link show sw0
  [ ! -e "$(file_of a sock)" ]
  eventually eval '[ "$(status_of b .state)" != up ]'
  grep -q 'closed the link in order' "$work/b/up.log"
  run in_ns a "$SALTWAY" status sw0
  [ "$status" = 3 ]
  run in_ns a "$SALTWAY" down sw0
  [ "$status" = 1 ]
  [[ $output == *"sw0 is not up"* ]]
}

@test "SIGTERM and SIGINT end the link in order" {
  topology_pair
  config a 192.0.2.2:51900
  for signal in TERM INT; do
    up a
    eventually eval '[ "$(status_of a .name)" = sw0 ]'
    kill -$signal "$pid_a"
    wait "$pid_a"
    refute ip -n "$A" link show sw0
    [ ! -e "$(file_of a sock)" ]
  done
}

@test "hooks get the interface's name; if a PostUp fails the link does not start, and nothing is left behind" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = ip link show %i > $work/post
PreDown = ip link show %i > $work/pre"
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  eventually grep -q sw0 "$work/post"
  in_ns a "$SALTWAY" down sw0
  grep -q sw0 "$work/pre"
  config a 192.0.2.2:51900 "PostUp = exit 7"
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [ "$status" = 1 ]
  [[ $output == *'hook "exit 7" failed with status 7'* ]]
  refute ip -n "$A" link show sw0
}

@test "SIGHUP is ignored under nohup" {
  topology_pair
  config a 192.0.2.2:51900
  (trap '' HUP; exec ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" "$SALTWAY" up "$work/a/sw0.conf" >"$work/a/up.log" 2>&1 3>&-) &
  pid_a=$!
  pids+=("$pid_a")
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  kill -HUP "$pid_a"
  sleep 0.5
  [ "$(status_of a .name)" = sw0 ]
  refute grep -q 'closing the link\|reloaded' "$work/a/up.log"
}

@test "PostUp may use the link" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = ping -q -c 1 -W 10 10.77.0.2"
  config b
  up b
  eventually eval '[ "$(status_of b .state)" = waiting ]'
  up a
  wait_up
  eventually grep -q '1 received' "$work/a/up.log"
}

@test "PreDown may use the link" {
  topology_pair
  config a 192.0.2.2:51900 "PreDown = ping -q -c 1 -W 10 10.77.0.2 >$work/ping"
  config b
  up b
  up a
  wait_up
  in_ns a "$SALTWAY" down sw0
  grep -q '1 received' "$work/ping"
}

@test "while PostUp runs, status is answered, and down ends the hook with every process that it started" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = sleep 31.4 & sleep 31.4
PreDown = touch $work/undone"
  config b
  up b
  up a
  wait_up
  eventually eval 'ip netns pids "$A" | xargs ps -o args= -p | grep -c "^sleep 31.4" | grep -qx 2'
  in_ns a "$SALTWAY" down sw0
  wait "$pid_a"
  refute eval 'ip netns pids "$A" | xargs ps -o args= -p | grep "^sleep"'
  [ -e "$work/undone" ]
}

@test "a hook that does not end is ended after 30 s with every process that it started, and the log names it" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = trap '' TERM; sleep 61.4 & sleep 61.4; sleep 61.4
PreDown = touch $work/undone"
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"hook \"trap '' TERM; sleep 61.4 & sleep 61.4; sleep 61.4\" has not ended after 30 s"* ]]
  refute eval 'ip netns pids "$A" | xargs ps -o args= -p | grep "^sleep"'
  refute ip -n "$A" link show sw0
  [ -e "$work/undone" ]
}

@test "if a PostUp fails every PreDown runs, even after one that fails" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = ip rule add pref 99 fwmark 77 table 77
PostUp = exit 7
PreDown = exit 8
PreDown = ip rule del pref 99"
  for _ in 1 2; do
    run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *'hook "exit 7" failed with status 7'* ]]
    [[ $output == *'hook "exit 8" failed with status 8'* ]]
    refute eval 'ip -n "$A" rule | grep -q "^99:"'
    [ ! -e "$(file_of a undo)" ]
  done
}

# killed_run PREDOWN: starts side a, whose PostUp adds the rule 99, and kills its parent.
killed_run() {
  config a 192.0.2.2:51900 "PostUp = ip rule add pref 99 fwmark 77 table 77
PreDown = $1"
  up a
  eventually eval 'ip -n "$A" rule | grep -q "^99:"'
  killed a
}

@test "the start after a kill runs the PreDown of the killed run, even if the configuration has another by now" {
  topology_pair
  killed_run "ip rule del pref 99; echo undoing %i >>$work/undone"
  [ "$(stat -c %a "$(file_of a undo)")" = 600 ]
  config a 192.0.2.2:51900 "PostUp = ip rule add pref 99 fwmark 78 table 78
PreDown = ip rule del pref 99 fwmark 78"
  up a
  eventually eval 'ip -n "$A" rule | grep "^99:" | grep -q "lookup 78"'
  [ "$(cat "$work/undone")" = "undoing sw0" ]
  grep -q 'the last run of sw0 was killed: running its PreDown' "$work/a/up.log"
  in_ns a "$SALTWAY" down sw0
  refute eval 'ip -n "$A" rule | grep -q "^99:"'
  [ ! -e "$(file_of a undo)" ]
}

@test "the record of a killed run may be longer than the configuration it comes from" {
  topology_pair
  local names many
  printf -v names '%%i%.0s' {1..8000}
  printf -v many 'PreDown = : %s\n' $(yes "$names" | head -60)
  killed_run "ip rule del pref 99
$many"
  [ "$(stat -c %s "$(file_of a undo)")" -gt 1048576 ]
  up a
  eventually grep -q 'running: ip rule del pref 99' "$work/a/up.log"
  grep -q 'the last run of sw0 was killed' "$work/a/up.log"
}

@test "while the PreDown of a killed run runs, status and down are answered" {
  topology_pair
  killed_run "read -r _ <$work/go; ip rule del pref 99"
  mkfifo "$work/go"
  up a
  eventually grep -q 'running: read' "$work/a/up.log"
  [ "$(condition_of a)" = "not started yet: undoing what a killed run left" ]
  in_ns a "$SALTWAY" down sw0 &
  eventually grep -q 'told to stop' "$work/a/up.log"
  echo >"$work/go"
  wait "$pid_a"
  wait $!
  refute eval 'ip -n "$A" rule | grep -q "^99:"'
}

@test "a record of commands that others may have written is not executed" {
  topology_pair
  for what in 'chmod 620 "$record"' 'chown 65534 "$record"' 'ln "$record" "$record.2"' 'mv "$record" "$work/x"; ln -s "$work/x" "$record"' 'chmod 777 "$work/run-a"'; do
    killed_run "touch $work/undone"
    record=$(file_of a undo)
    eval "$what"
    : >"$work/a/up.log"
    config a 192.0.2.2:51900
    up a
    eventually grep -q 'interface sw0' "$work/a/up.log"
    [ ! -e "$work/undone" ]
    grep -E 'others may|cannot read' "$work/a/up.log"
    in_ns a "$SALTWAY" down sw0
    ip -n "$A" rule del pref 99
    rm -f "$record" "$record.2"
  done
}

@test "MTU and Table take effect, and FwMark is accepted" {
  topology_pair
  config a 192.0.2.2:51900 "MTU = 1400
Table = 77
FwMark = 0x51"
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  ip -n "$A" link show sw0 | grep -q 'mtu 1400'
  ip -n "$A" route show table 77 | grep -q '10.2.0.0/16 dev sw0'
  refute eval 'ip -n "$A" route show | grep -q 10.2.0.0/16'
  in_ns a "$SALTWAY" down sw0
  config a 192.0.2.2:51900 "Table = off"
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  refute eval 'ip -n "$A" route show table all | grep -q 10.2.0.0/16'
}

@test "a link that is up cannot be started a second time" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [ "$status" = 1 ]
  [[ $output == *"the link sw0 is up already"* ]]
  [ "$(status_of a .name)" = sw0 ]
}

@test "if a link is started four times at once, one comes up, and answers status and down" {
  topology_pair
  config a
  for _ in 1 2 3 4 5; do
    local started=()
    for _ in 1 2 3 4; do
      up a
      started+=("$pid_a")
    done
    others_gone() { [ "$(for pid in "${started[@]}"; do kill -0 "$pid" 2>/dev/null && echo; done | wc -l)" = 1 ]; }
    eventually others_gone
    eventually eval '[ "$(status_of a .state)" = waiting ]'
    eventually eval '[ "$(pgrep -fc "$SALTWAY up $work/a/sw0.conf")" = 2 ]' # parent and engine
    in_ns a "$SALTWAY" down sw0
    eventually eval '! pgrep -f "$SALTWAY up $work/a/sw0.conf"'
  done
}

@test "a link starts in spite of what a killed run left behind" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  killed a
  [ -e "$(file_of a sock)" ]
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
}

@test "status, restarts of the peer, and silent clients leave no descriptor open" {
  two_sides
  before=$(ls "/proc/$pid_a/fd" | wc -l)
  for _ in $(seq 30); do is_up a; done
  for _ in 1 2 3; do
    kill -TERM "$pid_b"
    wait "$pid_b" || true
    up b
    wait_up
  done
  # more silent clients than there are slots: they are disconnected, and the next client is served
  for _ in $(seq 12); do
    in_ns a socat -u "UNIX-CONNECT:$(file_of a sock)" - 3>&- &
    pids+=($!)
  done
  sleep 0.5
  eventually is_up a
  eventually eval '[ "$(ls "/proc/$pid_a/fd" | wc -l)" = "$before" ]'
}
