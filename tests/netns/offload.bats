#!/usr/bin/env bats
# Super-packets and checksums.  Packets arrive on the far side as they would without a tunnel.

load topology

#   host C -- gateway A ====== gateway B -- host D
#   10.1.0.2   10.1.0.1        10.2.0.1   10.2.0.2     (fd01::, fd02:: likewise)
topology_lans() {
  topology_pair
  C=sw-c-$id D=sw-d-$id
  local n host gateway
  for n in 1 2; do
    [ $n = 1 ] && host=$C gateway=$A || host=$D gateway=$B
    ip netns add "$host"
    # without duplicate address detection a new address is usable at once
    for ns in "$host" "$gateway"; do ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0; done
    ip link add lan netns "$gateway" type veth peer name lan netns "$host"
    ip -n "$host" link set lo up
    ip -n "$gateway" addr add 10.$n.0.1/24 dev lan
    ip -n "$host" addr add 10.$n.0.2/24 dev lan
    ip -n "$gateway" addr add fd0$n::1/64 dev lan nodad
    ip -n "$host" addr add fd0$n::2/64 dev lan nodad
    ip -n "$gateway" link set lan up
    ip -n "$host" link set lan up
    ip -n "$host" route add default via 10.$n.0.1
    ip -n "$host" -6 route add default via fd0$n::1
    ip netns exec "$gateway" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  done
}

# plain_lan NS: makes the LAN's frames those of a real network: no super-packets, and complete checksums, which the
# receiver verifies.
plain_lan() {
  ip netns exec "$1" ethtool -K lan tx off sg off tso off gso off gro off >/dev/null
}

up_both() {
  config a 192.0.2.2:51900 "Offload = $1"
  config b 192.0.2.1:51900 "Offload = $2"
  up a
  up b
  wait_up
}

# stream FROM TO ADDRESS: sends 4 MB through TCP, and compares what arrives with what was sent.
stream() {
  local from=$1 to=$2 address=$3 listener
  [ -f "$work/sent" ] || head -c 4000000 /dev/urandom >"$work/sent"
  rm -f "$work/received"
  ip netns exec "$to" socat -u TCP6-LISTEN:5001,reuseaddr,ipv6only=0 CREATE:"$work/received" 3>&- &
  listener=$!
  pids+=("$listener")
  eventually eval 'ip netns exec "$to" ss -Hltn sport = :5001 | grep -q 5001'
  case $address in *:*) address="TCP6:[$address]" ;; *) address="TCP4:$address" ;; esac
  ip netns exec "$from" timeout 60 socat -u FILE:"$work/sent" "$address:5001"
  wait "$listener"
  cmp "$work/sent" "$work/received"
}

for_all_pairs() {
  stream "$A" "$B" 10.77.0.2
  stream "$B" "$A" fd77::1
  stream "$C" "$D" 10.2.0.2
  stream "$D" "$C" 10.1.0.2
  stream "$C" "$D" fd02::2
  stream "$D" "$C" fd01::2
  nothing_dropped
}

@test "with offloads on both sides, streams of gateways and LANs arrive whole" {
  topology_lans
  up_both auto auto
  for_all_pairs
}

@test "with offloads off on one side, streams arrive whole" {
  topology_lans
  up_both off auto
  for_all_pairs
}

@test "with offloads off on both sides, streams arrive whole" {
  topology_lans
  up_both off off
  for_all_pairs
}

@test "with offloads on the link and none on the LANs, streams arrive whole" {
  topology_lans
  for ns in "$A" "$B" "$C" "$D"; do plain_lan "$ns"; done
  up_both auto auto
  for_all_pairs
}

@test "with offloads off on one side and on the LANs, streams arrive whole" {
  topology_lans
  for ns in "$A" "$B" "$C" "$D"; do plain_lan "$ns"; done
  up_both auto off
  for_all_pairs
}

@test "on a path without GSO and GRO, streams arrive whole" {
  topology_lans
  for ns in "$A" "$B"; do ip netns exec "$ns" ethtool -K v0 tx-udp-segmentation off gro off >/dev/null; done
  up_both auto auto
  for_all_pairs
}

