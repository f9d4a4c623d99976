#!/usr/bin/env bats
# What the link needs from its host: devices, permissions, files.  Each failure is one line with cause and fix.  The
# topology is that of topology_pair.

load topology

# fails_with TEXT COMMAND...: the command exits with 1 (or $expected) and has TEXT in its output.
fails_with() {
  local text=$1; shift
  run "$@"
  echo "$output"
  [ "$status" = "${expected:-1}" ]
  [[ $output == *"$text"* ]]
}

# with_node MODE COMMAND...: runs the command in side a's namespace, with its own /dev/net/tun of this mode; "none": without.
with_node() {
  local mode=$1; shift
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" unshare -m sh -euc '
    mode=$1; shift
    mount -t tmpfs none /dev/net
    [ "$mode" = none ] || { mknod /dev/net/tun c 10 200; chmod "$mode" /dev/net/tun; }
    exec "$@"' sh "$mode" "$@"
}

user_files() {
  mkdir -p "$work/run-a"
  chmod 0755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$work" "$work/a"
  install -m 0600 -o 65534 "$work/link.key" "$work/user.key"
  chown 65534:65534 "$work/run-a"
}

@test "a device made by ip tuntap for a user is used as it is, without any privilege" {
  topology_pair
  user_files
  key=$work/user.key config a 192.0.2.2:51900
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 0.0.0.0/0, ::/0|' "$work/a/sw0.conf"
  config b 192.0.2.1:51900
  ip -n "$A" tuntap add mode tun dev sw0 user 65534
  ip -n "$A" addr add 10.77.0.1/30 dev sw0
  ip -n "$A" link set sw0 mtu 1300 up
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" unshare -m sh -euc '
    mount -t tmpfs none /dev/net
    mknod /dev/net/tun c 10 200
    chmod 0666 /dev/net/tun
    exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"' sh \
    "$SALTWAY" up "$work/a/sw0.conf" >"$work/a/up.log" 2>&1 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  up b
  wait_up
  ping_from a 10.77.0.2
  ping_from b 10.77.0.1
  ip -n "$A" link show sw0 | grep -q 'mtu 1300'
  [ "$(status_of a .mtu)" = 1300 ]
  [ "$(stat -c %U "/proc/$pid_a/mem")" = root ] # not dumpable
  ip -n "$A" link set sw0 down
  eventually eval '[ "$(status_of a .reason)" = interface-down ]'
  ip -n "$A" link set sw0 up
  eventually is_up a
  ping_from a 10.77.0.2
  in_ns a "$SALTWAY" down sw0
  ip -n "$A" link show sw0 # it stays, because saltway did not make it
}

@test "up as root makes and configures its own device, and removes it at the end" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  ip -n "$A" addr show sw0 | grep -q 'inet 10.77.0.1/30'
  ip -n "$A" addr show sw0 | grep -q 'inet6 fd77::1/64'
  ip -n "$A" link show sw0 | grep -q 'UP'
  in_ns a "$SALTWAY" down sw0
  refute ip -n "$A" link show sw0
}

@test "a missing /dev/net/tun is reported" {
  topology_pair
  config a 192.0.2.2:51900
  fails_with "tun: cannot open /dev/net/tun: No such file or directory" with_node none "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"modprobe tun"* ]]
}

@test "a device node without a driver is reported" {
  topology_pair
  config a 192.0.2.2:51900
  fails_with "tun: cannot open /dev/net/tun: No such device" \
    ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" unshare -m sh -euc '
      mount -t tmpfs none /dev/net
      mknod /dev/net/tun c 10 254
      exec "$@"' sh "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"modprobe tun"* ]]
}

@test "missing permission for /dev/net/tun is reported" {
  topology_pair
  user_files
  key=$work/user.key config a 192.0.2.2:51900
  fails_with "tun: cannot open /dev/net/tun: Permission denied" \
    with_node 0600 setpriv --reuid 65534 --regid 65534 --clear-groups "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"chmod 0666 /dev/net/tun"* ]]
}

