#!/usr/bin/env bats
# The routes of packets once a link is up.
#
#   ns L ------ lan ------ ns A ------ v0 ------ ns B
#   10.9.0.2/24            10.9.0.1/24           198.51.100.1/32
#   fd09::2/64             fd09::1/64            2001:db8:ffff::1/128

load topology

lan() {
  L=sw-l-$id
  ip netns add "$L"
  ip link add lan netns "$A" type veth peer name lan netns "$L"
  ip -n "$L" link set lo up
  ip -n "$L" addr add 10.9.0.2/24 dev lan
  ip -n "$L" addr add fd09::2/64 dev lan nodad
  ip -n "$L" link set lan up
  ip -n "$A" addr add 10.9.0.1/24 dev lan
  ip -n "$A" addr add fd09::1/64 dev lan nodad
  ip -n "$A" link set lan up
}

# goes_over DEVICE ADDRESS...: A routes packets for these addresses over the device.
goes_over() {
  local device=$1 address; shift
  for address; do ip -n "$A" route get "$address" | tee /dev/stderr | grep -q "dev $device "; done
}

rules() { ip -n "$A" -4 rule; ip -n "$A" -6 rule; }

# all_traffic [LINES]: two links, of which A's leads all its traffic to B. A has default routes of its own, over v0.
all_traffic() {
  topology_pair
  lan
  ip -n "$B" addr add 198.51.100.1/32 dev lo
  ip -n "$B" addr add 2001:db8:ffff::1/128 dev lo
  ip -n "$A" route add default via 192.0.2.2
  ip -n "$A" -6 route add default via 2001:db8::2
  rules >"$work/rules"
  config a 192.0.2.2:51900 "${1:-}"
  sed -i "s|^AllowedIPs = .*|AllowedIPs = ${allowed:-0.0.0.0/0, ::/0}|" "$work/a/sw0.conf"
  config b
}

no_rules_left() { rules | diff "$work/rules" -; }

@test "default routes lead all traffic through the link, except to connected networks, and leave nothing behind" {
  all_traffic
  up a
  up b
  wait_up
  eventually eval 'rules | grep -q suppress_prefixlength'
  goes_over sw0 198.51.100.1 2001:db8:ffff::1
  ping_from a 198.51.100.1
  ping_from a 2001:db8:ffff::1
  goes_over lan 10.9.0.2 fd09::2
  ping_from a 10.9.0.2
  ping_from a fd09::2
  goes_over v0 192.0.2.2 2001:db8::2
  in_ns a "$SALTWAY" down sw0
  no_rules_left
  [ ! -e "$(file_of a rules)" ]
  goes_over v0 198.51.100.1 2001:db8:ffff::1
}

@test "after a kill the next start leaves one set of rules, or none if its configuration has no default routes" {
  all_traffic
  local n
  for n in 1 2 3; do
    up a
    eventually eval '[ "$(grep -c "interface sw0, UDP" "$work/a/up.log")" = "$n" ]'
    eventually eval '[ "$(rules | grep -c "not from all fwmark")" = 2 ]'
    [ "$(rules | grep -c suppress_prefixlength)" = 2 ]
    [ "$(rules | grep -c 'sport 51900')" = 2 ]
    kill -KILL "$pid_a"
    eventually eval '! kill -0 "$pid_a" && ! ip -n "$A" link show sw0'
  done
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16|' "$work/a/sw0.conf"
  up a
  eventually grep -q 'removing its rules' "$work/a/up.log"
  eventually eval 'ip -n "$A" route show 10.2.0.0/16 | grep sw0'
  no_rules_left
}

@test "with rp_filter = 1 the link comes up over the default route that it replaces" {
  local allowed=0.0.0.0/0
  all_traffic
  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.v0.rp_filter=1
  ip -n "$B" addr add 203.0.113.9/32 dev lo
  sed -i 's|^Endpoint = .*|Endpoint = 203.0.113.9:51900|' "$work/a/sw0.conf"
  up a
  up b
  wait_up
  eventually eval 'ip -n "$A" rule | grep -q suppress_prefixlength'
  goes_over sw0 198.51.100.1
  ping_from a 198.51.100.1
  refute eval 'ip -n "$A" -6 rule | grep -q suppress_prefixlength'
  ip netns exec "$A" sysctl -qw net.ipv4.ip_forward=1
  # a forwarded packet from the same port goes into the link
  ip -n "$A" route get 198.51.100.1 from 10.9.0.2 iif lan ipproto 17 sport 51900 | grep 'dev sw0'
}

