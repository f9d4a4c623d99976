#!/usr/bin/env bats
# The engine's process can do nothing but carry packets, and neither process outlives the other.  The topology is that of
# topology_pair.

load topology

BREAKOUT_LIBRARY=$(dirname "$SALTWAY")/tests/netns/breakout.so

engine_of() { status_of "$1" .engine_pid; }
field() { awk -v name="$2:" '$1 == name {print $2}' "/proc/$1/status"; }
# gone PID: the process has ended; its parent may not have waited for it yet.
gone() { case $(field "$1" State 2>/dev/null) in "" | Z | X) ;; *) false ;; esac; }
no_interface() { ! ip -n "$A" link show sw0 2>/dev/null; }
log_says() { grep -q "$2" "$work/$1/up.log"; }

# ended_by_fault PARENT: the parent ended with status 1, and left nothing behind.
ended_by_fault() {
  local status=0
  eventually gone "$1"
  wait "$1" || status=$?
  [ "$status" = 1 ]
  eventually no_interface
  [ ! -e "$(file_of a sock)" ]
}

@test "under traffic the engine has no capability, no file, an empty root, a filter, and an unprivileged user" {
  not_sanitized "not confined"
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  LD_PRELOAD=$BREAKOUT_LIBRARY NAME_SERVICE=1 IO_URING=1 up a
  up b
  wait_up
  ping_from a 10.77.0.2
  local engine; engine=$(engine_of a)
  [ "$engine" != "$pid_a" ]
  for set in CapInh CapPrm CapEff CapAmb; do [ "$(field "$engine" $set)" = 0000000000000000 ]; done
  [ "$(field "$engine" NoNewPrivs)" = 1 ]
  [ "$(field "$engine" Seccomp)" = 2 ]
  for task in /proc/"$engine"/task/*; do grep -q '^Seccomp:.2$' "$task/status"; done
  [ "$(awk '$1 == "Uid:" {print $2, $3, $4, $5}' "/proc/$engine/status" | tr ' ' '\n' | sort -u)" = "$(id -u saltway 2>/dev/null || echo 65534)" ]
  if id -u saltway; then refute log_says a "no user saltway"; else log_says a "no user saltway: the engine runs as nobody"; fi
  [ "$(awk '$1 == "Groups:" {print NF}' "/proc/$engine/status")" = 1 ]
  [ "$(readlink "/proc/$engine/root")" = "$(realpath "$work/run-a/empty")" ]
  [ -z "$(ls -A "$work/run-a/empty")" ]
  [ "$(stat -c %U "/proc/$engine/mem")" = root ] # not dumpable
  for pid in "$engine" "$pid_a"; do grep -q '^Max core file size *0 *0 ' "/proc/$pid/limits"; done
  for fd in 0 1; do [ "$(readlink "/proc/$engine/fd/$fd")" = /dev/null ]; done # no terminal
  # the pipe is libuv's, for signals
  run find "/proc/$engine/fd" -type l ! -name '[012]' -printf '%l\n'
  [ "$(grep -c -e '^/dev/net/tun$' -e '^socket:' -e '^anon_inode:.event' -e '^pipe:' <<<"$output")" = "$(wc -l <<<"$output")" ]
  [ "$(grep -c '^socket:' <<<"$output")" = 2 ] # UDP and the channel to the parent
  [ "$(status_of a .sandbox)" = on ]
  [ "$(grep -c 'breakout: io_uring in' "$work/a/up.log")" -ge 2 ]
  [ "$(grep 'breakout: io_uring in' "$work/a/up.log" | tail -1 | awk '{print $NF}')" = ENOSYS ] # the last line is the engine's
}

@test "with workers the filter holds for every thread, and all that they seal and open arrives" {
  not_sanitized "not confined"
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  LD_PRELOAD=$BREAKOUT_LIBRARY CORES=8 up a
  LD_PRELOAD=$BREAKOUT_LIBRARY CORES=8 up b
  wait_up
  local engine; engine=$(engine_of a)
  [ "$(ls "/proc/$engine/task" | wc -l)" = 4 ]
  [ "$(grep -l '^Seccomp:.2$' /proc/"$engine"/task/*/status | wc -l)" = 4 ]
  [ "$(grep -l '^CapEff:.0000000000000000$' /proc/"$engine"/task/*/status | wc -l)" = 4 ]
  for _ in 1 2 3; do
    tcp_hashed a b 10.77.0.2
    tcp_hashed b a fd77::1
  done
  nothing_dropped
  in_ns a "$SALTWAY" down sw0
  eventually gone "$pid_a"
  [ ! -e "/proc/$engine" ]
}

