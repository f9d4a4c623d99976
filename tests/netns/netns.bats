#!/usr/bin/env bats
# A link whose interface is in another network namespace than its socket.
#
#   ns I ------ sw0 ...... ns A ------ veth ------ ns B
#               the link's interface   its datagrams

load topology

inner_namespace() {
  I=sw-i-$id
  ip netns add "$I"
}

# inner_link NETNS [LINES] [ALLOWED]: both sides are up, and the interface of a's link is in I.
inner_link() {
  topology_pair
  ip -n "$B" addr add 198.51.100.1/32 dev lo
  ip -n "$B" addr add 2001:db8:ffff::1/128 dev lo
  config a 192.0.2.2:51900 "NetNS = $1
${2:-}"
  [ -z "${3:-}" ] || sed -i "s|^AllowedIPs = .*|AllowedIPs = $3|" "$work/a/sw0.conf"
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
}

in_inner() { ip netns exec "$I" "$@"; }

@test "interface, addresses and routes are in the namespace, datagrams are not, and nothing is left" {
  inner_namespace
  inner_link "$I"
  refute ip -n "$A" link show sw0
  refute eval 'ip -n "$A" route show table all | grep 10.2.0.0'
  eventually eval 'ip -n "$I" -6 route show fd02::/64 | grep "dev sw0"'
  ip -n "$I" route show 10.2.0.0/16 | grep 'dev sw0'
  in_inner ping -q -c 3 -i 0.05 -W 5 10.77.0.2
  in_inner ping -q -c 3 -i 0.05 -W 5 fd77::2
  [ "$(in_inner sysctl -n net.ipv6.conf.sw0.accept_ra)" = 0 ]
  [ -e "$(file_of a sock)" ]
  in_ns a "$SALTWAY" down sw0
  refute ip -n "$I" link show sw0
}

@test "all traffic of a namespace goes through the link, without rules in either namespace" {
  inner_namespace
  rules() { ip -n "$1" -4 rule; ip -n "$1" -6 rule; }
  rules "$I" >"$work/rules"
  inner_link "/run/netns/$I" "" "0.0.0.0/0, ::/0"
  eventually eval 'ip -n "$I" -6 route show default | grep "dev sw0"'
  in_inner ping -q -c 3 -i 0.05 -W 5 198.51.100.1
  in_inner ping -q -c 3 -i 0.05 -W 5 2001:db8:ffff::1
  rules "$I" | diff "$work/rules" -
  rules "$A" | diff "$work/rules" -
}

@test "hooks run where saltway was started, and are told of the namespace" {
  inner_namespace
  inner_link "$I" "PostUp = ip netns identify \$\$ >$work/where; echo \$SALTWAY_NETNS >$work/told
PostUp = ip -n \$SALTWAY_NETNS link set lo up"
  eventually eval 'ip -n "$I" link show lo | grep -q ,UP'
  [ "$(cat "$work/told")" = "$I" ]
  [ "$(cat "$work/where")" = "$A" ]
}

@test "what is removed in the namespace comes back, and an interface that is set down there is reported" {
  inner_namespace
  inner_link "$I"
  eventually eval 'ip -n "$I" -6 route show fd02::/64 | grep "dev sw0"'
  ip -n "$I" route del 10.2.0.0/16
  eventually eval 'ip -n "$I" route show 10.2.0.0/16 | grep "dev sw0"'
  ip -n "$I" link set sw0 down
  eventually eval '[ "$(status_of a .reason)" = interface-down ]'
  ip -n "$I" link set sw0 up
  eventually eval 'ip -n "$I" -6 route show fd02::/64 | grep "dev sw0"'
  eventually is_up a
}

@test "after a kill the link comes up again in the namespace" {
  inner_namespace
  inner_link "$I"
  kill -KILL "$pid_a"
  eventually eval '! kill -0 "$pid_a"'
  up a
  eventually is_up a
  in_inner ping -q -c 3 -i 0.05 -W 5 10.77.0.2
}

@test "a link is tested from where saltway was started, with its configuration's path" {
  inner_namespace
  inner_link "$I"
  in_ns b "$SALTWAY" test --listen "$work/b/sw0.conf" >"$work/b/test.log" 2>&1 3>&- &
  pids+=($!)
  eventually eval 'ip netns exec "$B" ss -Hltn sport = :51909 | grep 51909'
  ip -n "$A" tuntap add mode tun dev sw0 # of the same name, and not the link's
  run in_ns a "$SALTWAY" test --json -t 1 "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 0 ]
  ip -n "$A" link del sw0
  in_ns a "$SALTWAY" test --listen "$work/a/sw0.conf" >"$work/a/test.log" 2>&1 3>&- &
  pids+=($!)
  eventually eval 'in_inner ss -Hltn sport = :51909 | grep 51909'
  run in_ns b "$SALTWAY" test --json -t 1 sw0
  echo "$output"
  [ "$status" = 0 ]
  run in_ns a "$SALTWAY" test sw0 # its configuration is not in /etc/saltway
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"there is no interface sw0 here (if its configuration has NetNS, give that file's path)"* ]]
  run in_ns a setpriv --bounding-set -sys_admin "$SALTWAY" test "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"cannot enter the network namespace: Operation not permitted (NetNS needs CAP_SYS_ADMIN"* ]]
  local options
  for options in "" "--listen"; do
    # shellcheck disable=SC2086 # no word or one
    run in_inner env RUNTIME_DIRECTORY="$work/run-a" "$SALTWAY" test $options "$work/a/sw0.conf"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"sw0 is not up in this network namespace: "*" (it may be up in another one: run this there, with ip netns exec "* ]]
  done
}

@test "a namespace that is missing, or is none, is reported" {
  topology_pair
  config a 192.0.2.2:51900 "NetNS = sw-none-$id"
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"cannot open /run/netns/sw-none-$id: No such file or directory (ip netns shows"* ]]
  run in_ns a "$SALTWAY" doctor "$work/a/sw0.conf"
  [ "$status" = 1 ]
  [[ ${lines[0]} == "sw0: netns: cannot open /run/netns/sw-none-$id: No such file or directory"* ]]
  config a 192.0.2.2:51900 "NetNS = /etc/hostname"
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"cannot enter the network namespace: Invalid argument (the file is not a network namespace)"* ]]
}

@test "a missing capability to enter a namespace is reported" {
  topology_pair
  inner_namespace
  config a 192.0.2.2:51900 "NetNS = $I"
  run in_ns a setpriv --bounding-set=-sys_admin "$SALTWAY" up "$work/a/sw0.conf"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"Operation not permitted (NetNS needs CAP_SYS_ADMIN"* ]]
  refute ip -n "$A" link show sw0
}

@test "the way to a name server is looked for where the queries leave" {
  inner_namespace
  topology_pair
  local n index
  index=$(ip -n "$A" -j link show v0 | jq '.[0].ifindex')
  for n in $(seq 2 $((index - 1))); do ip -n "$I" link add d"$n" type dummy; done # sw0 gets the number of v0
  mkdir -p "/etc/netns/$A"
  echo "nameserver 192.0.2.2" >"/etc/netns/$A/resolv.conf" # where no server is
  config a b.example.net:51900 "NetNS = $I"
  up a
  eventually eval '[[ $(condition_of a) == "cannot resolve b.example.net: Temporary failure in name resolution (is the name right?"* ]]'
  [ "$(ip -n "$I" -j link show sw0 | jq '.[0].ifindex')" = "$index" ]
}
