#!/usr/bin/env bats
# The routes of packets once a link is up.
#
#   ns L ------ lan ------ ns A ------ v0 ------ ns B
#   10.9.0.2/24            10.9.0.1/24           198.51.100.1/32
#   fd09::2/64             fd09::1/64            2001:db8:ffff::1/128

load topology

# recipe: prints the [Interface] lines that saltway.conf(5) recommends for all traffic.
recipe() {
  awk '/^\.Bd/ {text = ""; next} /^\.Ed/ {if (text ~ /FwMark/) printf "%s", text; next} /^\[/ {next} {text = text $0 "\n"}' \
    "$BATS_TEST_DIRNAME/../../docs/saltway.conf.5"
}

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

@test "the recipe of saltway.conf(5) sends all traffic through the link, except to connected networks" {
  topology_pair
  lan
  ip -n "$B" addr add 198.51.100.1/32 dev lo
  ip -n "$B" addr add 2001:db8:ffff::1/128 dev lo
  ip -n "$A" route add default via 192.0.2.2 # the host's own default routes, which stay
  ip -n "$A" -6 route add default via 2001:db8::2
  rules >"$work/rules"
  config a 192.0.2.2:51900 "$(recipe)"
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 0.0.0.0/0, ::/0|' "$work/a/sw0.conf"
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  until_true 20 eval 'ip -n "$A" -6 rule | grep -q suppress_prefixlength'
  goes_over sw0 198.51.100.1 2001:db8:ffff::1
  ping_from a 198.51.100.1
  ping_from a 2001:db8:ffff::1
  goes_over lan 10.9.0.2 fd09::2
  ping_from a 10.9.0.2
  ping_from a fd09::2
  goes_over v0 192.0.2.2 2001:db8::2
  in_ns a "$SALTWAY" down sw0
  rules | diff "$work/rules" -
  goes_over v0 198.51.100.1 2001:db8:ffff::1
}

@test "routes to the same network from router advertisements or DHCP do not take precedence; Metric = changes that" {
  topology_pair
  ip -n "$A" route add 10.2.0.0/16 via 192.0.2.2 dev v0 metric 50
  ip -n "$A" -6 route add fd02::/64 via 2001:db8::2 dev v0 metric 50
  config a 192.0.2.2:51900
  up a
  until_true 20 eval 'ip -n "$A" -6 route show fd02::/64 | grep sw0'
  goes_over sw0 10.2.0.1 fd02::1
  in_ns a "$SALTWAY" down sw0
  config a 192.0.2.2:51900 'Metric = 60'
  up a
  until_true 20 eval 'ip -n "$A" -6 route show fd02::/64 | grep "sw0.*metric 60"'
  goes_over v0 10.2.0.1 fd02::1
  ip -n "$A" route flush dev v0 metric 50
  ip -n "$A" -6 route flush dev v0 metric 50
  goes_over sw0 10.2.0.1 fd02::1
}

@test "a default route in the main table is refused, with its line number" {
  topology_pair
  config a 192.0.2.2:51900
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16, 0.0.0.0/0|' "$work/a/sw0.conf"
  line=$(grep -n ^AllowedIPs "$work/a/sw0.conf" | cut -d: -f1)
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 78 ]
  [[ $output == *"sw0.conf:$line: AllowedIPs: 0.0.0.0/0 with Table = auto"* ]]
  refute ip -n "$A" link show sw0
}