@test "an engine that makes a forbidden system call is killed at once, and the link ends" {
  not_sanitized "not confined"
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up b
  for what in open exec socket connect fork thread ptrace kill code option "option of another level"; do
    LD_PRELOAD=$BREAKOUT_LIBRARY BREAKOUT=$what up a
    ended_by_fault "$pid_a"
    log_says a "signal 31 (Bad system call): it made a system call that its sandbox forbids"
    refute log_says a "breakout: $what returned"
    rm "$work/a/up.log"
  done
}

# silent_name_server: gives side a a name server, on side b, that never answers.
silent_name_server() {
  mkdir -p "/etc/netns/$A"
  echo "nameserver 192.0.2.2" >"/etc/netns/$A/resolv.conf"
  ip netns exec "$B" socat -u UDP4-RECV:53 /dev/null 3>&- &
  pids+=($!)
}

resolver_of() { pgrep -P "$1" -x saltway-names; }
# start_of_image PID: prints the address of the program in the process's memory.
start_of_image() { awk -v exe="$(readlink "/proc/$1/exe")" '$6 == exe {print $1; exit}' "/proc/$1/maps"; }
user_of_resolver() { id -u saltway-resolver 2>/dev/null || id -u saltway 2>/dev/null || echo 65534; }

@test "the resolver is another image, without privileges, terminal or inherited descriptors" {
  not_sanitized "not confined"
  topology_pair
  silent_name_server
  config a b.example.net:51900
  up a
  eventually resolver_of "$pid_a"
  local resolver; resolver=$(resolver_of "$pid_a")
  eventually eval '[ "$(field "$resolver" Seccomp)" = 2 ]'
  [ "$(field "$resolver" NoNewPrivs)" = 1 ]
  for set in CapInh CapPrm CapEff CapAmb; do [ "$(field "$resolver" $set)" = 0000000000000000 ]; done
  [ "$(awk '$1 == "Uid:" {print $2, $3, $4, $5}' "/proc/$resolver/status" | tr ' ' '\n' | sort -u)" = "$(user_of_resolver)" ]
  [ "$(awk '$1 == "Groups:" {print NF}' "/proc/$resolver/status")" = 1 ]
  [ "$(stat -c %U "/proc/$resolver/mem")" = root ] # not dumpable
  [ "$(readlink "/proc/$resolver/exe")" = "$(readlink "/proc/$pid_a/exe")" ]
  [ -n "$(start_of_image "$resolver")" ]
  [ "$(start_of_image "$resolver")" != "$(start_of_image "$pid_a")" ]
  [ "$(start_of_image "$(engine_of a)")" = "$(start_of_image "$pid_a")" ] # a fork has the same layout
  [ "$(ps -o sid= -p "$resolver" | tr -d ' ')" = "$resolver" ]
  [ "$(ps -o tty= -p "$resolver" | tr -d ' ')" = '?' ]
  for fd in 0 1 2; do [ "$(readlink "/proc/$resolver/fd/$fd")" = /dev/null ]; done
  for fd in /proc/"$resolver"/fd/*; do # the channel, and the socket to the name server
    case ${fd##*/} in 0 | 1 | 2) ;; *) [[ "$(readlink "$fd")" == socket:* ]] ;; esac
  done
  [ "$(find "/proc/$resolver/fd" -type l | wc -l)" -le 5 ]
  grep -q '^Max cpu time *[1-9][0-9] ' "/proc/$resolver/limits"
  grep -q '^Max file size *0 *0 ' "/proc/$resolver/limits"
  grep -q '^Max core file size *0 *0 ' "/proc/$resolver/limits"
  kill -KILL "$pid_a"
  eventually gone "$resolver"
}

