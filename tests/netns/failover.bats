#!/usr/bin/env bats
# The link looks after its path: two providers, a NAT that forgets, addresses that change.
#
#         192.0.2.1,    2001:db8::1   -- p0 -- 192.0.2.2,    2001:db8::2
#   ns A                                                                   ns B
#         198.51.100.1, 2001:db8:1::1 -- p1 -- 198.51.100.2, 2001:db8:1::2
#
# Times are asserted generously; what is asserted is that the link moves by itself, and where to.

load topology

topology_providers() {
  ip netns add "$A"
  ip netns add "$B"
  local p net ns n
  for p in 0 1; do
    [ $p = 0 ] && net=192.0.2 || net=198.51.100
    ip link add p$p netns "$A" type veth peer name p$p netns "$B"
    for n in 1 2; do
      [ $n = 1 ] && ns=$A || ns=$B
      ip -n "$ns" addr add $net.$n/24 dev p$p
      ip -n "$ns" addr add 2001:db8:$p::$n/64 dev p$p nodad
      ip -n "$ns" link set p$p up
    done
  done
  for ns in "$A" "$B"; do
    ip -n "$ns" link set lo up
    ip netns exec "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=2
  done
  (umask 077 && "$SALTWAY" genkey >"$work/link.key")
}

# link_over ENDPOINT...: a has these, and b has none.
link_over() {
  config a "$1"
  shift
  for endpoint; do echo "Endpoint = $endpoint" >>"$work/a/sw0.conf"; done
  config b
  up b
  up a
  wait_up
}

peer_of() { status_of "$1" .endpoint; }
sends_to() { [ "$(peer_of "$1")" = "$2" ]; }

# cut HOW: the first provider fails.
cut() {
  case $1 in
  silently) ip netns exec "$B" nft 'table inet cut { chain in { type filter hook input priority 0; iifname "p0" drop; }; chain out { type filter hook output priority 0; oifname "p0" drop; }; }' ;;
  link-down) ip -n "$A" link set p0 down ;;
  icmp) ip netns exec "$B" nft 'table inet cut { chain in { type filter hook input priority 0; iifname "p0" udp dport 51900 reject with icmp type host-unreachable; }; chain out { type filter hook output priority 0; oifname "p0" udp sport 51900 drop; }; }' ;;
  esac
}

mend() {
  ip netns exec "$B" nft delete table inet cut 2>/dev/null || true
  ip -n "$A" link set p0 up
}

fails_over() {
  topology_providers
  link_over 192.0.2.2:51900 198.51.100.2:51900
  eventually sends_to a 192.0.2.2:51900
  pings_start
  tcp_stream
  sleep 2
  cut "$1"
  eventually sends_to a 198.51.100.2:51900
  eventually sends_to b 198.51.100.1:51900
  sleep 3
  mend
  eventually sends_to a 192.0.2.2:51900
  eventually sends_to b 192.0.2.1:51900
  pings_stop "$1"
  tcp_goes_on
  [ "$(status_of a .handshakes)" -le 3 ] # the session survived
}

# tcp_stream: a connection through the link that sends a line ten times a second.
tcp_stream() {
  ip netns exec "$B" socat -u TCP4-LISTEN:5001,reuseaddr "CREATE:$work/lines" 3>&- & pids+=($!)
  eventually eval 'ip netns exec "$B" ss -ltn | grep -q :5001'
  ip netns exec "$A" socat -u "EXEC:\"sh -c 'while sleep 0.1; do date +%s; done'\"" TCP4:10.77.0.2:5001 3>&- & pids+=($!)
}

tcp_goes_on() {
  local size; size=$(stat -c %s "$work/lines")
  eventually eval '[ "$(stat -c %s "$work/lines")" -gt '"$size"' ]'
}

@test "a provider that fails silently: the link moves to the other and returns, and connections survive" {
  fails_over silently
}

@test "a provider whose interface goes down: the link moves to the other and returns, and connections survive" {
  fails_over link-down
}

@test "a provider that reports that the peer is unreachable: the link moves to the other and returns" {
  fails_over icmp
}

# readdress OLD NEW: the address of a's first provider is another one from now on.
readdress() {
  ip -n "$A" addr del "$1" dev p0
  ip -n "$A" addr add "$2" dev p0 nodad
}

