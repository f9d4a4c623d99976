#!/usr/bin/env bats
# Reload: what a running link takes over from its file, what it refuses, and what happens to its traffic.  The topology is
# that of topology_pair.

load topology

reload() { in_ns "$1" "$SALTWAY" reload sw0; }

# refused SIDE TEXT: the reload fails, and says TEXT on the terminal and in the log.
refused() {
  local text=$2
  run reload "$1"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"$text"* ]]
  eventually grep -qF -- "$text" "$work/$1/up.log"
}

# says SIDE TEXT: the reload succeeds and says TEXT.
says() {
  run reload "$1"
  echo "$output"
  [ "$status" = 0 ]
  [ "$output" = "reloaded $work/$1/sw0.conf: $2" ]
}

# pings_start, pings_stop: side a pings side b 20 times a second meanwhile, and no ping is lost.
pings_start() {
  ip netns exec "$A" ping -i 0.05 -W 5 10.77.0.2 >"$work/pings" 3>&- &
  pings=$!
  pids+=("$pings")
}

pings_stop() {
  eventually grep -q icmp_seq=10 "$work/pings"
  sleep 0.5
  kill -INT "$pings"
  wait "$pings" || true
  tail -3 "$work/pings"
  # of those up to the last that was answered; the ones after it may be under way
  grep -o 'icmp_seq=[0-9]*' "$work/pings" | cut -d= -f2 >"$work/answered"
  [ "$(sort -nu "$work/answered" | tail -1)" = "$(sort -nu "$work/answered" | wc -l)" ]
}

fingerprint_is() { [ "$(status_of "$1" .fingerprint)" = "$2" ]; }
has_route() { ip -n "$A" route show table "${2:-main}" | grep -q "^$1 dev sw0"; }

@test "the key is replaced by reloads under traffic, and no packet is lost" {
  topology_pair
  local side
  for side in a b; do
    cp "$work/link.key" "$work/$side/link.key"
    key=$work/$side/link.key config $side "192.0.2.$([ $side = a ] && echo 2 || echo 1):51900"
    up $side
  done
  wait_up
  local old new
  (umask 077 && "$SALTWAY" genkey >"$work/new.key")
  old=$(status_of a .fingerprint)
  cat "$work/new.key" >"$work/a/link.key"
  new=$("$SALTWAY" check "$work/a/sw0.conf" | grep -o '[0-9a-f]*$')
  [ "$old" != "$new" ]
  pings_start

  for side in a b; do
    cat "$work/link.key" "$work/new.key" >"$work/$side/link.key"
    [ "$("$SALTWAY" check "$work/$side/sw0.conf")" = "$work/$side/sw0.conf: ok, key fingerprints $old, $new" ]
    [[ $(in_ns $side "$SALTWAY" doctor "$work/$side/sw0.conf") == *"fingerprint $old, $new is not what the link has: it runs with $old"* ]]
    says $side PresharedKeyFile
    sleep 0.5
    fingerprint_is a "$old"
  done
  for side in b a; do
    cat "$work/new.key" "$work/link.key" >"$work/$side/link.key"
    says $side PresharedKeyFile
    eventually fingerprint_is a "$new"
    eventually fingerprint_is b "$new"
  done
  for side in a b; do
    cat "$work/new.key" >"$work/$side/link.key"
    says $side PresharedKeyFile
    sleep 0.5
    fingerprint_is a "$new"
  done
  says a "nothing has changed"
  pings_stop
  nothing_dropped
}

# in_memory PROCESS FILE: whether the process has the key of the file in its memory.
in_memory() {
  run python3 "$BATS_TEST_DIRNAME/memory.py" "$1" "$2" p
  echo "$output"
  [[ $output == *" of 1" ]]
  [ "$output" = "1 of 1" ]
}

