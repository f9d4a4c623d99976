# The parts that netns tests share: namespaces, links in them, and the clean-up.
#
#   ns A ------ veth ------ ns B          topology_pair
#   192.0.2.1/24, 2001:db8::1/64          192.0.2.2/24, 2001:db8::2/64
#   inside: 10.77.0.1/30, fd77::1/64      10.77.0.2/30, fd77::2/64
#
# The pid of the test process is part of every name. Only processes that were started here are ended, by pid.

# shellcheck shell=bash

: "${SALTWAY:=$BATS_TEST_DIRNAME/../../build/saltway}"

setup() {
  umask 022 # other users read configurations
  PATH=$PATH:/usr/sbin:/sbin
  id=$(printf '%x' "$BASHPID")
  A=sw-a-$id B=sw-b-$id
  work=$BATS_TEST_TMPDIR
  export RUNTIME_DIRECTORY=$work/run STATE_DIRECTORY=$work/state
  mkdir -p "$work/a" "$work/b" "$work/run" "$work/run-b"
  pids=()
}

teardown() {
  local pid ns
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -KILL "$pid" 2>/dev/null || true
  done
  for ns in $(ip netns list | awk -v id="-$id" 'substr($1, length($1) - length(id) + 1) == id {print $1}'); do
    # what a subshell started, or a hook, outlives it
    for pid in $(ip netns pids "$ns"); do kill -KILL "$pid" 2>/dev/null || true; done
    ip netns del "$ns"
    rm -rf "/etc/netns/$ns"
  done
  [ -z "${mounted:-}" ] || umount "$mounted"
  if [ -n "${BATS_TEST_COMPLETED:-}" ]; then
    rm -f "$work"/sent "$work"/received "$work"/*.pcap
  else
    for log in "$work"/*/*.log; do [ -f "$log" ] && { echo "--- $log"; tail -20 "$log"; }; done
  fi
  # a crash, a failed assertion, a leak or undefined behaviour in any process fails the test
  ! grep -E 'Sanitizer|runtime error|Assertion' "$work"/*/*.log 2>/dev/null
}

# not_sanitized WHY: skips the test if saltway was built with sanitizers.
not_sanitized() {
  ! grep -qa __asan_init "$SALTWAY" || skip "built with sanitizers: $1"
}

topology_pair() {
  ip netns add "$A"
  ip netns add "$B"
  ip link add v0 netns "$A" type veth peer name v0 netns "$B"
  local n ns
  for n in 1 2; do
    [ $n = 1 ] && ns=$A || ns=$B
    ip -n "$ns" link set lo up
    ip -n "$ns" addr add 192.0.2.$n/24 dev v0
    ip -n "$ns" addr add 2001:db8::$n/64 dev v0 nodad
    ip -n "$ns" link set v0 up
    ip netns exec "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=2 # independent of the host's setting
  done
  (umask 077 && "$SALTWAY" genkey >"$work/link.key")
}

# config SIDE [ENDPOINT] [LINES]: writes the configuration of side a or b, interface sw0; LINES go into [Interface].
config() {
  local side=$1 endpoint=${2:-} extra=${3:-} n
  [ "$side" = a ] && n=1 || n=2
  {
    echo "[Interface]"
    echo "Address = 10.77.0.$n/30, fd77::$n/64"
    echo "ListenPort = 51900"
    [ -z "$extra" ] || echo "$extra"
    echo "[Peer]"
    echo "PresharedKeyFile = ${key:-$work/link.key}"
    [ -z "$endpoint" ] || echo "Endpoint = $endpoint"
    echo "AllowedIPs = 10.$((3 - n)).0.0/16, fd0$((3 - n))::/64"
  } >"$work/$side/sw0.conf"
}

# most_ranges: gives side a as many AllowedIPs as a link can have: 8192, 10.128.0.0/24 to 10.159.255.0/24.
most_ranges() {
  local i j
  for i in $(seq 0 31); do
    for j in $(seq 0 255); do echo -n "10.$((128 + i)).$j.0/24,"; done | sed 's/^/AllowedIPs = /; s/,$/\n/'
  done >"$work/ranges"
  sed -i "/^AllowedIPs/{r $work/ranges
    d}" "$work/a/sw0.conf"
}

# in_ns SIDE COMMAND...: runs the command in the side's namespace, with its runtime directory.
in_ns() {
  local side=$1 ns; shift
  [ "$side" = a ] && ns=$A || ns=$B
  ip netns exec "$ns" env RUNTIME_DIRECTORY="$work/run-$side" STATE_DIRECTORY="$work/state-$side" "$@"
}

# up SIDE: starts saltway in the background. Its pid is in $pid_a or $pid_b, its log in SIDE/up.log.
up() {
  local side=$1 ns
  [ "$side" = a ] && ns=$A || ns=$B
  mkdir -p "$work/run-$side"
  # the tests may run where SIGHUP is ignored
  ip netns exec "$ns" env --default-signal=HUP RUNTIME_DIRECTORY="$work/run-$side" STATE_DIRECTORY="$work/state-$side" \
    "$SALTWAY" up "$work/$side/sw0.conf" >>"$work/$side/up.log" 2>&1 3>&- &
  pids+=($!)
  eval "pid_$side=$!"
}

# as_unit UNIT COMMAND...: runs the command with the capabilities, the umask, the read-only paths, the view of /proc and,
# where systemd is installed, the filter of system calls that systemd gives to the unit. For a mount namespace only, as
# that of `ip netns exec`; in another shell it needs BATS_TEST_DIRNAME.
as_unit() {
  local unit=$BATS_TEST_DIRNAME/../../contrib/systemd/$1.service allowed writable subset path filter=()
  shift
  allowed=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit")
  allowed=${allowed,,}
  allowed=${allowed:+,+$(sed 's/^cap_//; s/ cap_/,+/g' <<<"$allowed")}
  writable=$(sed -n 's/^ReadWritePaths=-//p' "$unit")
  subset=$(sed -n 's/^ProcSubset=//p' "$unit")
  grep -qx ProtectKernelTunables=yes "$unit"
  umask "$(sed -n 's/^UMask=//p' "$unit")"
  mount -t proc -o "hidepid=$(sed -n 's/^ProtectProc=//p' "$unit")${subset:+,subset=$subset}" proc /proc
  for path in /proc/sys /sys; do
    [ -e "$path" ] || continue
    mount --bind "$path" "$path"
    mount -o remount,bind,ro "$path"
  done
  for path in $writable; do
    [ -e "$path" ] || continue
    mount --bind "$path" "$path"
    mount -o remount,bind,rw "$path"
  done
  ! command -v systemd-analyze >/dev/null || filter=("$BATS_TEST_DIRNAME/under_filter.py" "$unit")
  exec setpriv --no-new-privs --bounding-set "-all$allowed" "${filter[@]}" "$@"
}
export -f as_unit
export BATS_TEST_DIRNAME

# killed SIDE: kills the parent of the side's link.  The engine and the interface are gone, too, when it returns.
killed() {
  local ns pid; [ "$1" = a ] && ns=$A || ns=$B
  eval "pid=\$pid_$1"
  kill -KILL "$pid"
  eventually refute kill -0 "$pid"
  eventually refute ip -n "$ns" link show sw0
}

# file_of SIDE SUFFIX: prints the name of a file that the side's link has in its runtime directory.
file_of() {
  local ns; [ "$1" = a ] && ns=$A || ns=$B
  echo "$work/run-$1/sw0@$(stat -L -c %i "/run/netns/$ns").$2"
}

# pings_start [OPTIONS ADDRESS]: pings from a, ten a second, for as long as the test lasts. pings_stop counts lost ones.
pings_start() {
  ip netns exec "$A" ping -i 0.1 -O "${@:-10.77.0.2}" >"$work/pings" 2>&1 3>&- &
  pings=$!
  pids+=("$pings")
}

# pings_stop WHAT: prints the largest number of pings in a row that were not answered.
pings_stop() {
  local gap
  kill -INT "$pings"; wait "$pings" || true
  gap=$(awk -F 'icmp_seq=' '/bytes from/ {split($2, f, " "); if (f[1] - last - 1 > gap) gap = f[1] - last - 1; last = f[1]} END {print gap + 0}' "$work/pings")
  echo "# $1: at most $gap pings in a row lost, of 10 a second" >&3
  [ "$gap" -le 60 ]
}

# refute COMMAND...: the command must fail (`! command` does not fail a test).
refute() {
  if "$@"; then echo "should have failed: $*"; return 1; fi
}

# until_true SECONDS COMMAND...: repeats the command until it succeeds, and fails after this time.
until_true() {
  local end=$((SECONDS + 1 + $1)); shift # SECONDS is rounded down
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt "$end" ] || { echo "not within its time: $*"; return 1; }
    sleep 0.05
  done
}

# eventually COMMAND...: what has to come, on however slow a machine.
eventually() { until_true 60 "$@"; }

is_up() { in_ns "$1" "$SALTWAY" status sw0; }
wait_up() { eventually is_up a; eventually is_up b; }

# two_sides [LINES]: a link of topology_pair that is up; each side has the other's address, and a has these lines, too.
two_sides() {
  topology_pair
  config a 192.0.2.2:51900 "${1:-}"
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
}

condition_of() { in_ns "$1" "$SALTWAY" status --json sw0 | jq -r '.[0].condition'; }
status_of() { in_ns "$1" "$SALTWAY" status --json sw0 | jq -r ".[0] | $2"; }
# nothing_dropped: neither side has dropped anything, except packets before the link was up, and the superfluous
# handshake messages of two sides that started at the same time, and what keeps queues short on a busy machine.
nothing_dropped() {
  local side
  for side in a b; do
    status_of $side .drops
    # one from outside AllowedIPs: the kernel's report of its multicast groups, from ::
    [ "$(status_of $side '.drops | if .source <= 1 then del(.source) else . end | del(."no-session", ."unexpected-reply", ."repeated-init", .queue) | add')" = 0 ]
  done
}

ping_from() { local side=$1; shift; in_ns "$side" ping -q -c 3 -i 0.05 -W 5 "$@"; }

# name_server SIDE ADDRESS: starts a name server on this side, which answers with the addresses in $work/SIDE/addresses.
name_server() {
  local ns; [ "$1" = a ] && ns=$A || ns=$B
  ip netns exec "$ns" python3 "$BATS_TEST_DIRNAME/dns.py" "$2" "$work/$1/addresses" 3>&- &
  pids+=($!)
  eventually eval 'ip netns exec "'"$ns"'" ss -Hlun sport = :53 | grep -q ":53 "'
}

# uses SIDE ADDRESS: gives the side this name server.
uses() {
  local ns; [ "$1" = a ] && ns=$A || ns=$B
  mkdir -p "/etc/netns/$ns"
  printf 'nameserver %s\noptions timeout:1 attempts:2\n' "$2" >"/etc/netns/$ns/resolv.conf"
}

# resolves_to SIDE ADDRESS...: what the side's name server answers from now on.
resolves_to() { local side=$1; shift; printf '%s\n' "$@" >"$work/$side/addresses"; }

# capture_start, capture_stop: record the link's datagrams on the wire at side a in $work/wire.pcap.
capture_start() {
  ip netns exec "$A" tcpdump --immediate-mode -i v0 -U -w "$work/wire.pcap" udp port 51900 2>"$work/tcpdump" 3>&- &
  capture_pid=$!
  pids+=("$capture_pid")
  eventually grep -q 'listening on' "$work/tcpdump"
}

capture_stop() {
  sleep 0.3
  kill -INT "$capture_pid"
  wait "$capture_pid" || true
}

# tcp_hashed FROM TO ADDRESS: sends 8 MB through TCP, and compares what arrives with what was sent.
tcp_hashed() {
  local from=$1 to=$2 address=$3 ns
  [ "$to" = a ] && ns=$A || ns=$B
  { printf 'PLAINTEXT-MARK%.0s' $(seq 1000); head -c 8000000 /dev/urandom; } >"$work/sent"
  rm -f "$work/received"
  ip netns exec "$ns" socat -u TCP6-LISTEN:5001,reuseaddr,ipv6only=0 CREATE:"$work/received" 3>&- &
  local listener=$!
  pids+=("$listener")
  eventually eval 'ip netns exec "$ns" ss -Hltn sport = :5001 | grep -q 5001'
  case $address in *:*) address="TCP6:[$address]" ;; *) address="TCP4:$address" ;; esac
  in_ns "$from" timeout 60 socat -u FILE:"$work/sent" "$address:5001"
  wait "$listener"
  cmp "$work/sent" "$work/received"
}
