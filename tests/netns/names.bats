#!/usr/bin/env bats
# Endpoints by name: when names are looked up, and what a link does while they are not resolved.  The topology is that of
# topology_pair; each test says where the name server is.

load topology

says() { [[ $(condition_of "$1") == *"$2"* ]]; }
endpoints_of() { status_of "$1" '[.endpoints[].address] | join(" ")'; }
lines_with() { grep -c -- "$2" "$work/$1/up.log" || true; }
gone() { ! kill -0 "$1"; }

# far_name_server [LINES]: a name server on side b, to which side a has a route, and a's AllowedIPs too; LINES go into
# a's [Interface], and $allowed are its AllowedIPs.
far_name_server() {
  topology_pair
  ip -n "$B" addr add 203.0.113.53/32 dev lo
  ip -n "$A" route add default via 192.0.2.2
  name_server b 203.0.113.53
  uses a 203.0.113.53
  resolves_to b 192.0.2.2
  config b
  config a b.example.net:51900 "${1:-}"
  sed -i "s|^AllowedIPs.*|AllowedIPs = $allowed|" "$work/a/sw0.conf"
}

recipe='FwMark = 51900
Table = 51900
PostUp = ip rule add not fwmark 51900 table 51900
PreDown = ip rule del not fwmark 51900 table 51900'

@test "names are looked up before routes lead to the name server through the link" {
  allowed=203.0.113.0/24 far_name_server
  up b
  up a
  wait_up
  ip -n "$A" route get 203.0.113.53 | grep -q 'dev sw0'
}

@test "names are looked up before hooks lead all traffic into the link" {
  allowed=0.0.0.0/0 far_name_server "$recipe"
  up b
  up a
  wait_up
  ip -n "$A" route get 203.0.113.53 | grep -q 'dev sw0'
}

@test "a name server that is reached through the link, which is down, is named once as the cause" {
  allowed=203.0.113.0/24 far_name_server
  up b
  up a
  wait_up
  kill -KILL "$pid_b"
  eventually says a "the name server 203.0.113.53 is reached through this link, which is down"
  [ "$(status_of a .reason)" = name-server ]
  says a "cannot resolve b.example.net: "
  sleep 10
  cat "$work/a/up.log"
  [ "$(lines_with a 'the name server 203.0.113.53')" = 1 ]
  [ "$(lines_with a 'cannot resolve')" -le 2 ]
}

# follows_a_name: side b goes to another address, and starts there. Side a has to look it up.
follows_a_name() {
  in_ns b "$SALTWAY" down sw0
  eventually eval '[ "$(status_of a .state)" != up ]'
  ip -n "$B" addr add 192.0.2.22/24 dev v0
  ip netns exec "$A" nft 'table inet f { chain i { type filter hook input priority 0; ip saddr 192.0.2.2 udp sport 51900 drop; }; }'
  resolves_to b 192.0.2.22
  up b
  eventually is_up a
  [ "$(status_of a .endpoint)" = 192.0.2.22:51900 ]
}

@test "a rule for the resolver's user keeps its queries out of the link, and the peer is followed" {
  not_sanitized "not confined"
  local user; user=$(id -u saltway-resolver 2>/dev/null || id -u saltway 2>/dev/null || echo 65534)
  allowed=0.0.0.0/0 far_name_server "$recipe
PostUp = ip rule add uidrange $user-$user table main
PreDown = ip rule del uidrange $user-$user table main"
  up b
  up a
  wait_up
  ip -n "$A" route get 203.0.113.53 | grep -q 'dev sw0'
  follows_a_name
}

@test "with default routes the resolver's queries stay out of the link, if it has a user of its own" {
  not_sanitized "not confined"
  mkdir -p "/etc/netns/$A"
  { grep -v '^saltway-resolver:' /etc/passwd; echo "saltway-resolver:x:54322:54322::/:/usr/sbin/nologin"; } >"/etc/netns/$A/passwd"
  allowed='0.0.0.0/0, ::/0' far_name_server
  ip -n "$A" rule >"$work/rules"
  up b
  up a
  wait_up
  eventually eval 'ip -n "$A" -6 rule | grep -q "uidrange 54322-54322 lookup main"'
  ip -n "$A" route get 203.0.113.53 | grep -q 'dev sw0'
  ip -n "$A" route get 203.0.113.53 uid 54322 | grep -q 'dev v0'
  follows_a_name
  killed a
  rm "/etc/netns/$A/passwd" # the user is gone at the next start, which removes all rules of the last run
  up a
  eventually is_up a
  eventually eval 'ip -n "$A" rule | grep -q suppress_prefixlength'
  refute eval 'ip -n "$A" rule | grep uidrange'
  in_ns a "$SALTWAY" down sw0
  ip -n "$A" rule | diff "$work/rules" -
}

