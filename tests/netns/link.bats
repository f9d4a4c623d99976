#!/usr/bin/env bats
# The link between two namespaces: the real binary, real TUN devices, real sockets.

load topology

@test "an encrypted ping passes between two namespaces" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  ping_from a 10.77.0.2
  ping_from b 10.77.0.1
}

# carries OUTER_A OUTER_B: pings of many sizes and both families, TCP both ways, nothing readable outside.
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

@test "over IPv4: pings of 56 to 1300 bytes and TCP pass, and the wire shows none of it" {
  carries 192.0.2.1 192.0.2.2
}

@test "over IPv6: pings of 56 to 1300 bytes and TCP pass, and the wire shows none of it" {
  carries '[2001:db8::1]' '[2001:db8::2]'
}

@test "packets larger than the interface's MTU pass in fragments" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  ping_from a -s 8000 10.77.0.2
  ping_from a -s 8000 fd77::2
}

@test "routes to AllowedIPs are made, and a LAN behind each side is reached" {
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

@test "the peer cannot become the host's router, and the kernel does not ask it to" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  sleep 5 # in which the kernel would solicit a router, and again after 4 s
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
  ping_from b 10.77.0.1 # what was sent before has arrived
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

@test "one side without an Endpoint waits, and is reached, in either order of start" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up b
  until_true 20 eval '[ "$(status_of b .state)" = waiting ]'
  up a
  wait_up
  ping_from b 10.77.0.1
}

@test "a side that started long ago meets a peer without an Endpoint at once" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up a
  sleep 8 # its retries are 5 s apart by now, except after a report of the peer's host
  [ "$(status_of a .attempts)" -gt 20 ]
  up b
  wait_up
}

@test "a side killed and restarted is back before the other notices by itself that it was gone" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  kill -KILL "$pid_a"
  until_true 20 eval '! kill -0 "$pid_a"'
  up a
  until_true 12 in_ns b ping -q -c 1 -W 1 10.77.0.1 # which would take 15 s
  [ "$(status_of a .handshakes)" -ge 1 ]
}

@test "a side without an Endpoint killed and restarted is found again at once" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  up a
  up b
  wait_up
  sleep 4 # a report that nobody listens is not believed right after a handshake
  kill -KILL "$pid_b"
  until_true 20 eval '! kill -0 "$pid_b"'
  until_true 20 eval '[ -z "$(ip netns exec "$B" ss -Hlun sport = :51900)" ]'
  in_ns a ping -q -c 3 -i 0.2 -W 1 10.77.0.2 || true
  up b
  until_true 12 in_ns a ping -q -c 1 -W 1 10.77.0.2
}

@test "down ends the link in order: the peer knows, and nothing is left" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  in_ns a "$SALTWAY" down sw0
  refute ip -n "$A" link show sw0
  [ ! -e "$(file_of a sock)" ]
  until_true 20 eval '[ "$(status_of b .state)" != up ]'
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
    until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
    kill -$signal "$pid_a"
    wait "$pid_a"
    refute ip -n "$A" link show sw0
    [ ! -e "$(file_of a sock)" ]
  done
}

@test "hooks run with the interface's name; a failing PostUp ends the start and leaves nothing" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = ip link show %i > $work/post
PreDown = ip link show %i > $work/pre"
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  until_true 20 grep -q sw0 "$work/post"
  in_ns a "$SALTWAY" down sw0
  grep -q sw0 "$work/pre"
  config a 192.0.2.2:51900 "PostUp = exit 7"
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [ "$status" = 1 ]
  [[ $output == *'hook "exit 7" failed with status 7'* ]]
  refute ip -n "$A" link show sw0
}

@test "SIGHUP ends the link in order, but under nohup it is ignored" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  kill -HUP "$pid_a"
  wait "$pid_a"
  refute ip -n "$A" link show sw0
  (trap '' HUP; exec ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" "$SALTWAY" up "$work/a/sw0.conf" >"$work/a/up.log" 2>&1 3>&-) &
  pid_a=$!
  pids+=("$pid_a")
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  kill -HUP "$pid_a"
  sleep 0.5
  [ "$(status_of a .name)" = sw0 ]
  refute grep -q 'closing the link' "$work/a/up.log"
}

@test "PostUp may use the link" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = ping -q -c 1 -W 10 10.77.0.2"
  config b
  up b
  until_true 20 eval '[ "$(status_of b .state)" = waiting ]'
  up a
  wait_up
  until_true 20 grep -q '1 received' "$work/a/up.log"
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

@test "while PostUp runs status is answered, and down ends it with all that it started" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = sleep 31.4 & sleep 31.4
PreDown = touch $work/undone"
  config b
  up b
  up a
  wait_up
  until_true 20 eval 'ip netns pids "$A" | xargs ps -o args= -p | grep -c "^sleep 31.4" | grep -qx 2'
  in_ns a "$SALTWAY" down sw0
  wait "$pid_a"
  refute eval 'ip netns pids "$A" | xargs ps -o args= -p | grep "^sleep"'
  [ -e "$work/undone" ]
}