@test "a missing capability to make a device is reported" {
  topology_pair
  user_files
  key=$work/user.key config a 192.0.2.2:51900
  fails_with "Operation not permitted" \
    with_node 0666 setpriv --reuid 65534 --regid 65534 --clear-groups "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"CAP_NET_ADMIN"* ]]
  [[ $output == *"ip tuntap add mode tun dev sw0 user"* ]]
}

@test "a device that belongs to another user is reported" {
  topology_pair
  user_files
  key=$work/user.key config a 192.0.2.2:51900
  ip -n "$A" tuntap add mode tun dev sw0 user 12345
  fails_with "Operation not permitted" \
    with_node 0666 setpriv --reuid 65534 --regid 65534 --clear-groups "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"another user"* ]]
}

@test "a TUN device that another program uses is reported" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  mkdir "$work/elsewhere"
  fails_with "Device or resource busy" \
    ip netns exec "$A" env RUNTIME_DIRECTORY="$work/elsewhere" "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"sw0"*"another program"* ]]
}

@test "an interface that is not a TUN device is refused" {
  topology_pair
  config a 192.0.2.2:51900
  ip -n "$A" link add sw0 type veth peer name other
  fails_with "not a TUN device" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  ip -n "$A" link del sw0
  ip -n "$A" tuntap add mode tap dev sw0
  fails_with "not a TUN device" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
}

@test "an interface name that is too long is refused" {
  topology_pair
  config a 192.0.2.2:51900
  mv "$work/a/sw0.conf" "$work/a/a-name-too-long1.conf"
  expected=78 fails_with "15" in_ns a "$SALTWAY" up "$work/a/a-name-too-long1.conf"
}

@test "a key file that others can read, or with a key of the wrong length, is refused" {
  topology_pair
  config a 192.0.2.2:51900
  local expected=78
  chmod 0644 "$work/link.key"
  fails_with "can be read by others" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"chmod 600"* ]]
  chmod 0600 "$work/link.key"
  echo "c2hvcnQ=" >"$work/link.key"
  fails_with "44" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  rm "$work/link.key"
  fails_with "saltway genkey" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
}

@test "a port in use is reported" {
  topology_pair
  config a 192.0.2.2:51900
  ip netns exec "$A" socat -u UDP6-RECV:51900 OPEN:/dev/null 3>&- &
  pids+=($!)
  eventually eval 'ip netns exec "$A" ss -Hlun sport = :51900 | grep -q 51900'
  fails_with "udp: cannot bind to port 51900: Address already in use" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"ss -lunp"* ]]
  refute ip -n "$A" link show sw0
}

@test "a port below 1024 needs CAP_NET_BIND_SERVICE" {
  topology_pair
  config a 192.0.2.2:51900
  sed -i 's/^ListenPort.*/ListenPort = 500/' "$work/a/sw0.conf"
  fails_with "udp: cannot bind to port 500: Permission denied" \
    in_ns a setpriv --bounding-set -net_bind_service "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"CAP_NET_BIND_SERVICE"* ]]
  refute ip -n "$A" link show sw0
}

@test "a route that exists is not replaced" {
  topology_pair
  config a 192.0.2.2:51900
  ip -n "$A" route add 10.2.0.0/16 via 192.0.2.9
  fails_with "10.2.0.0/16" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"Table = off"* ]]
  refute ip -n "$A" link show sw0
}

@test "IPv6 switched off on the host is reported, and a link with IPv4 only comes up" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  ip netns exec "$A" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
  fails_with "IPv6" in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  sed -i 's/, fd77::1.*//; s/, fd02.*//' "$work/a/sw0.conf"
  up a
  up b
  wait_up
  ping_from a 10.77.0.2
}

