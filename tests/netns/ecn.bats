#!/usr/bin/env bats
# Congestion marks and traffic classes.  A router between the two sides reads and writes the headers of datagrams.
#
#   ns A 192.0.2.1, 2001:db8:1::1 ------ ns R ------ 198.51.100.1, 2001:db8:2::1 ns B
#   inside: 10.77.0.1, fd77::1                       10.77.0.2, fd77::2

load topology

# topology_router [NFT]: R applies the rules to what A sends to B.
topology_router() {
  R=sw-r-$id
  local ns
  for ns in "$A" "$R" "$B"; do
    ip netns add "$ns"
    ip -n "$ns" link set lo up
    ip netns exec "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    # the congestion control of the test, not of the host: one that marks ECT(0) and answers to CE, also after a lost SYN
    ip netns exec "$ns" sysctl -qw net.ipv4.tcp_ecn=1 net.ipv4.tcp_ecn_fallback=0 net.ipv4.tcp_congestion_control=reno
  done
  ip link add v0 netns "$A" type veth peer name va netns "$R"
  ip link add v0 netns "$B" type veth peer name vb netns "$R"
  ip -n "$A" addr add 192.0.2.1/24 dev v0
  ip -n "$R" addr add 192.0.2.254/24 dev va
  ip -n "$B" addr add 198.51.100.1/24 dev v0
  ip -n "$R" addr add 198.51.100.254/24 dev vb
  ip -n "$A" addr add 2001:db8:1::1/64 dev v0 nodad
  ip -n "$R" addr add 2001:db8:1::254/64 dev va nodad
  ip -n "$B" addr add 2001:db8:2::1/64 dev v0 nodad
  ip -n "$R" addr add 2001:db8:2::254/64 dev vb nodad
  ip -n "$A" link set v0 up
  ip -n "$B" link set v0 up
  ip -n "$R" link set va up
  ip -n "$R" link set vb up
  for n in "$A 192.0.2.254 2001:db8:1::254" "$B 198.51.100.254 2001:db8:2::254"; do
    read -r ns v4 v6 <<<"$n"
    ip -n "$ns" route add default via "$v4"
    ip -n "$ns" -6 route add default via "$v6"
  done
  rules ''
  (umask 077 && "$SALTWAY" genkey >"$work/link.key")
}

# rules NFT [PORTS]: replaces the rules for what A sends to B, to these ports: the link's.
rules() {
  ip netns exec "$R" nft -f - <<NFT
table inet router
delete table inet router
table inet router {
  chain marks {
    type filter hook forward priority 0
    iifname != va accept
    ${2:-udp dport 51900} goto marked
  }
  chain marked {
    $1
  }
}
NFT
}

# rule of an AQM: every tenth datagram that allows it is marked
AQM='ip ecn != not-ect numgen inc mod 10 == 0 ip ecn set ce counter
     ip6 ecn != not-ect numgen inc mod 10 == 0 ip6 ecn set ce counter'
# as before, several in a row
BURSTS=${AQM//10 == 0/50 < 5}
# rule of a broken router: all are marked
BROKEN='ip ecn set ce
        ip6 ecn set ce'

# link_up FAMILY [LINES]: a link over IPv4 or IPv6.  LINES go into [Interface] of both sides.
link_up() {
  rm -rf "$work"/state-? # else the last address is tried, too
  case $1 in
    4) config a 198.51.100.1:51900 "${2:-}"; config b 192.0.2.1:51900 "${2:-}" ;;
    6) config a '[2001:db8:2::1]:51900' "${2:-}"; config b '[2001:db8:1::1]:51900' "${2:-}" ;;
  esac
  up b
  up a
  wait_up
}

# marks_delivered: how many of the segments that a has sent were marked, as the receiver's ECE says.
marks_delivered() { in_ns a nstat -asz TcpExtTCPDeliveredCE | awk '/DeliveredCE/ {print $2}'; }

# marks_arrive ADDRESS...: the mark of each connection reaches the receiver, which echoes it to the sender.
marks_arrive() {
  local address before
  for address; do
    before=$(marks_delivered)
    tcp_hashed a b "$address"
    [ "$(marks_delivered)" -gt "$before" ]
  done
  [ "$(status_of b '.drops."ecn-marked"')" = 0 ]
}

@test "a mark on a datagram reaches the TCP connection inside, over IPv4" {
  topology_router
  link_up 4
  tcp_hashed a b 10.77.0.2
  [ "$(marks_delivered)" = 0 ]
  rules "$AQM"
  marks_arrive 10.77.0.2 fd77::2
}

@test "a mark on a datagram reaches the TCP connection inside, over IPv6" {
  topology_router
  link_up 6
  rules "$AQM"
  marks_arrive 10.77.0.2 fd77::2
}

@test "marks arrive with offloads off, and on a path that neither segments nor coalesces" {
  topology_router
  link_up 4 'Offload = off'
  rules "$AQM"
  marks_arrive 10.77.0.2
  kill -TERM "$pid_a" "$pid_b"
  wait "$pid_a" "$pid_b"
  for ns in "$A" "$B"; do ip netns exec "$ns" ethtool -K v0 tx-udp-segmentation off gro off >/dev/null; done
  link_up 4
  marks_arrive fd77::2
}

