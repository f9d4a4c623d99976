#!/usr/bin/env bats
# Hosts with several addresses.  An answer leaves from the address that the datagram was sent to.
#
#   ns A 192.0.2.1, 2001:db8::1 ------ 192.0.2.2,  2001:db8::2  ns B
#                                      192.0.2.22, 2001:db8::22

load topology

# second_address ENDPOINT: brings up a link from a to the second address of b.  The firewall of a accepts only answers.
second_address() {
  topology_pair
  ip -n "$B" addr add 192.0.2.22/24 dev v0
  ip -n "$B" addr add 2001:db8::22/64 dev v0 nodad
  ip netns exec "$A" nft -f - <<'NFT'
table inet firewall {
  chain in {
    type filter hook input priority 0; policy drop
    iif lo accept
    iifname sw0 accept
    ct state established,related accept
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
  }
}
NFT
  config a "$1"
  config b
  up b
  up a
  wait_up
  ping_from a 10.77.0.2
  ping_from b 10.77.0.1
}

@test "a link to the second IPv4 address of a host comes up through a stateful firewall" {
  second_address 192.0.2.22:51900
  tcp_hashed a b 10.77.0.2
  nothing_dropped
}

@test "a link to the second IPv6 address of a host comes up through a stateful firewall" {
  second_address '[2001:db8::22]:51900'
  tcp_hashed a b fd77::2
  nothing_dropped
}

@test "a host that loses an address sends from another one" {
  second_address 192.0.2.22:51900
  ip netns exec "$A" nft flush ruleset
  ip -n "$B" addr del 192.0.2.22/24 dev v0
  local before; before=$(status_of a .packets_in)
  in_ns b ping -q -c 3 -i 0.1 -W 1 10.77.0.1 || true # the answers go to the lost address
  [ "$(status_of a .packets_in)" -ge $((before + 3)) ]
  [ "$(status_of b '.drops."send-failed" // 0')" = 0 ]
}

@test "a link over link-local addresses comes up" {
  topology_pair
  # a tentative address cannot be a source
  eventually eval '[ -z "$(ip -n "$A" addr show tentative; ip -n "$B" addr show tentative)" ]'
  local there; there=$(ip -n "$B" -j addr show dev v0 | jq -r '.[].addr_info[] | select(.scope == "link") | .local' | head -1)
  config a "[$there%v0]:51900"
  config b
  up b
  up a
  wait_up
  tcp_hashed a b 10.77.0.2
  nothing_dropped
}