@test "up refuses what check refuses, and both report all mistakes at once" {
  topology_pair
  config a 192.0.2.2:51900
  sed -i 's/^ListenPort.*/ListenPrt = 51900/; s/^AllowedIPs.*/AllowedIPs = 10.2.0.1\/16/' "$work/a/sw0.conf"
  run in_ns a "$SALTWAY" check "$work/a/sw0.conf"
  [ "$status" = 1 ]
  checked=$output
  [[ $checked == *"sw0.conf:3: "*'"ListenPort"'* ]]
  [[ $checked == *"sw0.conf:7: "*"10.2.0.0/16"* ]]
  run in_ns a "$SALTWAY" up "$work/a/sw0.conf"
  [ "$status" = 78 ] # EX_CONFIG of sysexits.h: the systemd unit does not restart it
  [ "$output" = "$checked" ]
}

@test "genkey makes a different key each time, and warns if others can read it" {
  one=$("$SALTWAY" genkey)
  two=$("$SALTWAY" genkey)
  [ ${#one} = 44 ]
  [ "$one" != "$two" ]
  (umask 022 && "$SALTWAY" genkey >"$work/open.key" 2>"$work/warning")
  grep -q 'umask 077' "$work/warning"
  (umask 077 && "$SALTWAY" genkey >"$work/shut.key" 2>"$work/warning")
  [ ! -s "$work/warning" ]
  run sh -c '"$0" genkey >/dev/full' "$SALTWAY"
  [ "$status" = 1 ]
  [[ $output == *"No space left on device"* ]]
}

@test "what could not be printed is a failure" {
  topology_pair
  config a 192.0.2.2:51900
  local words
  for words in --help --version "check $work/a/sw0.conf" "pair -o $work/lost lost a.example.net b.example.net" "bench --json"; do
    run sh -c "'$SALTWAY' $words >/dev/full"
    echo "$words: $output"
    [ "$status" = 1 ]
    [[ $output == *"cannot write to standard output: No space left on device"* ]]
  done
}

@test "wrong arguments: exit status 2 and a usage line" {
  for words in "" "nonsense" "up" "up --nonsense" "down" "check" "genkey x" "status --nonsense"; do
    # shellcheck disable=SC2086 # a list of words
    run "$SALTWAY" $words
    echo "$words: $output"
    [ "$status" = 2 ]
  done
  local subcommand usage
  for subcommand in genkey pair import check up reload down status doctor test bench; do
    usage=$("$SALTWAY" "$subcommand" --help)
    echo "$usage"
    [ "$usage" = "$("$SALTWAY" help "$subcommand")" ]
    [[ $usage == "usage: saltway $subcommand"*"; see saltway(8)" ]]
    run "$SALTWAY" "$subcommand" --nonsense
    [ "$status" = 2 ]
    [[ $output == *"$(sed '$d' <<<"$usage")"* ]]
  done
  run "$SALTWAY" --help
  [ "$status" = 0 ]
  run "$SALTWAY" --version
  [ "$status" = 0 ]
}

@test "a link starts without standard input, output and error" {
  topology_pair
  config a 192.0.2.2:51900
  mkdir -p "$work/run-a"
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" bash -c "exec '$SALTWAY' up '$work/a/sw0.conf' 0<&- 1<&- 2<&-" 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  local fd
  for fd in 0 1 2; do
    [ "$(readlink "/proc/$pid_a/fd/$fd")" = /dev/null ]
    [ "$(readlink "/proc/$(status_of a .engine_pid)/fd/$fd")" = /dev/null ]
  done
  in_ns a "$SALTWAY" down sw0
  wait "$pid_a"
}

# ready_and_stopping LISTEN NOTIFY_SOCKET: starts side a, whose PostUp waits for $work/go, and checks what systemd is told.
ready_and_stopping() {
  local listener address=$2
  rm -f "$work/notified" "$work/a/up.log"
  in_ns a socat -u "$1" "CREATE:$work/notified" 3>&- &
  listener=$!
  pids+=("$listener")
  eventually eval 'in_ns a grep -q "$address" /proc/net/unix'
  NOTIFY_SOCKET=$address up a
  eventually grep -q 'running: cat' "$work/a/up.log"
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  refute grep -q READY "$work/notified"
  echo >"$work/go"
  eventually grep -qx READY=1 "$work/notified"
  eventually grep -qx 'STATUS=the host of 192.0.2.2:51900 says that nothing listens there (.*)' "$work/notified"
  kill -TERM "$pid_a"
  wait "$pid_a"
  eventually grep -qx STOPPING=1 "$work/notified"
  [ "$(grep -c STATUS= "$work/notified")" -le 3 ] # only what is new
  kill "$listener"
}

@test "systemd is told when PostUp has ended and the link is ready, what its status is, and when it stops" {
  topology_pair
  mkfifo "$work/go"
  config a 192.0.2.2:51900 "PostUp = cat $work/go"
  ready_and_stopping "UNIX-RECV:$work/notify" "$work/notify"
  ready_and_stopping "ABSTRACT-RECV:saltway-$id" "@saltway-$id"
}

@test "systemd's watchdog is fed twice in its time, while parent and engine are alive" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = true"
  in_ns a socat -u "UNIX-RECV:$work/notify" "CREATE:$work/notified" 3>&- &
  pids+=($!)
  eventually test -S "$work/notify"
  fed() { grep -cx WATCHDOG=1 "$work/notified"; }
  NOTIFY_SOCKET=$work/notify WATCHDOG_USEC=100000 up a
  eventually eval '[ "$(fed)" -ge 120 ]' # unasked, a link that is not up looks at its engine once a second
  grep -qE '^EXTEND_TIMEOUT_USEC=[0-9]+$' "$work/notified" # a hook may take longer than a start by default
  local engine before; engine=$(status_of a .engine_pid)
  kill -STOP "$engine"
  sleep 0.5
  before=$(fed)
  sleep 2
  [ "$(fed)" = "$before" ]
  kill -CONT "$engine"
  eventually eval '[ "$(fed)" -gt '"$before"' ]'
  kill -TERM "$pid_a"
  wait "$pid_a"
}

@test "without RUNTIME_DIRECTORY a user's control socket is in XDG_RUNTIME_DIR; without both there is a hint" {
  topology_pair
  user_files
  key=$work/user.key config a 192.0.2.2:51900
  ip -n "$A" tuntap add mode tun dev sw0 user 65534
  ip -n "$A" link set sw0 mtu 1300 up
  install -d -m 0700 -o 65534 -g 65534 "$work/xdg"
  as_user() { # ENVIRONMENT COMMAND...
    local environment=$1; shift
    ip netns exec "$A" env -u RUNTIME_DIRECTORY "$environment" unshare -m sh -euc '
      mount -t tmpfs none /dev/net
      mknod /dev/net/tun c 10 200
      chmod 0666 /dev/net/tun
      exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs "$@"' sh "$@"
  }
  as_user XDG_RUNTIME_DIR="$work/xdg" "$SALTWAY" up "$work/a/sw0.conf" >"$work/a/up.log" 2>&1 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  eventually eval 'as_user XDG_RUNTIME_DIR="$work/xdg" "$SALTWAY" status --json sw0 | jq -e ".[0].name == \"sw0\""'
  ls "$work"/xdg/saltway/sw0@*.sock
  [ "$(stat -c %a "$work"/xdg/saltway/sw0@*.sock)" = 600 ]
  as_user XDG_RUNTIME_DIR="$work/xdg" "$SALTWAY" down sw0
  run as_user XDG_RUNTIME_DIR="$work/xdg" "$SALTWAY" status sw0
  [[ $output == *"(if root runs it, ask as root)"* ]]
  run as_user XDG_RUNTIME_DIR="$work/xdg" "$SALTWAY" status
  [[ $output == *"; links of root: sudo saltway status)"* ]]
  run as_user XDG_RUNTIME_DIR= "$SALTWAY" status sw0
  [ "$status" != 0 ]
  [[ $output == *"set RUNTIME_DIRECTORY to a directory of yours"* ]]
}

@test "status and down accept a file, as up does" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[ "$(in_ns a "$SALTWAY" status --json "$work/a/sw0.conf" | jq -r ".[0].name")" = sw0 ]'
  cd "$work/a"
  in_ns a "$SALTWAY" down sw0.conf
  refute ip -n "$A" link show sw0
  run in_ns a "$SALTWAY" down /no/where/sw0.conf
  [ "$status" = 1 ]
  [[ $output == *"sw0 is not up"* ]]
  run in_ns a "$SALTWAY" down "$work/a/"
  [ "$status" = 1 ]
  [[ $output == *"cannot be the name of a link"* ]]
}