@test "rp_filter = 1 is named in the log where rules of the administrator's own may make it drop the peer's datagrams" {
  topology_pair
  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=1
  config a 192.0.2.2:51900 "Table = 77
FwMark = 77"
  up a
  eventually grep -q 'net.ipv4.conf.all.rp_filter is 1' "$work/a/up.log"
}

@test "a table in use is left alone, and FwMark is used where it is configured" {
  all_traffic 'FwMark = 7'
  ip -n "$A" route add 198.51.100.0/24 dev v0 table 51900
  up a
  eventually eval 'ip -n "$A" -6 rule | grep "not from all fwmark 0x7 lookup 51901"'
  ip -n "$A" route show table 51901 | grep 'default dev sw0'
  in_ns a "$SALTWAY" down sw0
  no_rules_left
}

@test "of two links with default routes neither carries the other's datagrams" {
  all_traffic
  # with rp_filter = 1 the way back is looked up, too; each peer is reached by a default route
  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.v0.rp_filter=1
  sed -i 's/^Endpoint = .*/Endpoint = [2001:db8:ffff::1]:51900/' "$work/a/sw0.conf"
  local side
  for side in a b; do
    mkdir -p "$work/second-$side"
    sed 's/51900$/51901/; s/\[2001:db8:ffff::1\]/198.51.100.1/; s/10\.77\.0/10.78.0/; s/fd77/fd78/; s/^AllowedIPs = 10.*/AllowedIPs = 10.6.0.0\/16/' \
      "$work/$side/sw0.conf" >"$work/second-$side/sw1.conf"
  done
  up a
  up b
  wait_up
  for side in a b; do
    in_ns $side "$SALTWAY" up "$work/second-$side/sw1.conf" >"$work/second-$side/up.log" 2>&1 3>&- &
    pids+=($!)
  done
  eventually in_ns a "$SALTWAY" status sw1
  sleep 10 # longer than a path that leads into the other link would last
  is_up a
  in_ns a "$SALTWAY" status sw1
  in_ns a "$SALTWAY" status --json | jq -r '.[].paths[].local' | tee "$work/paths"
  [ -s "$work/paths" ]
  refute grep -E '^\[?(10\.7|fd7)' "$work/paths"
}

@test "with Table = off or a number nothing else is touched" {
  local table
  for table in off 77; do
    all_traffic "Table = $table"
    up a
    eventually grep -q 'interface sw0' "$work/a/up.log"
    eventually eval '[ "$(status_of a .name)" = sw0 ]'
    [ $table = off ] || eventually eval 'ip -n "$A" route show table 77 | grep "default dev sw0"'
    no_rules_left
    goes_over v0 198.51.100.1 2001:db8:ffff::1
    in_ns a "$SALTWAY" down sw0
    ip netns del "$A"; ip netns del "$B"; ip netns del "$L"
    : >"$work/a/up.log"
  done
}

@test "routes to the same network from router advertisements or DHCP do not take precedence; Metric = changes that" {
  topology_pair
  ip -n "$A" route add 10.2.0.0/16 via 192.0.2.2 dev v0 metric 50
  ip -n "$A" -6 route add fd02::/64 via 2001:db8::2 dev v0 metric 50
  config a 192.0.2.2:51900
  up a
  eventually eval 'ip -n "$A" -6 route show fd02::/64 | grep sw0'
  goes_over sw0 10.2.0.1 fd02::1
  in_ns a "$SALTWAY" down sw0
  config a 192.0.2.2:51900 'Metric = 60'
  up a
  eventually eval 'ip -n "$A" -6 route show fd02::/64 | grep "sw0.*metric 60"'
  goes_over v0 10.2.0.1 fd02::1
  ip -n "$A" route flush dev v0 metric 50
  ip -n "$A" -6 route flush dev v0 metric 50
  goes_over sw0 10.2.0.1 fd02::1
}