# near_and_far COMMAND...: every packet that host C sends to host D while the command runs arrives; prints a summary.
near_and_far() {
  local ns tap taps=()
  for ns in "$C" "$D"; do
    rm -f "$work/$ns.tcpdump" "$work/$ns.pcap" # from an earlier call
    ip netns exec "$ns" tcpdump --immediate-mode -B 65536 -i lan -U -w "$work/$ns.pcap" \
      "(src 10.1.0.2 and dst 10.2.0.2) or (src fd01::2 and dst fd02::2)" 2>"$work/$ns.tcpdump" 3>&- &
    taps+=($!)
    pids+=($!)
    eventually grep -q 'listening on' "$work/$ns.tcpdump"
  done
  "$@"
  eventually python3 "$BATS_TEST_DIRNAME/lans.py" "$work/$C.pcap" "$work/$D.pcap" || true
  for tap in "${taps[@]}"; do kill -INT "$tap"; wait "$tap" || true; done
  python3 "$BATS_TEST_DIRNAME/lans.py" "$work/$C.pcap" "$work/$D.pcap"
}

# The hosts segment to a size that fits the tunnel, and the gateways coalesce on both sides of it.
topology_compared() {
  local ns
  topology_lans
  for ns in "$B" "$C" "$D"; do plain_lan "$ns"; done
  ip netns exec "$A" ethtool -K lan gro on >/dev/null
  for ns in "$A" "$B" "$C" "$D"; do ip -n "$ns" link set lan mtu 1376; done
  up_both auto auto
  ping_host 10.2.0.2
  ping_host fd02::2
}

ping_host() { eventually ip netns exec "$C" ping -c 1 -W 1 "$1"; }

@test "the far LAN gets every segment as the near LAN sent it: bytes, order, checksums, ECN marks and CWR" {
  topology_compared
  for ns in "$C" "$D"; do ip netns exec "$ns" sysctl -qw net.ipv4.tcp_ecn=1; done
  ip netns exec "$C" nft "table inet marks { chain lan { type filter hook postrouting priority 0;
    tcp dport 5001 numgen inc mod 8 7 ip ecn ect0 ip ecn set ce
    tcp dport 5001 numgen inc mod 8 7 ip6 ecn ect0 ip6 ecn set ce; }; }"
  near_and_far stream "$C" "$D" 10.2.0.2 | tee "$work/seen"
  near_and_far stream "$C" "$D" fd02::2 | tee -a "$work/seen"
  [ "$(grep -cE ' ([2-9]|[1-9][0-9]+) CWR' "$work/seen")" = 2 ] # the SYN has one as well
  [ "$(grep -c '[1-9][0-9]* CE' "$work/seen")" = 2 ]
  refute grep '[1-9][0-9]* wrong sum' "$work/seen"
  nothing_dropped
}

# runs_of SOURCE TARGET: sends all runs of segments.py, each while the engine is stopped.
runs_of() {
  local mac number engine; engine=$(status_of a .engine_pid)
  mac=$(ip netns exec "$A" cat /sys/class/net/lan/address)
  for number in $(seq 0 $((runs - 1))); do
    kill -STOP "$engine" # so that it reads the run as a whole
    ip netns exec "$C" python3 "$BATS_TEST_DIRNAME/segments.py" lan "$mac" "$1" "$2" "$number"
    kill -CONT "$engine"
  done
}

@test "header fields that differ between segments arrive as they were sent" {
  topology_compared
  runs=$(python3 "$BATS_TEST_DIRNAME/segments.py" count)
  near_and_far runs_of 10.1.0.2 10.2.0.2 | tee "$work/seen"
  near_and_far runs_of fd01::2 fd02::2 | tee -a "$work/seen"
  [ "$(grep -c "^$((runs * 12)) packets" "$work/seen")" = 2 ]
}

# datagrams_arrive MODE: sends the datagrams of datagrams.py between hosts and between gateways; all arrive whole.
datagrams_arrive() {
  local address from to receiver
  for address in 10.2.0.2 fd02::2 10.77.0.2; do
    [ $address = 10.77.0.2 ] && from=$A to=$B || { from=$C to=$D; }
    ip netns exec "$to" python3 "$BATS_TEST_DIRNAME/datagrams.py" "$1" $address >"$work/got" 3>&- &
    receiver=$!
    pids+=("$receiver")
    eventually eval 'ip netns exec "$to" ss -Hlun sport = :5002 | grep -q 5002'
    eventually ip netns exec "$from" ping -c 1 -W 1 $address # so that neighbours are resolved
    ip netns exec "$from" python3 "$BATS_TEST_DIRNAME/datagrams.py" send $address
    wait "$receiver" || { cat "$work/got"; status_of a .drops; status_of b .drops; false; }
    cat "$work/got"
  done
}