@test "a hook that does not end is ended after 30 s, with all that it started, and named" {
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

@test "a PostUp that fails: PreDown undoes what those before it did, and one failing PreDown keeps no other from it" {
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

# killed PREDOWN: side a, whose PostUp adds the rule 99, is started and its parent killed.
killed() {
  config a 192.0.2.2:51900 "PostUp = ip rule add pref 99 fwmark 77 table 77
PreDown = $1"
  up a
  until_true 20 eval 'ip -n "$A" rule | grep -q "^99:"'
  kill -KILL "$pid_a"
  until_true 20 eval '! kill -0 "$pid_a"'
}

@test "what a killed link's hooks did is undone at the next start, by its own PreDown, even if the file has another now" {
  topology_pair
  killed "ip rule del pref 99; echo undoing %i >>$work/undone"
  [ "$(stat -c %a "$(file_of a undo)")" = 600 ]
  config a 192.0.2.2:51900 "PostUp = ip rule add pref 99 fwmark 78 table 78
PreDown = ip rule del pref 99 fwmark 78"
  up a
  until_true 20 eval 'ip -n "$A" rule | grep "^99:" | grep -q "lookup 78"'
  [ "$(cat "$work/undone")" = "undoing sw0" ]
  grep -q 'the last run of sw0 was killed: running its PreDown' "$work/a/up.log"
  in_ns a "$SALTWAY" down sw0
  refute eval 'ip -n "$A" rule | grep -q "^99:"'
  [ ! -e "$(file_of a undo)" ]
}

@test "while a killed run is undone status and down are answered" {
  topology_pair
  killed "read -r _ <$work/go; ip rule del pref 99"
  mkfifo "$work/go"
  up a
  until_true 20 grep -q 'running: read' "$work/a/up.log"
  [ "$(status_of a .name)" = sw0 ]
  in_ns a "$SALTWAY" down sw0 &
  until_true 20 grep -q 'told to stop' "$work/a/up.log"
  echo >"$work/go"
  wait "$pid_a"
  wait $!
  refute eval 'ip -n "$A" rule | grep -q "^99:"'
}

@test "commands that others may have written to the runtime directory are not run" {
  topology_pair
  for what in 'chmod 620 "$record"' 'chown 65534 "$record"' 'ln "$record" "$record.2"' 'mv "$record" "$work/x"; ln -s "$work/x" "$record"' 'chmod 777 "$work/run-a"'; do
    killed "touch $work/undone"
    record=$(file_of a undo)
    eval "$what"
    : >"$work/a/up.log"
    config a 192.0.2.2:51900
    up a
    until_true 20 grep -q 'interface sw0' "$work/a/up.log"
    [ ! -e "$work/undone" ]
    grep -E 'others may|cannot read' "$work/a/up.log"
    in_ns a "$SALTWAY" down sw0
    ip -n "$A" rule del pref 99
    rm -f "$record" "$record.2"
  done
}

@test "MTU, Table and FwMark do what they say" {
  topology_pair
  config a 192.0.2.2:51900 "MTU = 1400
Table = 77
FwMark = 0x51"
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  ip -n "$A" link show sw0 | grep -q 'mtu 1400'
  ip -n "$A" route show table 77 | grep -q '10.2.0.0/16 dev sw0'
  refute eval 'ip -n "$A" route show | grep -q 10.2.0.0/16'
  in_ns a "$SALTWAY" down sw0
  config a 192.0.2.2:51900 "Table = off"
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  refute eval 'ip -n "$A" route show table all | grep -q 10.2.0.0/16'
}

@test "a link is not started twice" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [ "$status" = 1 ]
  [[ $output == *"the link sw0 is up already"* ]]
  [ "$(status_of a .name)" = sw0 ]
}

@test "of links started in the same instant one comes up, and can be asked and stopped" {
  topology_pair
  config a
  for _ in 1 2 3 4 5; do
    local started=()
    for _ in 1 2 3 4; do
      up a
      started+=("$pid_a")
    done
    others_gone() { [ "$(for pid in "${started[@]}"; do kill -0 "$pid" 2>/dev/null && echo; done | wc -l)" = 1 ]; }
    until_true 20 others_gone
    until_true 20 eval '[ "$(status_of a .state)" = waiting ]'
    until_true 20 eval '[ "$(pgrep -fc "$SALTWAY up $work/a/sw0.conf")" = 2 ]' # parent and engine
    in_ns a "$SALTWAY" down sw0
    until_true 20 eval '! pgrep -f "$SALTWAY up $work/a/sw0.conf"'
  done
}

@test "what a killed link leaves behind does not keep it from starting" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
  kill -KILL "$pid_a"
  until_true 20 eval '! kill -0 "$pid_a"'
  [ -e "$(file_of a sock)" ]
  up a
  until_true 20 eval '[ "$(status_of a .name)" = sw0 ]'
}

@test "no descriptor is left open by status, rekeying peers, or clients that never speak" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  before=$(ls "/proc/$pid_a/fd" | wc -l)
  for _ in $(seq 30); do is_up a; done
  for _ in 1 2 3; do
    kill -TERM "$pid_b"
    wait "$pid_b" || true
    up b
    wait_up
  done
  # more silent clients than there are places: they are ended, and the next one is heard
  for _ in $(seq 12); do
    in_ns a socat -u "UNIX-CONNECT:$(file_of a sock)" - 3>&- &
    pids+=($!)
  done
  sleep 0.5
  until_true 30 is_up a
  until_true 30 eval '[ "$(ls "/proc/$pid_a/fd" | wc -l)" = "$before" ]'
}