@test "a resolver that executes, traces or signals is killed, and status says so; one that forks is refused" {
  not_sanitized "not confined"
  topology_pair
  config a b.example.net:51900
  mkdir -p "/etc/netns/$A"
  echo "192.0.2.2 b.example.net" >"/etc/netns/$A/hosts"
  for what in exec ptrace kill; do
    LD_PRELOAD=$BREAKOUT_LIBRARY BREAKOUT_RESOLVER=$what up a
    eventually eval '[[ $(condition_of a) == *"cannot resolve names: the resolver was ended by signal 31 (Bad system call)"* ]]'
    in_ns a "$SALTWAY" down sw0
    eventually gone "$pid_a"
  done
  LD_PRELOAD=$BREAKOUT_LIBRARY BREAKOUT_RESOLVER=fork up a # the fork is refused, and the lookup goes on
  config b 192.0.2.1:51900
  up b
  wait_up
}

@test "a file that the resolver cannot read is named" {
  not_sanitized "not confined"
  topology_pair
  config a b.example.net:51900
  mkdir -p "/etc/netns/$A"
  echo "192.0.2.2 b.example.net" >"/etc/netns/$A/hosts"
  chmod 600 "/etc/netns/$A/hosts"
  up a
  eventually eval '[[ $(condition_of a) == *"cannot resolve b.example.net: "*"(cannot read /etc/hosts as user $(user_of_resolver): Permission denied; chmod o+r /etc/hosts)"* ]]'
}

@test "an engine cannot choose the fingerprint that people compare" {
  not_sanitized "not confined"
  two_sides
  local fingerprint; fingerprint=$(status_of a .fingerprint)
  [[ "$fingerprint" =~ ^[0-9a-f]{8}$ ]]
  in_ns a "$SALTWAY" down sw0
  LD_PRELOAD=$BREAKOUT_LIBRARY FORGE=$fingerprint up a
  eventually is_up a
  [ "$(status_of a .fingerprint)" = "$fingerprint" ]
}

@test "with Sandbox = off the attempt succeeds, and status says that the engine is not confined" {
  not_sanitized "not confined"
  topology_pair
  config a 192.0.2.2:51900 "Sandbox = off"
  config b 192.0.2.1:51900
  LD_PRELOAD=$BREAKOUT_LIBRARY BREAKOUT=socket up a
  up b
  wait_up
  log_says a "breakout: socket returned"
  log_says a "no sandbox: it is off"
  [ "$(status_of a .sandbox)" = off ]
  [ "$(field "$(engine_of a)" Seccomp_filters)" = "$(field $$ Seccomp_filters)" ] # a container may have set some
}

@test "if a step of the sandbox fails the link does not start, and the message says what is missing" {
  not_sanitized "not confined"
  topology_pair
  config a
  for lacks in sys_chroot:CAP_SYS_CHROOT setuid:CAP_SETUID kill:CAP_KILL; do
    run in_ns a setpriv --bounding-set "-${lacks%:*}" "$SALTWAY" up "$work/a/sw0.conf"
    [ "$status" = 1 ]
    [[ "$output" == *"sandbox: cannot "*"Operation not permitted (give it ${lacks#*:}"*"Sandbox = off"* ]]
    no_interface
  done
  mkdir -p "$work/run-a/empty"
  chmod 777 "$work/run-a/empty"
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [ "$status" = 1 ]
  [[ "$output" == *"sandbox: "*"/empty can be written to by others than root"* ]]
}