@test "links of the same name in two network namespaces share a runtime directory, and each answers in its own namespace" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  rm -rf "$work/run-b"
  mkdir "$work/run-a"
  ln -s run-a "$work/run-b"
  up a
  up b
  wait_up
  [ "$(status_of a '.addresses[0]')" = 10.77.0.1/30 ]
  [ "$(status_of b '.addresses[0]')" = 10.77.0.2/30 ]
  run in_ns b "$SALTWAY" status
  [ "$(grep -c '^sw0: ' <<<"$output")" = 1 ]
  in_ns b "$SALTWAY" down sw0
  refute ip -n "$B" link show sw0
  kill -0 "$pid_a"
  [ "$(status_of a .name)" = sw0 ]
}

@test "without a runtime directory the link works, and the log says what does not work" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = true
PreDown = true"
  config b 192.0.2.1:51900
  up b
  mkdir "$work/closed"
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/closed/run" unshare -m sh -euc '
    mount -t tmpfs -o ro none "$1"; shift; exec "$@"' sh "$work/closed" \
    "$SALTWAY" up "$work/a/sw0.conf" >"$work/a/up.log" 2>&1 3>&- &
  pid_a=$!
  pids+=("$pid_a")
  eventually is_up b
  ping_from b 10.77.0.1
  grep -q 'Read-only file system.*going on without status and down' "$work/a/up.log"
  grep -q 'the next start will not undo what hooks did' "$work/a/up.log"
  local engine; engine=$(pgrep -P "$pid_a")
  refute ls -d /tmp/saltway-?????? # the empty root directory of the engine was removed at once
  grep -qa __asan_init "$SALTWAY" || [ "$(stat -c %i "/proc/$engine/root/")" != "$(stat -c %i /)" ]
  kill -TERM "$pid_a"
  wait "$pid_a"
}