@test "a key that is removed is gone from both processes" {
  not_sanitized "freed memory is kept"
  two_sides
  local engine
  engine=$(status_of a .engine_pid)
  cp "$work/link.key" "$work/old.key"
  (umask 077 && "$SALTWAY" genkey >"$work/new.key")
  cat "$work/new.key" >"$work/link.key"
  in_memory "$engine" "$work/old.key"
  says a PresharedKeyFile
  says b PresharedKeyFile
  wait_up
  in_memory "$engine" "$work/new.key"
  refute in_memory "$engine" "$work/old.key"
  refute in_memory "$pid_a" "$work/old.key"
  refute in_memory "$pid_a" "$work/new.key"
}

@test "a key that is removed on one side ends the link, and it is back when the other side has the new one" {
  two_sides
  (umask 077 && "$SALTWAY" genkey >"$work/b/new.key")
  key=$work/b/new.key config b 192.0.2.1:51900
  says b PresharedKeyFile
  refute is_up b
  cat "$work/b/new.key" >"$work/link.key"
  says a PresharedKeyFile
  wait_up
  ping_from a 10.77.0.2
}

@test "every key is taken over under traffic, and no packet is lost" {
  two_sides
  pings_start
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16, fd05::/64, 10.5.0.0/16|' "$work/a/sw0.conf"
  says a AllowedIPs
  has_route 10.5.0.0/16
  has_route 10.2.0.0/16
  ip -n "$A" -6 route show | grep -q '^fd05::/64 dev sw0'
  refute eval "ip -n $A -6 route show | grep -q '^fd02::/64'"
  # the source filter of the engine, too
  ip -n "$B" addr add 10.5.0.1/32 dev lo
  ping_from b -I 10.5.0.1 10.77.0.1
  sed -i 's|, 10.5.0.0/16||' "$work/a/sw0.conf"
  says a AllowedIPs
  refute has_route 10.5.0.0/16
  refute in_ns b ping -q -c 1 -W 1 -I 10.5.0.1 10.77.0.1
  [ "$(status_of a .drops.source)" -gt 0 ]

  sed -i 's|^Address = .*|Address = 10.77.0.1/30, 10.78.0.1/24|' "$work/a/sw0.conf"
  says a Address
  ip -n "$A" addr show sw0 | grep -q 'inet 10.78.0.1/24'
  refute eval "ip -n $A addr show sw0 | grep -q fd77::1"
  sed -i 's|^Address = .*|Address = 10.77.0.1/30, fd77::1/64|' "$work/a/sw0.conf"
  says a Address
  has_route 10.2.0.0/16

  sed -i 's|^\[Peer\]|MTU = 1300\nMetric = 77\nTable = 5000\nFwMark = 7\nDSCP = copy\n[Peer]\nPersistentKeepalive = 5|' \
    "$work/a/sw0.conf"
  says a "MTU, Table, Metric, FwMark, DSCP, PersistentKeepalive"
  [ "$(ip -n "$A" -j link show sw0 | jq '.[0].mtu')" = 1300 ]
  [ "$(status_of a .mtu)" = 1300 ]
  ip -n "$A" route show table 5000 | grep -q '^10.2.0.0/16 dev sw0.* metric 77'
  refute has_route 10.2.0.0/16
  in_ns a ss -Huane sport = :51900 | grep -q 'fwmark:0x7'
  sed -i '/^Table/d; /^Metric/d; /^FwMark/d; /^DSCP/d' "$work/a/sw0.conf"
  says a "Table, Metric, FwMark, DSCP"
  has_route 10.2.0.0/16
  [ -z "$(ip -n "$A" route show table 5000)" ]
  refute eval "in_ns a ss -Huane sport = :51900 | grep -q fwmark"

  sed -i 's|^Endpoint = .*|Endpoint = [2001:db8::2]:51900, 192.0.2.2:51900|' "$work/a/sw0.conf"
  says a Endpoint
  eventually eval '[[ $(status_of a ".endpoints|tostring") == *2001:db8::2* ]]'
  pings_stop
}

