#!/usr/bin/env bats
# What README.md and docs/guide tell people to type is typed here, read from there. The rules for their fenced blocks:
#
#   sh    commands; the first line says where: `# on a`, `# on both`, `# on any machine`, `# on every gateway`
#   ini   a file; the first line says which: `# on a: /etc/saltway/site-b.conf`. Without `on a: ` it is only checked
#   bird  a file, too, of that router
#   text  what the commands above it print; `...` stands for any lines, and fingerprints may differ. Commands that only
#         look are typed again until they print it
#
# A document begins on two machines that have saltway and nothing else, or with the machines that another document
# leaves behind: "begins where the [quick start](quick-start.md) ends". The machines are namespaces of the network and of
# mounts; the other machine answers to ssh and scp, and systemctl runs a link as its unit does:
#
#   a.example.net ---- router ---- b.example.net, backup.b.example.net
#   192.0.2.1                      198.51.100.1,  203.0.113.1
#   10.1.0.1                       10.2.0.1, fd02::1                     in the networks behind them
#
# Where sites have two gateways, these are a1.example.net, a2, b1 and b2, and a and b are routers behind them.

load topology

root=$BATS_TEST_DIRNAME/../..

# Tested elsewhere: .ci/run builds, installs and tests on bare machines.
skipped=(
  'sudo make demo'
  'sudo make check'
  'sudo make bench'
)

# stand_in NAME: makes a program of the machines from standard input.
stand_in() { { echo '#!/bin/bash'; cat; } >"$work/bin/$1"; chmod +x "$work/bin/$1"; }

stand_ins() {
  local real
  mkdir "$work/bin"
  stand_in machine <<SH
side=\$1; shift
exec nsenter -t "\$(cat $work/\$side/pid)" -n -m env -i PATH=$work/bin:$PATH HOME=$work/\$side LC_ALL=C \
  sh -c 'cd "\$HOME" && exec "\$@"' sh "\$@"
SH
  stand_in ssh <<'SH'
to=$(grep -oE '[ab][12]?\.example\.net' <<<"$1"); shift
exec machine "${to%%.*}" sh -c "$*"
SH
  stand_in scp <<SH
set -e
[ "\$1" = -p ] && shift
to=\${*: -1} parcel=\$(mktemp -d $work/parcel.XXXXXX)
cp -p "\${@:1:\$#-1}" "\$parcel"
ssh "\${to%%:*}" cp -p "\$parcel/*" "\${to#*:}"
SH
  stand_in systemctl <<'SH'
unit=${*: -1} link=${unit#saltway@}
case "$*" in
  "disable --now openvpn@"* | "disable --now wg-quick@"*) echo "$*" >>old-tunnels; exit ;;
  "enable --now saltway@"* | "restart saltway@"*)
    [ "$1" = enable ] || saltway down "$link"
    setsid saltway up "$link" >>"$link.log" 2>&1 </dev/null 3>&- &
    while kill -0 $!; do compgen -G "/run/saltway/$link@*.sock" >/dev/null && exit; sleep 0.1; done
    cat "$link.log" >&2
    exit 1 ;;
  "enable --now bird") mkdir /run/bird; exec bird </dev/null >/dev/null 2>&1 3>&- ;;
  "disable --now saltway@"*) exec saltway down "$link" ;;
esac
echo "systemctl: not understood: $*" >&2
exit 1
SH
  stand_in journalctl <<'SH'
[ "$1" = -u ] && exec cat "${2#saltway@}.log"
SH
  # what people repeat until the other side has started
  stand_in patiently <<'SH'
while output=$("$@" 2>&1); status=$?; [ $status != 0 ] && [ $SECONDS -lt 60 ]; do sleep 0.2; done
printf '%s\n' "$output"
exit $status
SH
  stand_in ping <<SH
exec patiently $(command -v ping) -W 1 "\$@"
SH
  # its server may refuse a test that begins right after another
  stand_in iperf3 <<SH
[[ " \$* " == *' --server '* ]] || exec patiently $(command -v iperf3) "\$@"
exec $(command -v iperf3) "\$@"
SH
  real=$(realpath "$SALTWAY")
  stand_in saltway <<SH
case "\$1 \$2" in status* | test\ -t*) exec patiently $real "\$@" ;; esac
exec $real "\$@"
SH
}