@test "the systemd unit allows what the link and its hooks need, and killing an engine that does not stop" {
  not_sanitized "not confined"
  topology_pair
  mkdir -p "/etc/netns/$A"
  echo "192.0.2.2 b.test" >"/etc/netns/$A/hosts"
  cat >"$work/io_uring.py" <<'PYTHON'
import ctypes, errno, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(libc.syscall(425, 1, None) != -1 or ctypes.get_errno() != errno.EPERM) # io_uring_setup; EFAULT if allowed
PYTHON
  config a b.test:51900 "PostUp = sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.%i.rp_filter=2
PostUp = ip rule add fwmark 77 table 77 && ip route add 10.99.0.0/16 dev %i table 77
PostUp = nft add table inet %i
PostUp = python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)' # as iptables-legacy
PostUp = ! test -w /proc/sys/kernel/core_pattern && ! test -w /sys/class/net/%i/tx_queue_len && ! test -e /proc/$$
$(! command -v systemd-analyze >/dev/null || echo "PostUp = python3 '$work/io_uring.py'")
PostUp = touch '$work/hooks_succeeded'
PreDown = nft delete table inet %i"
  config b 192.0.2.1:51900
  local engine
  [ "$(ip netns exec "$A" sysctl -n net.ipv4.ip_forward)" = 0 ]
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" \
    bash -ec 'as_unit "$@"' - saltway@ "$SALTWAY" up "$work/a/sw0.conf" >>"$work/a/up.log" 2>&1 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  up b
  wait_up
  eventually test -e "$work/hooks_succeeded"
  ping_from a 10.77.0.2
  [ "$(ip netns exec "$A" sysctl -n net.ipv4.ip_forward)" = 1 ]
  ip netns exec "$A" nft list table inet sw0
  in_ns a "$SALTWAY" reload sw0
  engine=$(engine_of a)
  kill -STOP "$engine"
  kill -TERM "$pid_a"
  eventually gone "$pid_a"
  gone "$engine"
  no_interface
  refute ip netns exec "$A" nft list table inet sw0
}

@test "if the engine is killed the link ends, says why, and leaves nothing behind" {
  two_sides
  kill -KILL "$(engine_of a)"
  ended_by_fault "$pid_a"
  log_says a "the engine was ended by signal 9 (Killed)"
}

@test "how the engine ended is known also where SIGCHLD was ignored" {
  topology_pair
  config a 192.0.2.2:51900
  mkdir -p "$work/run-a"
  in_ns a env --ignore-signal=CHLD "$SALTWAY" up "$work/a/sw0.conf" >>"$work/a/up.log" 2>&1 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  eventually eval '[ -n "$(engine_of a)" ]'
  eventually grep -q 'UDP port 51900' "$work/a/up.log"
  kill -KILL "$(engine_of a)"
  ended_by_fault "$pid_a"
  log_says a "the engine was ended by signal 9 (Killed)"
}

@test "if the parent is killed the engine ends, and the interface is removed" {
  two_sides
  local engine; engine=$(engine_of a)
  kill -KILL "$pid_a"
  eventually gone "$engine"
  eventually no_interface
}

@test "if the parent is killed even a stopped engine ends" {
  not_sanitized "not confined"
  two_sides
  local engine; engine=$(engine_of a)
  kill -STOP "$engine"
  kill -KILL "$pid_a"
  eventually gone "$engine"
  eventually no_interface
}

@test "if either process is stopped for a while the other waits, and the link goes on afterwards" {
  two_sides
  local engine; engine=$(engine_of a)
  kill -STOP "$engine"
  run in_ns a "$SALTWAY" status sw0 # it does not hang
  [ "$status" = 3 ]
  sleep 20 # longer than the peer takes to find a silent link
  kill -CONT "$engine"
  eventually is_up a
  ping_from a 10.77.0.2
  kill -STOP "$pid_a"
  sleep 20
  ping_from a 10.77.0.2
  kill -CONT "$pid_a"
  is_up a
  kill -STOP "$engine" # it cannot react when it is told to stop
  kill -TERM "$pid_a"
  eventually gone "$pid_a"
  log_says a "the engine does not stop; killing it"
  no_interface
}