@test "hooks that have changed: what the former ones did is undone, and the new ones run" {
  topology_pair
  config a 192.0.2.2:51900 "PostUp = echo up1 >>$work/hooks
PreDown = echo down1 >>$work/hooks"
  chmod 600 "$work/a/sw0.conf"
  up a
  eventually grep -qs up1 "$work/hooks"
  eventually test -e "$(file_of a undo)"
  eventually eval 'reload a'
  [ "$(cat "$work/hooks")" = up1 ]
  sed -i "s/up1/up2/; s/down1/down2/" "$work/a/sw0.conf"
  says a "PostUp, PreDown"
  eventually grep -q up2 "$work/hooks"
  [ "$(xargs <"$work/hooks")" = "up1 down1 up2" ]
  grep -q down2 "$(file_of a undo)"
  sed -i "s/^PostUp.*/PostUp = exit 3/" "$work/a/sw0.conf"
  says a PostUp
  eventually grep -q "exit 3.*status 3\|exit 3.*failed" "$work/a/up.log"
  in_ns a "$SALTWAY" down sw0
  [ "$(xargs <"$work/hooks")" = "up1 down1 up2 down2 down2" ]
}

@test "a file with mistakes changes nothing, and each of them is told with its line" {
  two_sides
  pings_start
  local routes
  routes=$(ip -n "$A" route show)
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.5.0.0/16|; s|^Endpoint = .*|Endpoint = 192.0.2.2:99999|' "$work/a/sw0.conf"
  echo "Adress = 10.0.0.1/24" >>"$work/a/sw0.conf"
  refused a "$work/a/sw0.conf:6: "
  [[ $output == *"$work/a/sw0.conf:8: "* ]]
  [ "$output" = "$("$SALTWAY" check "$work/a/sw0.conf" 2>&1)" ]
  config a 192.0.2.2:51900
  echo nonsense >"$work/link.key"
  refused a "line 1 has 8 characters that decode to 6 bytes, but a key has 44"
  rm "$work/a/sw0.conf"
  refused a "$work/a/sw0.conf: cannot open"
  [ "$(ip -n "$A" route show)" = "$routes" ]
  pings_stop
}

@test "what cannot change in flight is named, and nothing else of the file is applied" {
  two_sides
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16, 10.5.0.0/16|; s|^ListenPort = .*|ListenPort = 51901|' "$work/a/sw0.conf"
  refused a "$work/a/sw0.conf: ListenPort cannot change in flight: restart the link"
  refute has_route 10.5.0.0/16
  sed -i 's|^ListenPort = .*|ListenPort = 51900\nOffload = off\nSandbox = off|' "$work/a/sw0.conf"
  refused a "Offload cannot change in flight: restart the link"
  [[ $output == *"Sandbox cannot change in flight: restart the link"* ]]
  refute has_route 10.5.0.0/16
  ping_from a 10.77.0.2
}

@test "what the kernel refuses is told, and everything is as before" {
  two_sides
  local routes addresses
  ip -n "$A" route add 10.5.0.0/16 dev v0
  eventually eval '[ "$(status_of a .mtu)" = 1440 ]' # that of the path is known
  routes=$(ip -n "$A" route show)
  addresses=$(ip -n "$A" -o addr show sw0)
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.4.0.0/16, 10.5.0.0/16|; s|^Address = .*|Address = 10.78.0.1/24\nMTU = 1300|' \
    "$work/a/sw0.conf"
  refused a "cannot add the route to 10.5.0.0/16 over sw0: File exists (there is one over v0"
  [ "$(ip -n "$A" route show)" = "$routes" ]
  [ "$(ip -n "$A" -o addr show sw0)" = "$addresses" ]
  [ "$(status_of a .mtu)" = 1440 ]
  [ "$(ip -n "$A" -j link show sw0 | jq '.[0].mtu')" = 1440 ]
  ping_from a 10.77.0.2
  ip -n "$A" route del 10.5.0.0/16 dev v0
  says a "Address, MTU, AllowedIPs"
  has_route 10.5.0.0/16
}

