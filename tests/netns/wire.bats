#!/usr/bin/env bats
# Statistics of many links at once show nothing to anyone without the key.  All links run between the two namespaces of
# topology_pair.

load topology

LINKS=48

# link_config SIDE INDEX: writes a configuration with its own interface, port, addresses and key; it ends with $extra.
link_config() {
  local side=$1 i=$2 n
  [ "$side" = a ] && n=1 || n=2
  printf '[Interface]\nAddress = 10.77.%s.%s/30\nListenPort = %s\n[Peer]\nPresharedKeyFile = %s\nEndpoint = 192.0.2.%s:%s\nAllowedIPs = 10.77.%s.0/24\n%s\n' \
    "$i" $n $((51900 + i)) "$work/key$i" $((3 - n)) $((51900 + i)) "$i" "${extra:-}" >"$work/$side/sw$i.conf"
}

links_up() {
  local side i ns
  for side in "$@"; do
    [ "$side" = a ] && ns=$A || ns=$B
    mkdir -p "$work/run-$side"
    for i in $(seq 0 $((LINKS - 1))); do
      [ -e "$work/key$i" ] || (umask 077 && "$SALTWAY" genkey >"$work/key$i")
      link_config "$side" "$i"
      ip netns exec "$ns" env RUNTIME_DIRECTORY="$work/run-$side" \
        "$SALTWAY" up "$work/$side/sw$i.conf" >>"$work/$side/up.log" 2>&1 3>&- &
      pids+=($!)
    done
  done
}

all_up() { [ "$(in_ns "$1" "$SALTWAY" status --json | jq '[.[] | select(.state == "up")] | length')" = $LINKS ]; }

# capture_all: starts one capture of the ports of all links.
capture_all() {
  ip netns exec "$A" tcpdump --immediate-mode -i v0 -U -w "$work/wire.pcap" udp and portrange 51900-51999 2>"$work/tcpdump" 3>&- &
  capture_pid=$!
  pids+=("$capture_pid")
  eventually grep -q 'listening on' "$work/tcpdump"
}

# only_ours: keeps the kernel from sending packets of its own (router solicitations) into the links, whose sizes are equal.
only_ours() {
  topology_pair
  for side in a b; do in_ns $side sysctl -qw net.ipv6.conf.default.disable_ipv6=1; done
}

# all_ping: sends packets of random sizes through all links, because the sizes of packets are not hidden.
all_ping() { for i in $(seq 0 $((LINKS - 1))); do in_ns a ping -q -c 2 -i 0.01 -W 5 -s $((RANDOM % 1000)) "10.77.$i.2" >/dev/null; done; }

@test "in 48 links no bit, byte, length or interval of handshakes, data and keepalives is constant" {
  only_ours
  links_up b
  eventually eval '[ "$(in_ns b "$SALTWAY" status --json | jq length)" = $LINKS ]'
  capture_all
  links_up a
  eventually all_up a
  eventually all_up b
  all_ping
  sleep 10 # keepalives are sent
  capture_stop
  python3 "$BATS_TEST_DIRNAME/statistics.py" "$work/wire.pcap" $LINKS
}

@test "in 48 links that idle and end no bit, byte, length or interval is constant" {
  only_ours
  extra='PersistentKeepalive = 1'
  links_up a b
  eventually all_up a
  eventually all_up b
  capture_all
  sleep 5
  for i in $(seq 0 $((LINKS - 1))); do in_ns a "$SALTWAY" down "sw$i"; done
  sleep 2 # the other sides try to connect again
  capture_stop
  python3 "$BATS_TEST_DIRNAME/statistics.py" "$work/wire.pcap" $LINKS 192.0.2.1
}

@test "in 48 links whose peers are silent no bit, byte, length or interval of the inits is constant" {
  topology_pair
  capture_all
  ip netns exec "$B" python3 -c '
import socket, sys, time
held = []
for port in range(51900, 51900 + int(sys.argv[1])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("192.0.2.2", port)); held.append(s)
print("ready", flush=True); time.sleep(600)' $LINKS >"$work/ready" 3>&- &
  pids+=($!)
  eventually grep -q ready "$work/ready"
  links_up a
  eventually eval '[ "$(tcpdump -r "$work/wire.pcap" -nn 2>/dev/null | awk "{print \$5}" | sort | uniq -c | awk "\$1 >= 2" | wc -l)" = $LINKS ]'
  capture_stop
  python3 "$BATS_TEST_DIRNAME/statistics.py" "$work/wire.pcap" $LINKS
}
