#!/usr/bin/env bats
# The MTU of the path: found, followed, and searched again.
#
#   ns A 172.31.1.1, 2001:db8:1::1 --- v0  ns R  v1 --- 172.31.2.2, 2001:db8:2::2  ns B
#
# The limit is on the way from R to B and from B to R.

load topology

# topology_router: A and B with a router between them.
topology_router() {
  R=sw-r-$id
  ip netns add "$A"; ip netns add "$R"; ip netns add "$B"
  ip link add v0 netns "$A" type veth peer name v0 netns "$R"
  ip link add v0 netns "$B" type veth peer name v1 netns "$R"
  ip -n "$A" addr add 172.31.1.1/24 dev v0; ip -n "$A" addr add 2001:db8:1::1/64 dev v0 nodad
  ip -n "$B" addr add 172.31.2.2/24 dev v0; ip -n "$B" addr add 2001:db8:2::2/64 dev v0 nodad
  ip -n "$R" addr add 172.31.1.254/24 dev v0; ip -n "$R" addr add 2001:db8:1::ff/64 dev v0 nodad
  ip -n "$R" addr add 172.31.2.254/24 dev v1; ip -n "$R" addr add 2001:db8:2::ff/64 dev v1 nodad
  local ns
  for ns in "$A" "$R" "$B"; do
    ip -n "$ns" link set lo up
    ip -n "$ns" link set v0 up
    ip netns exec "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=2
  done
  ip -n "$R" link set v1 up
  ip netns exec "$R" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
  ip -n "$A" route add default via 172.31.1.254; ip -n "$A" -6 route add default via 2001:db8:1::ff
  ip -n "$B" route add default via 172.31.2.254; ip -n "$B" -6 route add default via 2001:db8:2::ff
  (umask 077 && "$SALTWAY" genkey >"$work/link.key")
}

