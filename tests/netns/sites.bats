#!/usr/bin/env bats
# Many links on one machine. tests/bench/fleet.py measures what they cost; here it matters what happens.

load topology

links=20

# ends_up SIDE: starts the links of one side; each has a key, a port and a network of its own.
ends_up() {
  local side=$1 n i more ns
  [ "$side" = a ] && n=1 ns=$A || { n=2 ns=$B; more='Table = off'; } # all branches have the same network behind the hub
  mkdir -p "$work/run-$side"
  for ((i = 0; i < links; i++)); do
    [ -e "$work/$i.key" ] || (umask 077 && "$SALTWAY" genkey >"$work/$i.key")
    cat >"$work/$side/site$i.conf" <<CONF
[Interface]
Address = 10.77.$i.$n/30
ListenPort = $((52000 + i))
${more:-}
[Peer]
PresharedKeyFile = $work/$i.key
Endpoint = 192.0.2.$((3 - n)):$((52000 + i))
AllowedIPs = $([ "$side" = a ] && echo "10.2.$i.0/24" || echo 10.1.0.0/16)
CONF
    ip netns exec "$ns" env RUNTIME_DIRECTORY="$work/run-$side" STATE_DIRECTORY="$work/state-$side" \
      "$SALTWAY" up "$work/$side/site$i.conf" >>"$work/$side/up.log" 2>&1 3>&- &
    pids+=($!)
    [ "$side" = a ] || branch[i]=$!
  done
}

all_up() { in_ns "$1" "$SALTWAY" status --json >"$work/all.json" && [ "$(jq length "$work/all.json")" = $links ]; }
# states SIDE: how many links are in which state, such as "1 closed 19 up".
states() { in_ns "$1" "$SALTWAY" status --json | jq -r '.[].state' | sort | uniq -c | xargs; }
in_states() { [ "$(states "$1")" = "$2" ]; }
networks_are() { [ "$(ip -n "$A" route show root 10.2.0.0/16 | wc -l)" = "$1" ]; }

@test "a hub with 20 links: each is up and carries its own packets; one that ends or dies takes nothing from the others" {
  local i branch=()
  topology_pair
  ends_up a
  ends_up b
  eventually all_up a
  eventually all_up b
  [ "$(jq '[.[].name] | unique | length' "$work/all.json")" = $links ]
  networks_are $links
  for ((i = 0; i < links; i++)); do
    in_ns a ping -q -c 2 -i 0.05 -W 5 "10.77.$i.2"
    [ "$(in_ns b "$SALTWAY" status --json "site$i" | jq '.[0].packets_in >= 2')" = true ]
  done
  # one branch stops
  kill -TERM "${branch[3]}"
  eventually in_states a '1 closed 19 up'
  run in_ns a "$SALTWAY" status
  [ "$status" = 3 ]
  # one of the hub's is ended with its routes, and one is killed
  in_ns a "$SALTWAY" down site5
  eventually in_states a '1 closed 18 up'
  networks_are $((links - 1))
  kill -KILL "${pids[7]}"
  eventually networks_are $((links - 2))
  for ((i = 8; i < links; i++)); do in_ns a ping -q -c 2 -i 0.05 -W 5 "10.77.$i.2"; done
}