@test "UDP datagrams of a GSO sender, fragments and large packets arrive whole, IPv4 and IPv6" {
  topology_lans
  up_both auto auto
  datagrams_arrive receive
  nothing_dropped
}

@test "a receiver with UDP_GRO gets the same datagrams" {
  topology_lans
  up_both auto auto
  datagrams_arrive receive-runs | tee "$work/runs"
  [ "$(grep -c 'arrived whole' "$work/runs")" = 3 ]
  nothing_dropped
}

@test "urgent data passes" {
  topology_lans
  up_both auto auto
  ip netns exec "$D" python3 "$BATS_TEST_DIRNAME/urgent.py" receive >"$work/got" 3>&- &
  receiver=$!
  pids+=("$receiver")
  eventually eval 'ip netns exec "$D" ss -Hltn sport = :5003 | grep -q 5003'
  ip netns exec "$C" python3 "$BATS_TEST_DIRNAME/urgent.py" send 10.2.0.2
  wait "$receiver"
  grep -q 'urgent byte !' "$work/got"
}

@test "a SYN with data passes, IPv4 and IPv6" {
  topology_lans
  up_both auto auto
  # 0x207: no Fast Open cookie is needed, because there is none from an earlier connection
  for ns in "$C" "$D"; do ip netns exec "$ns" sysctl -qw net.ipv4.tcp_fastopen=0x207; done
  answered "$C" "$D" fastopen.py 10.2.0.2
  answered "$D" "$C" fastopen.py fd01::2
  for ns in "$C" "$D"; do
    [ "$(ip netns exec "$ns" nstat -az TcpExtTCPFastOpenPassive | awk '/Passive/ {print $2}')" = 1 ]
  done
  nothing_dropped
}

@test "TCP between LANs announces an MSS that fits the link, and passes where ICMP is blocked, IPv4 and IPv6" {
  topology_lans
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900 "MTU = 1300
Offload = off"
  up a
  up b
  wait_up
  for ns in "$A" "$B"; do
    ip netns exec "$ns" nft "table inet silent { chain out { type filter hook output priority 0;
      icmp type destination-unreachable drop
      icmpv6 type packet-too-big drop; }; }"
  done
  ip netns exec "$D" tcpdump -ln -i lan \
    '(tcp[tcpflags] & tcp-syn != 0) or (ip6[6] == 6 and ip6[53] & 2 != 0)' >"$work/far" 2>"$work/tcpdump.log" 3>&- &
  pids+=($!)
  eventually grep -q listening "$work/tcpdump.log"
  stream "$C" "$D" 10.2.0.2
  stream "$D" "$C" 10.1.0.2
  stream "$C" "$D" fd02::2
  stream "$D" "$C" fd01::2
  # SYN and SYN-ACK of both families, as they leave the link
  announced() { grep -E "$1\.[0-9]+ > .*Flags \[$2\]" "$work/far" | grep -o 'mss [0-9]*' | sort -u; }
  eventually eval '[ "$(announced fd01::2 S\\.)" = "mss 1240" ]'
  [ "$(announced fd01::2 S)" = "mss 1240" ]
  [ "$(announced 10.1.0.2 S\\.)" = "mss 1260" ]
  [ "$(announced 10.1.0.2 S)" = "mss 1260" ]
}

@test "an ICMP error about a packet from the link returns through it" {
  topology_lans
  up_both auto auto
  run ip netns exec "$C" ping -c 1 -W 10 10.2.0.99 # no host has the address
  [[ $output == *"Destination Host Unreachable"* ]]
}