# limit MTU [silent]: the way between R and B carries so much from now on.  The ends keep theirs.
limit() {
  ip -n "$R" link set v1 mtu "$1"
  ip netns exec "$R" nft flush ruleset
  # what the sender of a longer datagram hears
  [ "${2:-}" = silent ] && ip netns exec "$R" nft -f - <<'NFT'
table inet silent {
  chain out {
    type filter hook output priority 0
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}
NFT
  return 0
}

mtu_is() { # SIDE MTU: the interface has this MTU, and the status says so
  local ns; [ "$1" = a ] && ns=$A || ns=$B
  ip -n "$ns" link show sw0 | grep -q "mtu $2 " && [ "$(status_of "$1" .path_mtu)" = "$2" ]
}

link_over() { # ENDPOINT
  topology_router
  config a "$1"
  config b
  up b
  up a
  wait_up
}

# takes WHAT COMMAND...: waits until the command succeeds, and prints how long that took.
takes() {
  local what=$1 begun=${begun:-$EPOCHREALTIME}; shift
  eventually "$@"
  echo "# $what after $(awk "BEGIN {printf \"%.1f\", $EPOCHREALTIME - $begun}") s" >&3
}

received() { grep "^$1 " "$work/received"; } # MEGABYTES
# stalled MEGABYTES...: prints the longest stall before the receiver had these.
stalled() { for mb; do received "$mb"; done | awk '$2 > most {most = $2} END {print most}'; }

# follows ENDPOINT ADDRESS FULL SMALL: the MTU is FULL at 1500 bytes, SMALL when the path shrinks to 1400 and says nothing, and
# 1280 in fragments when it shrinks to 1280; a transfer to the address goes on.
follows() {
  local receiver sender
  link_over "$1"
  takes "$3, since both sides are known to be up," mtu_is a "$3"
  eventually mtu_is b "$3"
  ip netns exec "$B" python3 "$BATS_TEST_DIRNAME/transfer.py" receive "$2" >"$work/received" 3>&- & receiver=$!
  pids+=("$receiver")
  eventually eval 'ip netns exec "$B" ss -Hltn sport = :5003 | grep -q 5003'
  ip netns exec "$A" python3 "$BATS_TEST_DIRNAME/transfer.py" send "$2" >"$work/sent" 3>&- & sender=$!
  pids+=("$sender")
  eventually received 10
  limit 1400 silent
  takes "a black hole at 1400: MTU $4" mtu_is a "$4"
  eventually received 30
  limit 1280
  takes "1280 bytes: fragments" eval 'mtu_is a 1280 && [ "$(status_of a .fragments)" = true ]'
  wait "$sender"
  wait "$receiver"
  cat "$work/received"
  [ "$(tail -1 "$work/received")" = "$(tail -1 "$work/sent")" ]
  echo "# longest stall of the transfer: $(stalled 20 30) s at 1400, $(stalled 40 50) s at 1280, $(stalled 10) s before" >&3
  awk -v stall="$(stalled 10 20 30 40 50)" 'BEGIN {exit stall > 15}'
}

@test "the interface has the MTU of the path over IPv4, and a transfer survives smaller paths, with reports and without" {
  follows 172.31.2.2:51900 10.77.0.2 1440 1312
}

@test "the interface has the MTU of the path over IPv6, and a transfer survives smaller paths, with reports and without" {
  follows "[2001:db8:2::2]:51900" fd77::2 1376 1312
}

# grows_again FROM MTU: the path carries FROM bytes at first, so that the MTU is MTU, and 1500 later.  No datagram is lost or reported then, so only
# the search that is due every 8 to 10 minutes finds it: here every 4 to 5 s (short_search.c).
grows_again() {
  SALTWAY=$(dirname "$SALTWAY")/tests/netns/saltway_short_search
  link_over 172.31.2.2:51900
  limit "$1" silent
  ip netns exec "$A" ping -q -i 0.1 -s 1400 10.77.0.2 >"$work/ping" 3>&- & pids+=($!)
  eventually mtu_is a "$2"
  limit 1500
  takes "$1 to 1500" mtu_is a 1440
  [ "$(status_of a .fragments)" = false ]
}

@test "the MTU grows again with the path" { grows_again 1400 1312; }

@test "the MTU grows again with a path that was so small that datagrams were fragmented" { grows_again 1280 1280; }

@test "a report that a datagram is too long starts a search at once" {
  link_over 172.31.2.2:51900
  eventually mtu_is a 1440
  limit 1400
  ip netns exec "$A" ping -q -c 3 -i 0.2 -W 1 -s 1400 -M dont 10.77.0.2 || true # the reports come back
  eventually mtu_is a 1312
  eventually ip netns exec "$A" ping -q -c 1 -W 1 -s 1400 10.77.0.2
}

@test "jumbo frames are used where the whole path carries them" {
  topology_router
  ip -n "$A" link set v0 mtu 9000; ip -n "$B" link set v0 mtu 9000
  ip -n "$R" link set v0 mtu 9000; ip -n "$R" link set v1 mtu 9000
  config a 172.31.2.2:51900
  config b
  up b
  up a
  wait_up
  eventually mtu_is a 8928
  eventually mtu_is b 8928
  ip netns exec "$A" ping -q -c 2 -i 0.2 -W 5 -s 8800 -M do 10.77.0.2
}

@test "over a path that is too small for IPv6 datagrams are fragmented, and the status says so" {
  topology_router
  limit 1300 silent
  ip -n "$B" link set v0 mtu 1300
  config a 172.31.2.2:51900
  config b
  up b
  up a
  wait_up
  eventually eval '[ "$(status_of a .fragments)" = true ]'
  eventually eval '[ "$(status_of b .fragments)" = true ]'
  mtu_is a 1280
  eventually ip netns exec "$A" ping -q -c 2 -i 0.2 -W 5 -s 1252 -M do 10.77.0.2
  grep -q "datagrams are fragmented" "$work/a/up.log"
  [ "$(status_of a .state)" = degraded ]
  [ "$(status_of a .reason)" = small-mtu ]
}

# fragments ENDPOINT: both sides have MTU = 1420, and the path carries 1400 with the headers.  Over IPv6 the sender has to
# hear so.
fragments() {
  topology_router
  limit 1400
  ip -n "$B" link set v0 mtu 1400
  config a "$1"
  config b
  sed -i '/ListenPort/a MTU = 1420' "$work/a/sw0.conf" "$work/b/sw0.conf"
  up b
  up a
  wait_up
  eventually eval '[ "$(status_of a .path_mtu)" = 1312 ]'
  eventually eval '[ "$(status_of b .fragments)" = true ]'
  ip -n "$A" link show sw0 | grep -q 'mtu 1420 '
  [ "$(status_of a .state)" = degraded ]
  [ "$(status_of a .reason)" = small-mtu ]
  grep -q "the path does not carry packets of MTU = 1420 bytes in one piece" "$work/a/up.log"
  eventually ip netns exec "$A" ping -q -c 2 -i 0.2 -W 5 -s 1392 -M do 10.77.0.2
  ip netns exec "$A" ping -q -c 2 -i 0.2 -W 5 -s 1372 -M do fd77::2
}

@test "over a path that carries less than MTU = NUMBER all packets pass in fragments over IPv4, and the status says so" {
  fragments 172.31.2.2:51900
}

@test "over a path that carries less than MTU = NUMBER all packets pass in fragments over IPv6, and the status says so" {
  fragments "[2001:db8:2::2]:51900"
}

@test "a link inside a link needs no configuration" {
  link_over 172.31.2.2:51900
  eventually mtu_is a 1440
  mkdir -p "$work/inner-a" "$work/inner-b"
  for side in a b; do
    [ $side = a ] && n=1 endpoint="Endpoint = 10.77.0.2:51901" || { n=2 endpoint=; }
    printf '[Interface]\nAddress = 10.78.0.%s/30\nListenPort = 51901\n[Peer]\nPresharedKeyFile = %s\n%s\nAllowedIPs = 10.9%s.0.0/16\n' \
      $n "$work/link.key" "$endpoint" $((3 - n)) >"$work/$side/inner.conf"
    in_ns $side "$SALTWAY" up "$work/$side/inner.conf" >>"$work/$side/inner.log" 2>&1 3>&- & pids+=($!)
  done
  eventually in_ns a "$SALTWAY" status inner
  eventually eval 'ip -n "$A" link show inner | grep -q "mtu 1376 "'
  ip netns exec "$A" ping -q -c 2 -i 0.2 -W 5 -s 1348 -M do 10.78.0.2
}

@test "a configured MTU is kept" {
  topology_router
  config a 172.31.2.2:51900 "MTU = 1420"
  config b "" "MTU = auto"
  up b
  up a
  wait_up
  eventually mtu_is b 1440
  ip -n "$A" link show sw0 | grep -q "mtu 1420 "
  limit 1400 silent
  eventually ip netns exec "$A" ping -q -c 1 -W 1 -s 1380 10.77.0.2
}