@test "default routes come and go by reload, and leave no rules" {
  two_sides
  local before
  before=$(ip -n "$A" rule)
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 0.0.0.0/0, ::/0|' "$work/a/sw0.conf"
  says a AllowedIPs
  ip -n "$A" route show table 51900 | grep -q '^default dev sw0'
  [ "$(ip -n "$A" rule)" != "$before" ]
  ip -n "$A" route get 198.51.100.1 | grep -q 'dev sw0'
  ping_from a 192.0.2.2
  eventually is_up a
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16|' "$work/a/sw0.conf"
  says a AllowedIPs
  [ "$(ip -n "$A" rule)" = "$before" ]
  [ -z "$(ip -n "$A" route show table 51900)" ]
  ping_from a 10.77.0.2
}

@test "without CAP_NET_ADMIN the interface stays as it is, and a mark is refused" {
  topology_pair
  mkdir -p "$work/run-a"
  chmod 0755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR"/test "$work" "$work/a"
  install -m 0600 -o 65534 "$work/link.key" "$work/user.key"
  chown 65534:65534 "$work/run-a"
  key=$work/user.key config a 192.0.2.2:51900
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
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.5.0.0/16|; s|^\[Peer\]|MTU = 1350\n[Peer]|' "$work/a/sw0.conf"
  run reload a
  [ "$status" = 0 ]
  [ "$output" = "reloaded $work/a/sw0.conf: MTU, AllowedIPs
without CAP_NET_ADMIN: the interface sw0 stays as it is configured" ]
  [ "$(status_of a .mtu)" = 1300 ]
  # the source filter is the engine's own
  ip -n "$B" addr add 10.5.0.1/32 dev lo
  ip -n "$A" route add 10.5.0.0/16 dev sw0
  ping_from b -I 10.5.0.1 10.77.0.1
  sed -i 's|^\[Peer\]|FwMark = 7\n[Peer]|' "$work/a/sw0.conf"
  refused a "cannot set the mark 7: Operation not permitted (a mark needs CAP_NET_ADMIN)"
}

@test "an interface in another namespace is changed there" {
  topology_pair
  I=sw-i-$id
  ip netns add "$I"
  config a 192.0.2.2:51900 "NetNS = $I"
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.5.0.0/16|; s|^Address = .*|Address = 10.77.0.1/24\nMTU = 1300|' "$work/a/sw0.conf"
  says a "Address, MTU, AllowedIPs"
  ip -n "$I" route show | grep -q '^10.5.0.0/16 dev sw0'
  refute eval "ip -n $I route show | grep -q '^10.2.0.0/16'"
  ip -n "$I" -o addr show sw0 | grep -q 'inet 10.77.0.1/24'
  refute eval "ip -n $I -o addr show sw0 | grep -q 10.77.0.1/30"
  ip netns exec "$I" ping -q -c 3 -i 0.05 -W 5 10.77.0.2
  sed -i "s|^NetNS = .*|NetNS = $A|" "$work/a/sw0.conf"
  refused a "NetNS cannot change in flight: restart the link"
}

@test "thousands of ranges are taken over" {
  two_sides
  pings_start
  most_ranges
  says a AllowedIPs
  [ "$(ip -n "$A" route show | grep -c '^10\.1[2-9].* dev sw0')" -ge 8192 ]
  ip -n "$B" addr add 10.159.255.1/32 dev lo
  ping_from b -I 10.159.255.1 10.77.0.1
  pings_stop
}

@test "the order of addresses is that of the file" {
  two_sides
  local order
  for order in '10.77.0.1/30, 10.78.0.1/32, 10.79.0.1/32' '10.79.0.1/32, 10.78.0.1/32, 10.77.0.1/30' '10.80.0.1/32, 10.77.0.1/30, 10.79.0.1/32' \
    '10.81.0.1/32, 10.80.0.1/32, 10.77.0.1/30, 10.79.0.1/32' '10.81.0.1/32, 10.77.0.1/30, 10.80.0.1/32'; do
    sed -i "s|^Address.*|Address = $order|" "$work/a/sw0.conf"
    says a Address
    [ "$(ip -n "$A" -4 -j addr show sw0 | jq -r '[.[0].addr_info[] | "\(.local)/\(.prefixlen)"] | join(", ")')" = "$order" ]
    has_route 10.2.0.0/16
  done
  # what others have made stays where the first one does
  ip -n "$A" route add 10.50.0.0/16 dev sw0
  for order in '10.81.0.1/32, fd77::1/64, 10.80.0.1/32, 10.77.0.1/30' 'fd77::1/64, 10.81.0.1/32, 10.77.0.1/30'; do
    sed -i "s|^Address.*|Address = $order|" "$work/a/sw0.conf"
    says a Address
    has_route 10.50.0.0/16
  done
}

@test "an interface that was set down stays so, and what needs it up is refused" {
  two_sides
  ip -n "$A" link set sw0 down
  echo 'AllowedIPs = 10.9.0.0/16' >>"$work/a/sw0.conf"
  refused a "sw0 is down: set it up first (ip link set sw0 up)"
  sed -i '$d; s/^\[Interface\]/&\nMTU = 1380/' "$work/a/sw0.conf"
  refused a "sw0 is down"
  sed -i 's/^MTU.*/Bandwidth = 5mbit/' "$work/a/sw0.conf"
  says a Bandwidth
  refute eval 'ip -n "$A" link show sw0 | grep -q "[<,]UP[,>]"'
  ip -n "$A" link set sw0 up
  sed -i 's/^Bandwidth.*/MTU = 1380/' "$work/a/sw0.conf"
  eventually says a "MTU, Bandwidth"
  ip -n "$A" link show sw0 | grep 'mtu 1380'
}

@test "while the hooks of a reload run the next one is refused" {
  two_sides "PostUp = true"
  sed -i "s|^PostUp.*|PostUp = touch $work/begun; while [ ! -e $work/end ]; do sleep 0.1; done|" "$work/a/sw0.conf"
  says a PostUp
  eventually test -e "$work/begun"
  sed -i 's/^\[Interface\]/&\nBandwidth = 5mbit/' "$work/a/sw0.conf"
  run reload a
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"its hooks run: try again"* ]]
  touch "$work/end"
  eventually says a Bandwidth
}