# answered FROM TO PROGRAM ADDRESS [ARGUMENT]: runs `PROGRAM receive` in TO and `PROGRAM send` in FROM; both succeed.
answered() {
  local from=$1 to=$2 program=$BATS_TEST_DIRNAME/$3 address=$4
  shift 4
  ip netns exec "$to" python3 "$program" receive "$address" "$@" >"$work/got" 2>&1 3>&- &
  local receiver=$!
  pids+=("$receiver")
  eventually eval 'ip netns exec "$to" ss -Hltn src "[$address]" | grep -q 500'
  ip netns exec "$from" timeout 100 python3 "$program" send "$address" "$@" || { cat "$work/got"; false; }
  wait "$receiver" || { cat "$work/got"; false; }
}

@test "1,000 connections at once, each with different content, arrive whole" {
  topology_lans
  up_both auto auto
  answered "$C" "$D" connections.py 10.2.0.2 1000
  answered "$D" "$C" connections.py fd01::2 1000
  nothing_dropped
}

@test "TCP and UDP behind IPv4 options and IPv6 extension headers arrive whole, also in super-packets" {
  topology_lans
  up_both auto auto
  answered "$C" "$D" options.py 10.2.0.2
  # A Linux router expects the TCP header right behind the IPv6 header when it checks whether the segments of a super-packet
  # fit.  Depending on the sequence number it finds them too big.  So the host segments before the router.
  plain_lan "$C"
  answered "$C" "$D" options.py fd02::2
  answered "$A" "$B" options.py 10.77.0.2
  answered "$B" "$A" options.py fd77::1
  nothing_dropped
}

@test "at full load in both directions no datagram is lost on this machine" {
  topology_pair
  for ns in "$A" "$B"; do ip netns exec "$ns" sysctl -qw net.ipv4.tcp_wmem='4096 16384 4194304'; done
  up_both auto auto
  ip netns exec "$B" iperf3 -s -1 >/dev/null 3>&- &
  server=$!
  pids+=("$server")
  eventually eval 'ip netns exec "$B" ss -Hltn sport = :5201 | grep -q 5201'
  ip netns exec "$A" iperf3 -c 10.77.0.2 -t 4 -P 4 --bidir -J >"$work/iperf.json"
  jq '{sent_twice: [.end.sum_sent.retransmits, .end.sum_sent_bidir_reverse.retransmits]}' "$work/iperf.json"
  [ "$(jq '.end.sum_received.bytes > 10000000 and .end.sum_received_bidir_reverse.bytes > 10000000' "$work/iperf.json")" = true ]
  for ns in "$A" "$B"; do
    errors=$(ip netns exec "$ns" nstat -az UdpRcvbufErrors UdpSndbufErrors Udp6RcvbufErrors Udp6SndbufErrors | awk '/Udp/ {sum += $2} END {print sum + 0}')
    [ "$errors" = 0 ]
  done
  nothing_dropped
}

@test "a path of 9,000 bytes carries packets of that size" {
  topology_pair
  ip -n "$A" link set v0 mtu 9000
  ip -n "$B" link set v0 mtu 9000
  config a 192.0.2.2:51900 "MTU = 8928"
  config b 192.0.2.1:51900 "MTU = 8928"
  up a
  up b
  wait_up
  tcp_hashed a b 10.77.0.2
  tcp_hashed b a fd77::1
  ping_from a -s 8900 -M do 10.77.0.2
  nothing_dropped
}

@test "on a path whose MTU is too small, datagrams leave one by one in fragments, and the log says so once" {
  topology_lans
  ip -n "$A" link set v0 mtu 1300
  ip -n "$B" link set v0 mtu 1300
  up_both auto auto
  stream "$A" "$B" 10.77.0.2
  stream "$D" "$C" fd01::2
  [ "$(grep -c 'datagrams are fragmented' "$work/a/up.log")" = 1 ]
  nothing_dropped
}

@test "all bytes arrive in order on a line that is full, and when it is not any more" {
  topology_lans
  tc -n "$A" qdisc add dev v0 root tbf rate 100mbit burst 64k limit 4m
  up_both auto auto
  stream "$A" "$B" 10.77.0.2
  tc -n "$A" qdisc del dev v0 root
  stream "$C" "$D" 10.2.0.2
  ping_from b 10.77.0.1
  for side in a b; do # but for what the queue drops to tell the streams
    [ "$(status_of $side '.drops | del(.queue, ."no-session", ."unexpected-reply", ."repeated-init") | add')" = 0 ]
  done
}