@test "all addresses of a name are endpoints, the families in turn" {
  topology_pair
  name_server a 127.0.0.1
  uses a 127.0.0.1
  resolves_to a 192.0.2.2 192.0.2.3 192.0.2.4 2001:db8::2
  config a 'b.example.net:51900, 198.51.100.1:7'
  up a
  eventually eval '[ "$(endpoints_of a | wc -w)" = 5 ]'
  local families; families=$(endpoints_of a | tr ' ' '\n' | sed 's/\[.*/6/; s/.*\..*/4/' | tr -d '\n')
  [ "$families" = 46444 ] || [ "$families" = 64444 ]
  [[ $(endpoints_of a) == *" 198.51.100.1:7" ]]
}

@test "a name that changes its address while the link is up is followed when the peer moves" {
  topology_pair
  name_server a 127.0.0.1
  uses a 127.0.0.1
  resolves_to a 192.0.2.2
  config a b.example.net:51900
  config b
  up b
  up a
  wait_up
  refute grep -q 'b.example.net' "$work/a/up.log" # nothing to tell
  pings_start
  sleep 6 # a name is looked up every 5 s at most
  # side a has to find side b
  ip netns exec "$A" nft 'table inet f { chain i { type filter hook input priority 0; ct state established accept; udp dport 51900 drop; }; }'
  resolves_to a 192.0.2.22
  ip -n "$B" addr del 192.0.2.2/24 dev v0
  ip -n "$B" addr add 192.0.2.22/24 dev v0
  eventually eval '[ "$(status_of a .endpoint)" = 192.0.2.22:51900 ]'
  eventually is_up a
  sleep 1
  pings_stop "by DNS"
  [ "$(lines_with a 'b.example.net has changed: 192.0.2.22:51900 (before: 192.0.2.2:51900)')" = 1 ]
}

@test "an engine that read nothing while a name changed its address is told of it later" {
  topology_pair
  name_server a 127.0.0.1
  uses a 127.0.0.1
  resolves_to a 192.0.2.3 # nobody
  config a b.example.net:51900
  config b
  up b
  up a
  eventually eval '[ "$(endpoints_of a)" = 192.0.2.3:51900 ]'
  local engine; engine=$(status_of a .engine_pid)
  kill -STOP "$engine"
  # what the parent asks, and whoever wants the status, fills the channel, which holds 49 questions
  local asking=() i
  for i in $(seq 1 8); do
    (for i in $(seq 1 6); do in_ns a "$SALTWAY" status sw0 || true; done) >/dev/null 2>&1 3>&- &
    asking+=($!)
  done
  wait "${asking[@]}"
  resolves_to a 192.0.2.2
  eventually grep -q 'b.example.net has changed' "$work/a/up.log"
  kill -CONT "$engine"
  wait_up
}

@test "two sides that start without DNS make their routes, and come up by themselves when there is DNS" {
  topology_pair
  uses a 127.0.0.1
  uses b 127.0.0.1
  config a b.example.net:51900
  config b a.example.net:51900
  up a
  up b
  eventually eval '[ "$(status_of a .state)" = resolving ]'
  eventually says a "cannot resolve b.example.net: Temporary failure in name resolution (is the name right? does DNS work here?)"
  eventually eval '[ -n "$(ip -n "$A" route show 10.2.0.0/16)" ]'
  eventually eval '[ -n "$(ip -n "$B" route show 10.1.0.0/16)" ]'
  [ "$(status_of a .reason)" = unresolved ]
  sleep 20
  resolves_to a 192.0.2.2
  resolves_to b 192.0.2.1
  name_server a 127.0.0.1
  name_server b 127.0.0.1
  eventually is_up a
  eventually is_up b
  cat "$work/a/up.log"
  [ "$(lines_with a 'cannot resolve')" = 1 ]
  # the peer, whose lookup came first, may have made the link up before
  [ "$(lines_with a 'b.example.net is resolved: 192.0.2.2:51900')" -le 1 ]
  [ "$(($(lines_with a 'b.example.net is resolved') + $(lines_with b 'a.example.net is resolved')))" -ge 1 ]
}

