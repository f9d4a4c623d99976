#!/usr/bin/env bats
# What other programs remove or change on the host, and the link has made.

load topology

rules() { ip -n "$A" -4 rule; ip -n "$A" -6 rule; }
routes() { ip -n "$A" -4 route show table all; ip -n "$A" -6 route show table all; }
addresses() { ip -n "$A" -o addr show dev sw0 | grep -v 'scope link' | sed 's/ *valid_lft.*//'; }
everything() { rules; routes | grep -v fe80: | grep 'dev sw0'; addresses; }
complete() { everything | diff "$work/before" - ; }
made_again() { grep -c 'made again what was removed' "$work/a/up.log" || true; }

# link_up [ALLOWED]: both sides are up, with default routes in A, and $work/before is what A has then.
link_up() {
  topology_pair
  ip -n "$A" route add default via 192.0.2.2
  config a 192.0.2.2:51900
  sed -i "s|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16, fd02::/64, 0.0.0.0/0, ::/0|" "$work/a/sw0.conf"
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  eventually eval 'ip -n "$A" -6 rule | grep -q "not from all fwmark"'
  everything >"$work/before"
}

@test "routes that are flushed come back, and the log says so once" {
  link_up
  ip -n "$A" -4 route flush dev sw0 proto static
  ip -n "$A" -6 route flush dev sw0 proto static
  ip -n "$A" route flush table 51900
  refute complete
  eventually complete
  ping_from a 10.77.0.2
  [ "$(made_again)" = 1 ]
  grep 'addresses 0, routes [1-9], rules 0' "$work/a/up.log"
}

@test "addresses and rules that are removed come back, in either family" {
  link_up
  ip -n "$A" addr flush dev sw0 scope global
  eventually complete
  ip -n "$A" -4 rule flush
  ip -n "$A" -4 rule add pref 32766 lookup main
  ip -n "$A" -6 rule del pref 31000
  eventually eval 'rules | grep -v 32767 | diff <(grep -v 32767 "$work/before" | grep lookup) -'
  grep 'addresses 2, routes' "$work/a/up.log"
  grep 'routes 0, rules 5' "$work/a/up.log"
}

@test "a route that takes the place of ours is reported, and ours comes back when that is gone" {
  link_up
  ip -n "$A" route replace 10.2.0.0/16 dev v0 proto static scope link
  eventually grep -q 'cannot make again what was removed: .*10.2.0.0/16.*over v0' "$work/a/up.log"
  ip -n "$A" route del 10.2.0.0/16 dev v0
  eventually complete
}

@test "a part that cannot be made again keeps no other from it, and is tried again" {
  link_up
  ip netns exec "$A" sysctl -qw net.ipv6.conf.sw0.disable_ipv6=1
  eventually grep -q 'cannot make again what was removed' "$work/a/up.log"
  ip -n "$A" route del 10.2.0.0/16 dev sw0
  eventually eval 'ip -n "$A" route show 10.2.0.0/16 | grep "dev sw0"'
  ip netns exec "$A" sysctl -qw net.ipv6.conf.sw0.disable_ipv6=0 # no report of the kernel tells it
  eventually complete
  [ "$(grep -c 'cannot make again what was removed' "$work/a/up.log")" = 1 ]
}

@test "8192 routes are looked at without keeping the link from answering" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  most_ranges
  up a
  up b
  wait_up
  for _ in 1 2 3; do
    ip -n "$A" route del 10.159.255.0/24 dev sw0
    ip -n "$A" route del 10.128.0.0/24 dev sw0
    sleep 1.5 # it begins after a second, and a client waits for 5
    is_up a
    eventually eval '[ "$(ip -n "$A" route show | grep -c "^10\.1[2-5].* dev sw0")" = 8192 ]'
  done
  grep 'made again what was removed: addresses 0, routes 2, rules 0' "$work/a/up.log"
}

@test "an interface that is set down is a state with a time, and gets everything back when it is up" {
  link_up
  ip -n "$A" link set sw0 down
  eventually eval '[ "$(status_of a .reason)" = interface-down ]'
  refute is_up a
  [[ $(condition_of a) == *"ip link set sw0 up"* ]]
  [ "$(status_of a '.since < 60')" = true ]
  grep 'the interface is down' "$work/a/up.log"
  sleep 1.5 # nothing is tried meanwhile
  refute grep 'cannot make again' "$work/a/up.log"
  ip -n "$A" link set sw0 up
  eventually complete
  eventually is_up a
  ping_from a 10.77.0.2
  ping_from a fd77::2
}

@test "what the link has not made is not its business" {
  link_up
  ip -n "$A" addr add 10.77.9.1/32 dev sw0
  ip -n "$A" route add 10.88.0.0/16 dev sw0
  ip -n "$A" route add 10.2.0.0/16 dev v0 table 88
  ip -n "$A" rule add pref 99 lookup 88
  ip -n "$A" addr del 10.77.9.1/32 dev sw0
  ip -n "$A" route del 10.88.0.0/16 dev sw0
  ip -n "$A" route del 10.2.0.0/16 dev v0 table 88
  ip -n "$A" rule del pref 99 lookup 88
  sleep 1.5
  complete
  [ "$(made_again)" = 0 ]
}

@test "a program that removes them each time does not keep the link busy" {
  link_up
  local n=0 end=$((SECONDS + 90))
  until grep -q 'again and again' "$work/a/up.log"; do
    [ $SECONDS -lt $end ]
    ip -n "$A" route del 10.2.0.0/16 dev sw0 2>/dev/null || true
    sleep 0.2
  done
  [ "$(made_again)" = 8 ]
  eventually is_up a
}

@test "changes that the kernel could not report are noticed" {
  link_up
  # the parent does not read meanwhile, so reports are lost
  kill -STOP "$pid_a"
  for _ in 1 2 3 4 5; do
    for i in {1..250}; do echo "route add 10.99.$i.0/24 dev v0"; done | ip -n "$A" -batch -
    ip -n "$A" route flush root 10.99.0.0/16
  done
  ip -n "$A" route del 10.2.0.0/16 dev sw0
  # the number of reports that were lost
  ip netns exec "$A" awk -v pid="$pid_a" '$2 == 0 && $9 > 0 {found = 1} END {exit !found}' /proc/net/netlink
  kill -CONT "$pid_a"
  eventually complete
  ip -n "$A" route del 10.2.0.0/16 dev sw0 # and it goes on
  eventually complete
  ip -n "$A" link set sw0 down
  eventually eval '[ "$(status_of a .reason)" = interface-down ]'
}
