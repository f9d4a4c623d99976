#!/usr/bin/env bats
# The wall clock is wrong, or is set while the link runs, and nothing depends on it.  Each side has a clock of its own
# (clock.c), which tells who asked for it: the parent does, for libnl, which numbers its requests from it, and the engine,
# to compare it with the kernel's timestamps of datagrams.  So the tests can tell that the change was in force.

load topology

CLOCK_LIBRARY=$(dirname "$SALTWAY")/tests/netns/clock.so

# clock_is SIDE YEAR: sets the side's clock
clock_is() {
  [ -e "$work/$1/clock" ] || truncate -s 4096 "$work/$1/clock"
  python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("=q", int(sys.argv[2])))' \
    "$work/$1/clock" $(($(date -ud "$2-01-02" +%s) - $(date +%s)))
}

up_with_clock() { WALL_CLOCK=$work/$1/clock LD_PRELOAD=$CLOCK_LIBRARY up "$1"; }

# asked SIDE PID 1970|2100 any|wall: the process has asked for any clock, or for the wall clock, when that was so wrong
asked() {
  local at=$(($3 == 1970 ? 8 : 1032))
  [ "$4" = any ] || at=$((at + 512))
  od -An -v -w4 -td4 -j $at -N 512 "$work/$1/clock" | grep -qx " *$2"
}

# lives_with SIDE YEAR: both processes run with this clock now
lives_with() {
  eventually asked "$1" "$(eval "echo \$pid_$1")" "$2" any
  eventually asked "$1" "$(status_of "$1" .engine_pid)" "$2" wall
}

@test "a clock at 1970 or 2100, at the start and in flight, has no effect" {
  not_sanitized "nothing can be preloaded"
  topology_pair
  uses a 127.0.0.1
  resolves_to a 192.0.2.2
  name_server a 127.0.0.1
  config a b.example.net:51900
  config b
  clock_is a 1970
  clock_is b 2100
  up_with_clock b
  up_with_clock a
  wait_up
  tcp_hashed a b 10.77.0.2
  lives_with a 1970
  lives_with b 2100
  asked a "$pid_a" 1970 wall
  asked b "$pid_b" 2100 wall
  ip netns exec "$A" ping -q -i 0.1 -c 60 -W 60 10.77.0.2 >"$work/ping" 3>&- & local pings=$!
  pids+=("$pings")
  for _ in 1 2; do
    sleep 1
    clock_is a 2100; clock_is b 1970
    sleep 1
    clock_is a 1970; clock_is b 2100
  done
  clock_is a 2100; clock_is b 1970
  ip -n "$A" route del 10.2.0.0/16 dev sw0
  ip -n "$B" route del 10.1.0.0/16 dev sw0
  eventually eval '[ -n "$(ip -n "$A" route show 10.2.0.0/16 dev sw0)" ]'
  lives_with a 2100
  lives_with b 1970
  wait "$pings"
  grep '60 received' "$work/ping"
  for side in a b; do [ "$(status_of $side .handshakes)" = 1 ]; done
  [ "$(status_of a '.since >= 0 and .since < 600')" = true ]
  tcp_hashed b a fd77::1
  # a new handshake and a new lookup, after the clock was set
  in_ns b "$SALTWAY" down sw0
  eventually eval '[ "$(status_of a .state)" != up ]'
  resolves_to a 192.0.2.22
  ip -n "$B" addr del 192.0.2.2/24 dev v0
  ip -n "$B" addr add 192.0.2.22/24 dev v0
  up_with_clock b
  eventually eval '[ "$(status_of a .endpoint)" = 192.0.2.22:51900 ]'
  wait_up
  ping_from b 10.77.0.1
  lives_with b 1970
}

# sleeps SIDE SECONDS: as if the machine had been suspended for so long
sleeps() {
  python3 -c 'import struct, sys; f = open(sys.argv[1], "r+b"); f.seek(2056); f.write(struct.pack("=q", int(sys.argv[2])))' \
    "$work/$1/clock" "$2"
}

@test "an idle link whose machines have slept notices it soon, and agrees on new keys" {
  not_sanitized "nothing can be preloaded"
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  for side in a b; do
    echo 'PersistentKeepalive = off' >>"$work/$side/sw0.conf"
    clock_is $side 2030
    up_with_clock $side
  done
  wait_up
  sleep 3 # whatever is sent at the beginning has been
  local before; before=$(status_of a .handshakes)
  sleeps a 3600
  sleeps b 3600
  eventually eval '[ "$(status_of a .handshakes)" -gt "$before" ]'
  ping_from a 10.77.0.2
}