# The allocator of the sanitizers cannot be interposed.
@test "if memory or a system call fails at start, a line says why, and nothing is left behind" {
  not_sanitized "not confined"
  topology_pair
  config a localhost:51900 "PostUp = true"
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 0.0.0.0/0, ::/0|' "$work/a/sw0.conf"
  export RUNTIME_DIRECTORY=$work/run-a
  mkdir -p "$RUNTIME_DIRECTORY"
  ip netns exec "$A" ip rule >"$work/rules"
  run python3 "$BATS_TEST_DIRNAME/faults_at_start.py" "$A" "$SALTWAY" "$work/a/sw0.conf" "$(dirname "$SALTWAY")/tests/netns/fault.so"
  echo "$output"
  [ "$status" = 0 ]
  ip netns exec "$A" ip rule | diff "$work/rules" -
}

@test "if descriptors run out at start, a line says so, and nothing is left behind" {
  topology_pair
  config a
  for limit in 6 8 12 16 20 24 28 32 34; do
    run in_ns a bash -c "ulimit -n $limit; exec '$SALTWAY' up '$work/a/sw0.conf'"
    echo "$limit: $output"
    [ "$status" = 1 ]
    [[ "$output" == *"Too many open files"* ]]
    no_interface
  done
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" bash -c "ulimit -n 48; exec '$SALTWAY' up '$work/a/sw0.conf'" >>"$work/a/up.log" 2>&1 3>&- &
  pids+=($!)
  eventually eval '[ "$(status_of a .state)" = waiting ]'
}

@test "with a full disk the link comes up and ends as told, and only its log is lost" {
  topology_pair
  mkdir -p "$work/run-a" "$work/run-b" "$work/log"
  mount -t tmpfs -o size=64k none "$work/log"
  mounted=$work/log
  head -c 100k /dev/zero >"$work/log/full" 2>/dev/null || true
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" "$SALTWAY" up "$work/a/sw0.conf" >>"$work/log/a" 2>&1 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  up b
  wait_up
  [ ! -s "$work/log/a" ]
  in_ns a "$SALTWAY" down sw0
  eventually gone "$pid_a"
  no_interface
}

no_key_of_sessions() {
  run python3 "$BATS_TEST_DIRNAME/memory.py" "$1" "$work/secrets" s
  [[ "$output" == "0 of "[1-9]* ]]
}

@test "no key outlives its session, and no secret of a handshake outlives the handshake" {
  not_sanitized "not confined"
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" LD_PRELOAD="$BREAKOUT_LIBRARY" TELL_KEYS=1 \
    "$SALTWAY" up "$work/a/sw0.conf" >"$work/secrets" 2>>"$work/a/up.log" 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  up b
  wait_up
  ping_from a 10.77.0.2
  local engine; engine=$(engine_of a)
  run python3 "$BATS_TEST_DIRNAME/memory.py" "$engine" "$work/link.key" p
  [ "$output" = "1 of 1" ] # the engine needs it for the keys of new sessions
  run python3 "$BATS_TEST_DIRNAME/memory.py" "$pid_a" "$work/link.key" p
  [ "$output" = "0 of 1" ]
  run python3 "$BATS_TEST_DIRNAME/memory.py" "$engine" "$work/secrets" s
  [[ "$output" == [1-9]*" of "* ]]
  run python3 "$BATS_TEST_DIRNAME/memory.py" "$engine" "$work/secrets" h
  [[ "$output" == "0 of "[1-9]* ]]
  in_ns b "$SALTWAY" down sw0
  eventually log_says a "closed the link in order"
  # Both sides began at once, so one of them may have a pending answer, which it keeps for 5 seconds.
  eventually no_key_of_sessions "$engine"
}