# rebooted SIDE: ends all that runs and is kept in memory.  The state directory stays.
rebooted() {
  killed "$1"
  rm -rf "$work/run-$1"
}

# both_rebooted: two sides that know each other by name were up, are rebooted, and do not reach their name servers.
both_rebooted() {
  topology_pair
  local side servers=()
  for side in a b; do
    uses $side 127.0.0.1
    name_server $side 127.0.0.1
    servers+=("${pids[-1]}")
  done
  resolves_to a 192.0.2.2
  resolves_to b 192.0.2.1
  config a b.example.net:51900
  config b a.example.net:51900
  up a
  up b
  wait_up
  eventually grep '^192.0.2.2:51900 ' "$work/state-a/sw0"
  eventually grep '^192.0.2.1:51900 ' "$work/state-b/sw0"
  kill "${servers[@]}"
  wait "${servers[@]}" || true
  rebooted a
  rebooted b
}

@test "two sides that are rebooted without DNS are up again at the addresses that they had" {
  both_rebooted
  up a
  up b
  wait_up
  ping_from a 10.77.0.2
}

@test "two sides that are rebooted, have other addresses, and no DNS for 40 s come up by themselves" {
  both_rebooted
  ip -n "$A" addr del 192.0.2.1/24 dev v0
  ip -n "$A" addr add 192.0.2.11/24 dev v0
  ip -n "$B" addr del 192.0.2.2/24 dev v0
  ip -n "$B" addr add 192.0.2.22/24 dev v0
  up a
  up b
  sleep 40 # 31 s of retries that become rarer; the next ones are 30 s apart
  refute is_up a
  refute is_up b
  says a 'cannot resolve b.example.net'
  says b 'cannot resolve a.example.net'
  resolves_to a 192.0.2.22
  resolves_to b 192.0.2.11
  name_server a 127.0.0.1
  name_server b 127.0.0.1
  local begun=$SECONDS
  wait_up
  echo "# up $((SECONDS - begun)) s after DNS was back" >&3
  ping_from a 10.77.0.2
  [ "$(status_of a .endpoint)" = 192.0.2.22:51900 ]
  [ "$(status_of b .endpoint)" = 192.0.2.11:51900 ]
}

@test "a lookup that fails keeps the addresses that are known" {
  topology_pair
  name_server a 127.0.0.1
  uses a 127.0.0.1
  resolves_to a 192.0.2.2 192.0.2.3
  config a b.example.net:51900
  config b
  up b
  up a
  wait_up
  resolves_to a fail
  in_ns b "$SALTWAY" down sw0
  eventually gone "$pid_b"
  eventually says a "cannot resolve b.example.net: "
  [ "$(endpoints_of a | tr ' ' '\n' | sort | tr '\n' ' ')" = "192.0.2.2:51900 192.0.2.3:51900 " ]
  up b
  eventually is_up a
}

@test "a link that waits for its first lookup has a status, and can be stopped" {
  topology_pair
  name_server a 127.0.0.1 # which does not answer: there is no file
  printf 'nameserver 127.0.0.1\noptions timeout:30\n' >"$work/resolv.conf"
  mkdir -p "/etc/netns/$A"
  mv "$work/resolv.conf" "/etc/netns/$A/"
  config a b.example.net:51900
  up a
  eventually eval '[ "$(status_of a .state)" = resolving ]'
  says a "resolving b.example.net"
  local begun=$SECONDS
  in_ns a "$SALTWAY" down sw0
  eventually gone "$pid_a"
  [ $((SECONDS - begun)) -le 5 ]
  up a
  eventually eval '[ -n "$(ip -n "$A" route show 10.2.0.0/16)" ]' # without an answer
  [ "$(status_of a .state)" = resolving ]
}