@test "what a reload has mended is not said any more" {
  two_sides
  ip -n "$A" link set v0 mtu 1400
  ip -n "$B" link set v0 mtu 1400
  sed -i 's/^\[Interface\]/&\nMTU = 1440/' "$work/a/sw0.conf"
  says a MTU
  eventually eval '[ "$(status_of a .reason)" = small-mtu ]'
  sed -i '/^MTU/d' "$work/a/sw0.conf"
  says a MTU
  # it would be said for 30 s more
  until_true 20 eval '[ "$(status_of a .reason)" = up ]'
}

@test "an engine that does not read its orders ends with the link, and the reload says so" {
  two_sides
  kill -STOP "$(status_of a .engine_pid)"
  local i
  for i in $(seq 0 255); do echo "AllowedIPs = $(seq -s, -f "10.128.$i.%g/32" 0 31)"; done >"$work/ranges"
  sed -i "/^AllowedIPs/{r $work/ranges
    d}" "$work/a/sw0.conf"
  run reload a
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"cannot tell the engine what has changed: Resource temporarily unavailable: the link ends" ]]
  refute wait "$pid_a"
  refute ip -n "$A" link show sw0
}

@test "a file that the link was not started from is not reloaded, and the doctor tells of one that was not" {
  topology_pair
  config a 192.0.2.2:51900
  in_ns a sh -c 'cd "$1/a" && exec "$2" up sw0.conf' sh "$work" "$SALTWAY" >"$work/a/up.log" 2>&1 3>&- &
  pids+=($!)
  eventually eval '[ "$(status_of a .name)" = sw0 ]'
  [ "$(status_of a .file)" = "$work/a/sw0.conf" ]
  run in_ns a "$SALTWAY" reload "$work/a/sw0.conf"
  [ "$output" = "reloaded $work/a/sw0.conf: nothing has changed" ]
  mkdir "$work/other"
  cp "$work/a/sw0.conf" "$work/other/"
  run in_ns a "$SALTWAY" reload "$work/other/sw0.conf"
  echo "$output"
  [ "$status" = 1 ]
  [[ $output == *"sw0 was started from $work/a/sw0.conf, and does not read $work/other/sw0.conf"* ]]
  run in_ns a "$SALTWAY" reload "$work/none/sw0.conf"
  [ "$status" = 1 ]
  [[ $output == *"cannot reload $work/none/sw0.conf: No such file or directory"* ]]

  refute grep "changed after" <(in_ns a "$SALTWAY" doctor "$work/a/sw0.conf")
  sed -i 's/^AllowedIPs = /&10.99.0.0\/16, /' "$work/a/sw0.conf"
  run in_ns a "$SALTWAY" doctor "$work/a/sw0.conf"
  [[ $output == *"$work/a/sw0.conf was changed after the link had read it"*"saltway reload sw0"* ]]
  run in_ns a "$SALTWAY" doctor "$work/other/sw0.conf"
  [[ $output == *"$work/other/sw0.conf is not what the link has read: it runs from $work/a/sw0.conf"* ]]
  says a "AllowedIPs"
  refute grep "changed after" <(in_ns a "$SALTWAY" doctor "$work/a/sw0.conf")
}