# counted NS TABLE: how many packets the counters of the table have counted
counted() { ip netns exec "$1" nft -j list table inet "$2" | jq '[.nftables[].rule?.expr[]?.counter?.packets // 0] | add'; }

@test "the kernel gets as many marked packets as datagrams were marked, so that AccECN counts them right" {
  topology_router
  link_up 4
  # as on a real path, the router sees datagrams one by one, and the receiver's kernel coalesces them again
  ip netns exec "$A" ethtool -K v0 tx-udp-segmentation off gso off >/dev/null
  ip netns exec "$R" ethtool -K vb tso off >/dev/null # else veth passes packets on without GRO
  ip netns exec "$B" ethtool -K v0 gro on >/dev/null
  rules "$BURSTS"
  in_ns b nft -f - <<'NFT'
table inet watch {
  chain in {
    type filter hook input priority 0
    iifname sw0 ip ecn ce counter
    iifname sw0 ip6 ecn ce counter
  }
}
NFT
  tcp_hashed a b 10.77.0.2
  tcp_hashed a b fd77::2
  local marked; marked=$(counted "$R" router)
  [ "$marked" -gt 100 ]
  [ "$(counted "$B" watch)" = "$marked" ]
}

# reported PORTS ADDRESS: sends data over TCP while the router marks datagrams or packets to these ports, and prints what share
# of the marks the sender was told of, in percent.
reported() {
  local marked before
  rules "$BURSTS" "$1"
  before=$(marks_delivered)
  tcp_hashed a b "$2" >&2
  marked=$(counted "$R" router)
  [ "$marked" -gt 100 ]
  echo $((($(marks_delivered) - before) * 100 / marked))
}

@test "AccECN reports the same share of the marks through the link as without it" {
  topology_router
  for ns in "$A" "$B"; do
    ip netns exec "$ns" sysctl -qw net.ipv4.tcp_ecn=3 2>/dev/null || skip "this kernel's TCP has no AccECN (tcp_ecn=3)"
    ip netns exec "$ns" ethtool -K v0 tso off gso off tx-udp-segmentation off >/dev/null # the router sees packets one by one
  done
  link_up 4
  local without through
  without=$(reported 'tcp dport 5001' 198.51.100.1)
  through=$(reported 'udp dport 51900' 10.77.0.2)
  echo "# of the marks: $without % without the link, $through % through it" >&3
  [ "$without" -ge 90 ]  # classic ECN reports others: it says that marks arrived, not how many
  [ "$without" -le 110 ]
  [ $((without - through)) -le 10 ]
  [ $((through - without)) -le 10 ]
}

@test "a packet that does not understand marks is dropped if its datagram is marked, and counted" {
  topology_router
  local family address
  for family in 4 6; do
    link_up $family
    rules "$BROKEN"
    local before; before=$(status_of a .probes_lost)
    for address in 10.77.0.2 fd77::2; do
      refute in_ns a ping -q -c 2 -i 0.1 -W 1 "$address"
    done
    [ "$(status_of b '.drops."ecn-marked"')" -ge 4 ] # A's kernel sends some packets of its own
    # one that does understand arrives marked
    in_ns b nft -f - <<'NFT'
table inet watch {
  chain in {
    type filter hook input priority 0
    iifname sw0 ip ecn ce icmp type echo-request counter
    iifname sw0 ip6 ecn ce icmpv6 type echo-request counter
  }
}
NFT
    for address in 10.77.0.2 fd77::2; do ping_from a -Q 2 "$address"; done
    [ "$(in_ns b nft list table inet watch | grep -c 'packets 3 ')" = 2 ]
    in_ns b nft delete table inet watch
    # the link's own datagrams are not affected
    [ "$(status_of a .probes_lost)" = "$before" ]
    rules ''
    kill -TERM "$pid_a" "$pid_b"
    wait "$pid_a" "$pid_b"
  done
}

@test "a datagram has class 0, or that of its packet if DSCP = copy" {
  topology_router
  local family class address
  for family in 4 6; do
    for class in cs0 ef; do
      link_up $family "DSCP = $([ $class = ef ] && echo copy || echo off)"
      rules "ip dscp $class ip ecn ect0 counter
             ip6 dscp $class ip6 ecn ect0 counter"
      in_ns b nft -f - <<'NFT'
table inet watch {
  chain in {
    type filter hook input priority 0
    iifname sw0 ip dscp ef ip ecn ect0 counter
    iifname sw0 ip6 dscp ef ip6 ecn ect0 counter
  }
}
NFT
      for address in 10.77.0.2 fd77::2; do ping_from a -Q 0xba "$address"; done # EF, ECT(0)
      [ "$(counted "$R" router)" = 6 ]
      [ "$(counted "$B" watch)" = 6 ] # the class inside stays
      in_ns b nft delete table inet watch
      kill -TERM "$pid_a" "$pid_b"
      wait "$pid_a" "$pid_b"
    done
  done
}