# machine_start SIDE NAMESPACE: with an /etc of its own, and the names of both.
machine_start() {
  local side=$1 ns=$2
  mkdir -p "$work/$side/etc"
  # shellcheck disable=SC2016
  ip netns exec "$ns" sh -ec 'mount --bind /etc "$1/etc"; mount -o remount,bind,ro "$1/etc"
    mount -t tmpfs -o mode=755 none /etc; mount -t tmpfs -o mode=755 none /run; mount -t tmpfs -o mode=755 none /var/lib
    find "$1/etc" -mindepth 1 -maxdepth 1 -type f -exec cp -pt /etc {} +
    find "$1/etc" -mindepth 1 -maxdepth 1 -type d -regextype posix-extended \
      ! -regex ".*/(saltway|sysctl.d|openvpn|wireguard|bird)" -exec ln -st /etc {} +
    mkdir /etc/sysctl.d
    rm -f /etc/resolv.conf
    cat >/etc/hosts
    echo $$ >"$1/pid"
    exec sleep infinity' sh "$work/$side" 3>&- <<'HOSTS' &
127.0.0.1 localhost
192.0.2.1 a.example.net
198.51.100.1 b.example.net
203.0.113.1 backup.b.example.net
192.0.2.1 a1.example.net
192.0.2.2 b1.example.net
198.51.100.1 a2.example.net
198.51.100.2 b2.example.net
HOSTS
  pids+=($!)
  eventually test -s "$work/$side/pid"
}

