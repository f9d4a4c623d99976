#!/usr/bin/env bats
# What a link remembers over restarts: the address at which its peer was last reached.

load topology

# quiet_pair: a link is up, of which b has no Endpoint, and a sends nothing unless there are packets.
quiet_pair() {
  topology_pair
  config a 192.0.2.2:51900
  config b
  echo 'PersistentKeepalive = off' >>"$work/a/sw0.conf"
  up a
  up b
  wait_up
}

# killed_and_started SIDE: kills the side's processes, and starts it again with an empty log.
killed_and_started() {
  killed "$1"
  : >"$work/$1/up.log"
  up "$1"
}

state() { cat "$work/state-$1/sw0"; }
remembers() { state "$1" | grep -E "^$2 [0-9a-f]{8}$"; }

@test "a side without Endpoint that was killed starts the handshake itself, though the other side is quiet" {
  quiet_pair
  eventually remembers b 192.0.2.1:51900
  [ "$(stat -c %a "$work/state-b/sw0")" = 600 ]
  [ "$(stat -c %a "$work/state-b")" = 700 ]
  killed_and_started b
  eventually is_up b
  ping_from b 10.77.0.1
}

@test "the address is remembered when the link is stopped in order, too, and a new one replaces it" {
  quiet_pair
  eventually remembers b 192.0.2.1:51900
  in_ns a "$SALTWAY" down sw0
  sed -i 's/^ListenPort.*/ListenPort = 51999/' "$work/a/sw0.conf"
  up a
  eventually eval '[ "$(status_of b .endpoint)" = 192.0.2.1:51999 ]'
  remembers b 192.0.2.1:51900 # it was written less than a minute ago
  in_ns b "$SALTWAY" down sw0
  remembers b 192.0.2.1:51999
}

@test "the address of a peer with another key is not used" {
  quiet_pair
  eventually remembers b 192.0.2.1:51900
  (umask 077 && "$SALTWAY" genkey >"$work/link.key")
  killed_and_started b
  eventually eval '[ "$(status_of b .reason)" = waiting ]'
}

@test "a damaged file is reported, and the link waits as without one" {
  quiet_pair
  eventually remembers b 192.0.2.1:51900
  echo garbage >"$work/state-b/sw0"
  killed_and_started b
  eventually grep -q 'state-b/sw0: it is damaged' "$work/b/up.log"
  eventually eval '[ "$(status_of b .reason)" = waiting ]'
  ping_from a 10.77.0.2 || true # a notices that b has restarted
  eventually is_up b
  eventually remembers b 192.0.2.1:51900
}

@test "without a state directory that can be written to the link works, and the log says so once" {
  topology_pair
  config a 192.0.2.2:51900
  config b
  : >"$work/state-b" # a file
  up a
  up b
  wait_up
  eventually grep -q "cannot write $work/state-b.*: .*; going on" "$work/b/up.log"
  eventually is_up b
  [ "$(grep -c 'cannot write' "$work/b/up.log")" = 1 ]
}