@test "a user namespace that forbids setgroups is named as the cause, not a capability" {
  not_sanitized "not confined"
  topology_pair
  config a
  mkdir -p "$work/run-a"
  fails_with "sandbox: cannot give up supplementary groups: Operation not permitted" \
    env RUNTIME_DIRECTORY="$work/run-a" unshare -Urn "$SALTWAY" up "$work/a/sw0.conf"
  [[ $output == *"user namespace"*"Sandbox = off"* ]]
}

@test "a user who may not ask for the status is told so, not that the link is down" {
  topology_pair
  config a 192.0.2.2:51900
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  chmod 0755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$work" "$work/run-a"
  fails_with "only the user that runs the link, and root, may ask it" in_ns a setpriv --reuid 65534 --clear-groups "$SALTWAY" status sw0
  run in_ns b "$SALTWAY" status sw0
  [ "$status" = 3 ]
  run in_ns b "$SALTWAY" status
  [ "$status" = 3 ]
  [[ $output == *"no link is up (no control socket in $work/run-b)"* ]]
}

@test "lines for the journal begin with their level, all others with the link's name" {
  topology_pair
  config a 192.0.2.2:51900
  touch "$work/a/up.log"
  JOURNAL_STREAM=$(stat -c %d:%i "$work/a/up.log") up a
  eventually grep -q '^<6>interface sw0' "$work/a/up.log"
  in_ns a "$SALTWAY" down sw0
  JOURNAL_STREAM=1:2 up a
  eventually grep -q '^sw0: interface sw0' "$work/a/up.log"
}

@test "hooks inherit no descriptor of the link" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = ls -l /proc/self/fd > $work/fds"
  up a
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  eventually test -s "$work/fds"
  cat "$work/fds"
  refute grep -E 'net/tun|socket:|\.key|eventpoll' "$work/fds"
}