@test "SIGHUP reloads the link" {
  two_sides
  sed -i 's|^AllowedIPs = .*|AllowedIPs = 10.2.0.0/16, 10.5.0.0/16|' "$work/a/sw0.conf"
  kill -HUP "$pid_a"
  eventually has_route 10.5.0.0/16
  grep -qF "reloaded $work/a/sw0.conf: AllowedIPs" "$work/a/up.log"
  is_up a
}

@test "a link whose terminal hangs up ends in order" {
  topology_pair
  config a 192.0.2.2:51900 "PreDown = echo down >$work/hooks"
  mkdir -p "$work/run-a"
  # the link leads the session of a terminal of its own, which hangs up when python ends
  ip netns exec "$A" env RUNTIME_DIRECTORY="$work/run-a" python3 - "$SALTWAY" "$work" 3>&- <<'END'
import os, pty, signal, subprocess, sys, time
saltway, work = sys.argv[1:]
pid, master = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run where it is ignored
    log = os.open(work + "/a/up.log", os.O_WRONLY | os.O_CREAT, 0o644)
    os.dup2(log, 2)
    os.execv(saltway, [saltway, "up", work + "/a/sw0.conf"])
def status():
    return subprocess.run([saltway, "reload", "sw0"], capture_output=True, text=True)
deadline = time.monotonic() + 20
while status().returncode and time.monotonic() < deadline:
    time.sleep(0.1)
os.kill(pid, 1)  # the terminal is there: a reload
time.sleep(0.5)
assert not status().returncode, status()
os.close(master)
signal.alarm(60)
assert os.waitpid(pid, 0)[1] == 0
END
  grep -q "Hangup: closing the link" "$work/a/up.log"
  [ "$(cat "$work/hooks")" = down ]
  refute ip -n "$A" link show sw0
}

@test "a link that does not run cannot be reloaded" {
  topology_pair
  run in_ns a "$SALTWAY" reload sw0
  [ "$status" = 1 ]
  [[ $output == *"sw0 is not up"* ]]
  run in_ns a "$SALTWAY" reload
  [ "$status" = 2 ]
  run in_ns a "$SALTWAY" reload --force
  [ "$status" = 2 ]
}