@test "the IPv4 address of a side changes: the other side follows, and nothing is configured" {
  topology_providers
  link_over 192.0.2.2:51900
  pings_start
  sleep 2
  readdress 192.0.2.1/24 192.0.2.11/24
  eventually sends_to b 192.0.2.11:51900
  sleep 2
  pings_stop "IPv4 to IPv4"
}

@test "the IPv6 address of a side changes: the other side follows, and nothing is configured" {
  topology_providers
  link_over '[2001:db8::2]:51900'
  pings_start
  sleep 2
  readdress 2001:db8::1/64 2001:db8::11/64
  eventually sends_to b '[2001:db8::11]:51900'
  sleep 2
  pings_stop "IPv6 to IPv6"
}

@test "a side loses its IPv4 addresses, and later its IPv6 addresses: the link goes over the other family" {
  topology_providers
  link_over 192.0.2.2:51900 '[2001:db8::2]:51900'
  eventually sends_to b 192.0.2.1:51900
  pings_start
  sleep 2
  ip -n "$A" -4 addr flush dev p0
  eventually sends_to b '[2001:db8::1]:51900'
  eventually sends_to a '[2001:db8::2]:51900'
  sleep 2
  pings_stop "IPv4 to IPv6"
  ip -n "$A" addr add 192.0.2.1/24 dev p0
  pings_start
  sleep 2
  ip -n "$A" addr del 2001:db8::1/64 dev p0
  eventually sends_to b 192.0.2.1:51900
  eventually sends_to a 192.0.2.2:51900
  sleep 2
  pings_stop "IPv6 to IPv4"
  [ "$(status_of a .handshakes)" -le 3 ] # the session survived
}

# nat PORT: gives the link of a this port, as a NAT does that has forgotten the one before.
nat() {
  ip netns exec "$A" nft -f - <<NFT
table ip nat
delete table ip nat
table ip nat {
  chain out { type filter hook postrouting priority 0; udp sport 51900 udp sport set $1; }
  chain in { type filter hook prerouting priority -300; udp dport $1 udp dport set 51900; }
}
NFT
}

@test "a NAT gives the link another port: the other side follows" {
  topology_providers
  nat 40001
  link_over 192.0.2.2:51900
  eventually sends_to b 192.0.2.1:40001
  pings_start
  sleep 2
  nat 40002
  eventually sends_to b 192.0.2.1:40002
  sleep 2
  pings_stop "a NAT's port"
}

@test "a route that takes precedence leads the link over the other provider, and the other side follows when the first fails" {
  topology_providers
  ip -n "$B" addr add 203.0.113.2/32 dev lo
  ip -n "$A" route add 203.0.113.2/32 via 192.0.2.2
  link_over 203.0.113.2:51900
  eventually sends_to b 192.0.2.1:51900
  pings_start
  sleep 2
  # the packets leave by p1 from now on, and the first provider forwards nothing from there
  ip -n "$A" route replace 203.0.113.2/32 via 198.51.100.2
  ip netns exec "$B" nft 'table inet spoof { chain in { type filter hook input priority 0; iifname "p1" ip saddr 192.0.2.0/24 drop; }; }'
  sleep 1
  eventually ip netns exec "$A" ping -q -c 1 -W 1 10.77.0.2
  # b sends to the former address for as long as that answers
  sends_to b 192.0.2.1:51900
  cut silently
  eventually sends_to b 198.51.100.1:51900
  sleep 2
  pings_stop "a route"
}

@test "a path that fails in one direction is noticed by the side that sends on it" {
  topology_providers
  link_over 192.0.2.2:51900
  pings_start
  sleep 2
  ip netns exec "$A" nft 'table inet cut { chain out { type filter hook output priority 0; udp dport 51900 drop; }; }'
  eventually refute is_up a
  ip netns exec "$A" nft delete table inet cut
  eventually is_up a
  kill -INT "$pings"
}

@test "without ListenPort a link that hears nothing for 30 s goes on from another port, past a mapping that is stale" {
  topology_providers
  config a 192.0.2.2:51900
  sed -i /ListenPort/d "$work/a/sw0.conf"
  config b
  up b
  up a
  wait_up
  local port; port=$(status_of a .port)
  ip netns exec "$A" nft "table inet stale { chain in { type filter hook input priority 0; iifname \"p0\" udp dport $port drop; }; }"
  eventually eval '[ "$(status_of a .port)" != '"$port"' ]'
  eventually is_up a
  eventually sends_to b "192.0.2.1:$(status_of a .port)"
  ping_from a 10.77.0.2
}
