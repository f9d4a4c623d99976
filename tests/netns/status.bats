#!/usr/bin/env bats
# The outputs of `saltway status`, read by other programs and shown on a terminal. The topology is that of topology_pair.

load topology

schema=$BATS_TEST_DIRNAME/../../docs/status.schema.json

# valid SIDE: the JSON of the side's links is what the schema says, and the metrics are OpenMetrics; prints the states.
valid() {
  in_ns "$1" "$SALTWAY" status --json >"$work/status.json" || true
  in_ns "$1" "$SALTWAY" status --metrics >"$work/metrics" || true
  /usr/bin/python3 "$BATS_TEST_DIRNAME/status_output.py" "$schema" "$work/status.json" "$work/metrics"
}
shows() { [ "$(valid "$1")" = "$2" ]; }

@test "the JSON follows its schema and the metrics are OpenMetrics: of no link, and waiting, connecting, up and closed ones" {
  topology_pair
  run valid a
  echo "$output"
  [ "$status" = 0 ]
  config a 192.0.2.2:51900
  config b
  up b
  eventually shows b waiting
  up a
  wait_up
  eventually shows a up
  valid b
  kill -TERM "$pid_b"
  eventually shows a closed
}

@test "the status shows each path, marks the key in use, and is coloured on terminals only" {
  topology_pair
  "$SALTWAY" genkey >"$work/second.key"
  cat "$work/link.key" "$work/second.key" >"$work/both.key"
  chmod 600 "$work/both.key"
  key=$work/both.key config a '192.0.2.2:51900, [2001:db8::2]:51900'
  config b
  up a
  up b
  wait_up
  run in_ns a "$SALTWAY" status sw0
  echo "$output"
  [[ $output == *"key fingerprint: $(status_of a .fingerprint) (in use), "* ]]
  [[ $output == *"path: 192.0.2.2:51900"* && $output == *"path: [2001:db8::2]:51900"* ]]
  [[ $output == *" (in use)"*"round trip: "*" ms"*"loss: "*" % ("*"mtu: "*" bytes"* ]]
  [[ $output != *$'\033'* ]]
  on_terminal() { in_ns a env TERM=xterm "$@" script -qec "$SALTWAY status sw0" /dev/null </dev/null; }
  [[ $(on_terminal) == *$'\033[3'[23]'mup with '* ]] # on a standby, if that was faster
  [[ $(on_terminal NO_COLOR=1) != *$'\033'* ]]
  run in_ns a "$SALTWAY" status --json --metrics
  [ "$status" = 2 ]
  run in_ns a "$SALTWAY" status --watch </dev/null
  [ "$status" = 1 ]
  [[ $output == *"needs a terminal"* ]]
}

# ---- --watch, in tmux ----

terminal() { tmux -f /dev/null -L "sw-$id" "$@"; }
screen() { terminal capture-pane -p -t watch; }
screen_has() { screen | grep -qF -- "$1"; }

# watching: types the command into the terminal's shell, and waits until it shows the link.
watching() {
  terminal send-keys -t watch -R "clear; $SALTWAY status --watch sw0; echo status=\$?" Enter
  eventually screen_has "q ends this"
}

# has_ended STATUS: the shell is back, with the screen, the cursor and the keys that it had.
has_ended() {
  eventually screen_has "status=$1"
  [ "$(terminal display-message -p -t watch '#{alternate_on} #{cursor_flag} #{wrap_flag}')" = "0 1 1" ]
  terminal send-keys -t watch "stty -a | grep -o ' -*icanon' ; echo an''swers" Enter
  eventually screen_has answers
  screen_has " icanon"
}

@test "status --watch draws the course of a link, follows the terminal's size, and leaves it as it was: q, Ctrl-C, a dead link" {
  two_sides
  in_ns a env -u TMUX LC_ALL=C.UTF-8 tmux -f /dev/null -L "sw-$id" new-session -d -s watch -x 100 -y 20 'PS1="$ " sh' 3>&-
  pids+=("$(terminal display-message -p '#{pid}')")
  watching
  eventually screen_has "sw0: up with 192.0.2.2:51900"
  eventually screen_has "round trip"
  eventually screen_has ▁ # a sparkline
  [ "$(terminal display-message -p -t watch '#{alternate_on} #{cursor_flag}')" = "1 0" ]
  terminal resize-window -t watch -x 60 -y 3
  eventually eval '[ "$(screen | grep -c .)" = 3 ] && screen_has "q ends this" && ! screen_has "round trip"'
  terminal resize-window -t watch -x 100 -y 20
  eventually screen_has "round trip"
  terminal send-keys -t watch q
  has_ended 0
  watching
  terminal send-keys -t watch C-c
  has_ended 0
  watching
  kill -TERM "$pid_a"
  has_ended 3
  screen_has "sw0"
}

@test "the unit for scrapes, confined as systemd does it, answers over HTTP with OpenMetrics" {
  topology_pair
  config a
  up a
  eventually shows a waiting
  local unit=$BATS_TEST_DIRNAME/../../contrib/systemd/saltway-metrics@.service
  # as systemd reads it
  sed -n "s/^ExecStart=.bin.sh -c '\(.*\)'$/\1/p" "$unit" | sed "s/\\$\\$/$/g; s/\\\\\\\\/\\\\/g; s,/usr/local/sbin/saltway,$SALTWAY," >"$work/answer"
  # a socket unit with Accept=yes: the command has the connection as its input and output
  in_ns a /usr/bin/python3 - "$work/answer" >"$work/metrics" <<'EOF'
import socket, subprocess, sys, threading, urllib.request
listener = socket.create_server(("127.0.0.1", 0))
def serve():
    connection = listener.accept()[0]
    subprocess.run(["bash", "-ec", 'as_unit "$@"', "-", "saltway-metrics@", "sh", sys.argv[1]], stdin=connection, stdout=connection)
    connection.close()
threading.Thread(target=serve).start()
answer = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % listener.getsockname()[1], timeout=60)
assert answer.headers["Content-Type"].startswith("application/openmetrics-text"), answer.headers
sys.stdout.write(answer.read().decode())
EOF
  in_ns a "$SALTWAY" status --json >"$work/status.json" || true
  [ "$(/usr/bin/python3 "$BATS_TEST_DIRNAME/status_output.py" "$schema" "$work/status.json" "$work/metrics")" = waiting ]
}