machines() {
  local ns n address
  router=sw-r-$id
  stand_ins
  for ns in "$A" "$B" "$router"; do ip netns add "$ns"; done
  for n in 1:192.0.2 2:198.51.100 3:203.0.113; do
    address=${n#*:} n=${n%:*}
    [ "$n" = 1 ] && ns=$A || ns=$B
    ip link add "eth$n" netns "$ns" type veth peer name "eth$n" netns "$router"
    ip -n "$router" -batch - <<<"addr add $address.254/24 dev eth$n
      link set eth$n up"
    ip -n "$ns" -batch - <<<"link set lo up
      addr add $address.1/24 dev eth$n
      link set eth$n up
      route add default via $address.254 metric $n"
  done
  ip -n "$A" addr add 10.1.0.1/16 dev lo
  ip -n "$B" addr add 10.2.0.1/16 dev lo
  ip -n "$B" addr add fd02::1/64 dev lo
  for ns in "$A" "$B" "$router"; do
    ip netns exec "$ns" sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.ip_forward=1
  done
  machine_start a "$A"
  machine_start b "$B"
}

# blocks DOCUMENT: prints the fenced blocks, each as a line "KIND LINES" and its lines.
blocks() {
  awk '/^```/ && !inside {inside = 1; kind = substr($0, 4); count = 0; text = ""; next}
       /^```/ {print kind, count; printf "%s", text; inside = 0; next}
       inside {text = text $0 "\n"; count++}' "$1"
}

# without_skipped: removes the commands that are tested elsewhere.
without_skipped() {
  local line command
  while IFS= read -r line; do
    command=$(sed 's/  *#.*//' <<<"$line")
    printf '%s\n' "${skipped[@]}" | grep -qxF -- "$command" || printf '%s\n' "$line"
  done
}

# machines_of WHERE: prints which machines a block is for.
machines_of() {
  case $1 in
    both) echo a b ;;
    'any machine') echo a ;;
    'every gateway') echo a1 a2 b1 b2 ;;
    'every machine') echo a1 a2 b1 b2 a b ;;
    *) echo "$1" ;;
  esac
}

# type_in WHERE COMMANDS: runs the commands on the machines, and keeps what they print.
type_in() {
  local side
  for side in $(machines_of "$1"); do
    printf '%s\n' "$2" | without_skipped >"$work/$side/commands"
    PATH=$work/bin:$PATH machine "$side" bash -e commands >>"$work/printed" 2>&1 </dev/null ||
      { echo "$document, on $side:"; cat "$work/$side/commands"; echo "printed:"; cat "$work/printed"; return 1; }
  done
}

# compare TEXT: the commands before it printed this.
compare() {
  local plain='s/\b[0-9a-f]{8}\b/KEY/g; s/ +$//'
  sed -E "$plain" "$work/printed" | awk -v wanted="$(sed -E "$plain" <<<"$1")" '
    BEGIN {count = split(wanted, line, "\n"); n = 1}
    n <= count && line[n] == "..." {any = 1; n++}
    n <= count && $0 == line[n] {n++; any = 0; next}
    !any && n > 1 && n <= count {exit}
    END {if (line[n] == "...") n++; if (n <= count) {print "not printed: " line[n]; exit 1}}' ||
    { echo "$document: the commands print"; cat "$work/printed"; return 1; }
}

# looks COMMANDS: they change nothing.
looks() { ! grep -vE '^(saltway status|birdc show|ip (-6 )?route show) ' <<<"$1" | grep -q .; }

# again SIDE COMMANDS TEXT: the commands print this now.
again() { : >"$work/printed"; type_in "$1" "$2" && compare "$3"; }

# file_on MACHINES FILE: makes the file from standard input.
file_on() {
  local side text
  text=$(cat)
  for side in $(machines_of "$1"); do
    PATH=$work/bin:$PATH machine "$side" sh -c "umask 077; mkdir -p '$(dirname "$2")'; cat >'$2'" <<<"$text"
  done
}

# follow DOCUMENT: does what it says. The count of commands up to the first ping is in $to_ping.
follow() {
  local document=$1 before kind count first rest side text typed
  commands=0 to_ping=
  before=$(tr '\n' ' ' <"$document" | grep -oE 'begins where the \[[^]]*\]\([a-z-]+\.md\) ends' | sed 's/.*(//; s/).*//')
  [ -z "$before" ] || follow "$(dirname "$document")/$before"
  document=$1
  while read -r kind count; do
    text=
    for ((; count > 0; count--)); do IFS= read -r first; text+=$first$'\n'; done
    first=${text%%$'\n'*} rest=${text#*$'\n'}
    case "$kind $first" in
      'sh # on '[ab] | 'sh # on '[ab][12] | 'sh # on both' | 'sh # on any machine' | 'sh # on every '*)
        side=${first#\# on } typed=$rest
        : >"$work/printed"
        type_in "$side" "$typed" || return
        while IFS= read -r first; do
          [[ -z $first || $first == \#* ]] && continue
          commands=$((commands + 1))
          [[ $first != ping* || -n $to_ping ]] || to_ping=$commands
        done <<<"$rest" ;;
      'ini # on '[ab]': /'* | 'ini # on '[ab][12]': /'* | 'bird # on '*': /'*)
        side=${first#\# on }
        file_on "${side%%:*}" "${first#*: }" <<<"$rest" ;;
      'ini # /etc/saltway/'*)
        mkdir -p "$work/checked"
        first=${first#\# } first=$(basename "${first%% *}")
        sed 's,/etc/saltway/,,' <<<"$text" >"$work/checked/$first"
        (umask 077 && "$SALTWAY" genkey >"$work/checked/${first%.conf}.key")
        "$SALTWAY" check "$work/checked/$first" || return ;;
      text*)
        text=${text%$'\n'}
        compare "$text" || { looks "$typed" && eventually again "$side" "$typed" "$text"; } || return ;;
      *) echo "$document: what is this block? $kind: $first"; return 1 ;;
    esac
  done < <(blocks "$document")
}

@test "README's commands lead from nothing to a ping" {
  machines
  follow "$root/README.md"
  [ -n "$to_ping" ]
  echo "# README.md: $to_ping commands from nothing to a ping" >&3
}

# guide NAME: follows the guide.
guide() {
  [ -e "$work/bin" ] || machines
  follow "$root/docs/guide/$1.md"
}

@test "the guide: quick start" { guide quick-start; }

@test "the guide: by hand" { guide by-hand; }

@test "the guide: from OpenVPN" { guide from-openvpn; }

@test "the guide: from WireGuard" { guide from-wireguard; }

@test "the guide: behind NAT" {
  machines
  ip netns exec "$router" nft -f - <<'NFT'
table ip nat { chain post { type nat hook postrouting priority 100; ip saddr 192.0.2.1 masquerade random; }; }
table ip filter { chain forward { type filter hook forward priority 0; ip daddr 192.0.2.1 ct state new drop; }; }
NFT
  guide nat
  [ "$(PATH=$work/bin:$PATH machine b saltway status --json site-b | jq -r '.[0].endpoint')" != 192.0.2.1:51900 ]
}

@test "the guide: two providers" { guide two-providers; }

@test "the guide: replacing the key" { guide key-rotation; }

@test "the guide: troubleshooting" { guide troubleshooting; }

@test "the guide: performance" { guide performance; }

# ways SIDE NETWORK COUNT: the routing protocol has made a route with so many ways.
ways() {
  local ns family=-4; [ "$1" = a ] && ns=$A || ns=$B
  [[ $2 != *:* ]] || family=-6
  [ "$(ip -n "$ns" $family route show "$2" proto bird | grep -c 'via ')" = "$3" ]
}
both_ways() { ways a 10.2.0.0/16 "$1" && ways b 10.1.0.0/16 "$1"; }
# link_to ADDRESS: which link leads from a's network to this address.
link_to() { ip -n "$A" route get "$1" from 10.1.0.1 | grep -oE 'sw-b[12]'; }

@test "the guide: many sites; connections spread over two links, and go on when the line of theirs fails" {
  local n line
  machines
  for n in 1 2; do
    [ $n = 1 ] && ns=$A || ns=$B
    ip -n "$ns" -batch - <<<"addr flush dev lo to 10.0.0.0/8
      addr flush dev lo to fd00::/8
      link add lan type veth peer name lan-host
      addr add 10.$n.0.1/16 dev lan
      addr add fd0$n::1/64 dev lan nodad
      link set lan up
      link set lan-host up"
  done
  guide many-sites
  eventually both_ways 2
  [ "$(for n in $(seq 32); do link_to 10.2.0.$n; done | sort -u | wc -l)" = 2 ]
  line=$(link_to 10.2.0.1) line=eth$((${line#sw-b} + 1))
  pings_start -I 10.1.0.1 10.2.0.1
  sleep 1
  ip -n "$router" link set "$line" down
  eventually both_ways 1
  sleep 1
  ip -n "$router" link set "$line" up
  eventually both_ways 2
  sleep 1
  pings_stop "a line fails, of two with a link each under OSPF and BFD"
}

# site N SIDE: the router of the site, its two gateways, and the network core between them.
site() {
  local n=$1 side=$2 gateway i=10
  ip netns add "${ns[$side]}"
  # the gateways of b are in the other order, so that what goes by one comes back by the other if all kernels hash alike
  for gateway in $([ "$n" = 1 ] && echo a1 a2 || echo b2 b1); do
    i=$((i + 1))
    ip netns add "${ns[$gateway]}"
    ip link add core netns "${ns[$gateway]}" type veth peer name "$gateway" netns "${ns[$side]}"
    ip -n "${ns[$gateway]}" -batch - <<<"link set lo up
      addr add 10.10$n.0.$i/24 dev core
      link set core up"
  done
  ip -n "${ns[$side]}" -batch - <<<"link set lo up
    link add core type bridge
    link set ${side}1 master core up
    link set ${side}2 master core up
    addr add 10.10$n.0.1/24 dev core
    link set core up
    link add lan type veth peer name lan-host
    addr add 10.$n.0.1/16 dev lan
    addr add fd0$n::1/64 dev lan nodad
    link set lan up
    link set lan-host up"
}

# two_sites_of_two: both, and a line between each two gateways.
two_sites_of_two() {
  local n side
  declare -gA ns=([a]=$A [b]=$B)
  for side in a1 a2 b1 b2; do ns[$side]=sw-$side-$id; done
  stand_ins
  site 1 a
  site 2 b
  for n in 1:192.0.2 2:198.51.100; do
    ip link add eth0 netns "${ns[a${n%:*}]}" type veth peer name eth0 netns "${ns[b${n%:*}]}"
    for side in a:1 b:2; do
      ip -n "${ns[${side%:*}${n%:*}]}" -batch - <<<"addr add ${n#*:}.${side#*:}/24 dev eth0
        link set eth0 up"
    done
  done
  for side in "${!ns[@]}"; do machine_start "$side" "${ns[$side]}"; done
}

# on GATEWAY COMMAND...: runs it there.
on() { ip netns exec "${ns[$1]}" "${@:2}"; }

# connections_watch: from now on the gateways of a keep the number of each connection that their link carries.
connections_watch() {
  local gateway
  for gateway in a1 a2; do
    on $gateway nft -f - <<'NFT'
table inet seen
delete table inet seen
table inet seen {
  set out { type inet_service; flags dynamic; size 1000; }
  set back { type inet_service; flags dynamic; size 1000; }
  chain forward {
    type filter hook forward priority 0;
    oifname "sw-*" tcp dport 5005 add @out { tcp sport }
    iifname "sw-*" tcp sport 5005 add @back { tcp dport }
  }
}
NFT
  done
}

# carried out|back GATEWAY...: prints the numbers of the connections whose packets went, or came back, by the gateways.
carried() {
  local gateway
  for gateway in "${@:2}"; do
    on "$gateway" nft -j list set inet seen "$1" | jq '.nftables[] | select(.set).set | .elem // [] | .[]'
  done | sort -n
}
# all_by GATEWAY...: all connections were seen at these, in both directions, and each at one of them.
all_by() {
  local direction
  for direction in out back; do
    [ "$(carried $direction "$@")" = "$(seq 20001 $((20000 + connections)))" ] || return
  done
}
# spread: over both gateways, those over IPv4 (odd numbers) as well as those over IPv6.
spread() {
  local gateway
  all_by a1 a2 || return
  for gateway in a1 a2; do
    carried out $gateway | grep -q '[13579]$' && carried out $gateway | grep -q '[02468]$' || return
  done
}

# anew CHECK...: the check holds for what the connections do from now on, and a second later still.  A connection that moves
# meanwhile, because the routers do not learn of a way at the same moment, was seen at both gateways: look anew.
anew() { connections_watch && until_true 10 "$@" && sleep 1 && "$@"; }

# ways_are COUNT: both routers have so many ways to each other's networks.
ways_are() { both_ways "$1" && ways a fd02::/64 "$1" && ways b fd01::/64 "$1"; }

@test "the guide: two gateways; connections spread over them, go by the other one when one is cut off, and come back" {
  local connections=48 client direction
  two_sites_of_two
  guide two-gateways
  eventually ways_are 2
  ip netns exec "$B" python3 "$BATS_TEST_DIRNAME/trickle.py" serve >"$work/b/trickle.log" 2>&1 3>&- &
  pids+=($!)
  eventually eval 'ip netns exec "$B" ss -Hltn sport = :5005 | grep -q 5005'
  ip netns exec "$A" python3 "$BATS_TEST_DIRNAME/trickle.py" keep $connections 10.2.0.1 fd02::1 >"$work/a/trickle.log" 2>&1 3>&- &
  client=$!
  pids+=("$client")
  eventually grep -x 'all are open' "$work/a/trickle.log"
  eventually anew spread
  [ "$(carried out a1)" != "$(carried back a1)" ]

  ip -n "$A" link set a1 down
  ip -n "${ns[b1]}" link set eth0 down
  eventually ways_are 1
  eventually anew all_by a2

  ip -n "$A" link set a1 up
  ip -n "${ns[b1]}" link set eth0 up
  eventually ways_are 2
  eventually anew spread

  kill -TERM $client
  wait $client
  echo "# a gateway is cut off, of two under OSPF and BFD: $(tail -n 1 "$work/a/trickle.log")" >&3
}

@test "every guide is in the index, and those with commands have a test" {
  local file name
  for file in "$root"/docs/guide/*.md; do
    name=$(basename "$file" .md)
    [ "$name" = README ] || grep -qF "($name.md)" "$root/docs/guide/README.md"
    [ -z "$(blocks "$file")" ] || grep -qE "guide $name(;|$)" "$BATS_TEST_FILENAME"
  done
}

@test "every option of OpenVPN that import knows is in the guide, and every sentence of the guide is said" {
  local option sentence said
  sed -nE 's/^    \{"([a-z0-9-]+)", [a-z_"].*/\1/p' "$root"/src/convert/openvpn{,_reasons}.c | sort -u >"$work/options"
  [ "$(wc -l <"$work/options")" -gt 100 ]
  while read -r option; do
    grep -qE "^\|.*\`$option( [A-Z0]+)*\`" "$root/docs/guide/from-openvpn.md" || { echo "not in the guide: $option"; return 1; }
  done <"$work/options"
  said=$(cat "$root"/src/parent/{report,outcome,degradation}.c "$root"/src/doctor/*.c | tr -d '\n' | sed -E 's/" *"//g')
  while read -r sentence; do
    [[ $said == *"$sentence"* ]] || { echo "nobody says: $sentence"; return 1; }
  done < <(grep -oE '“[^”]+”' "$root/docs/guide/troubleshooting.md" | tr -d '“”')
}

@test "no command hides from these tests, and every subcommand that is named exists" {
  local command
  refute grep -nE '^ +(sudo|saltway|systemctl|ip|sysctl|ssh|scp|install|make|ping) ' "$root/README.md" "$root"/docs/guide/*.md
  "$SALTWAY" --help >"$work/help"
  while read -r command; do
    grep -qE "^ +$command( |$)" "$work/help" || { echo "no such command: $command"; return 1; }
  done < <(cat "$root/README.md" "$root"/docs/guide/*.md | grep -oE '`saltway [a-z]+' | tr -d '`' | sort -u)
}

@test "what is not typed here is in a document" {
  local command
  for command in "${skipped[@]}"; do cat "$root/README.md" "$root"/docs/guide/*.md | grep -qE "^$command( |$)"; done
}
