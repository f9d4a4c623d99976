#!/usr/bin/env bats
# What `saltway doctor` says first of machines and links that are broken on purpose, and that it finds no fault with healthy
# ones.  The topology is that of topology_pair, unless a test draws another one.

load topology

# link SIDE NAME N ENDPOINT [ALLOWED] [LINES]: writes the configuration of a link of its own port, 52000 + N, and network;
# LINES go into [Interface].  Its key is $key or the common one.
link() {
  local side=$1 name=$2 n=$3 end; [ "$side" = a ] && end=1 || end=2
  mkdir -p "$work/$side/$name"
  {
    echo "[Interface]"
    echo "Address = 10.78.$n.$end/30"
    echo "ListenPort = $((52000 + n))"
    [ -z "${6:-}" ] || echo "$6"
    echo "[Peer]"
    echo "PresharedKeyFile = ${key:-$work/link.key}"
    [ -z "$4" ] || echo "Endpoint = $4"
    echo "AllowedIPs = ${5:-10.$((100 * end)).$n.0/24}"
  } >"$work/$side/$name/$name.conf"
}

# pair NAME N [LINES]: both sides of a link, which find each other.
pair() {
  link a "$1" "$2" "192.0.2.2:$((52000 + $2))" '' "${3:-}"
  link b "$1" "$2" "192.0.2.1:$((52000 + $2))" '' "${3:-}"
}

# start SIDE NAME: runs that link.
start() {
  mkdir -p "$work/run-$1"
  in_ns "$1" "$SALTWAY" up "$work/$1/$2/$2.conf" >>"$work/$1/$2.log" 2>&1 3>&- &
  pids+=($!)
}

is_started() { in_ns "$1" "$SALTWAY" status "$2" 2>/dev/null | grep -q "^$2: "; }
runs_up() { in_ns "$1" "$SALTWAY" status "$2"; }

doctor() { in_ns "$1" "$SALTWAY" doctor "$work/$1/$2/$2.conf"; }

# first SIDE NAME TEXT...: the doctor's first line has all of these.
first() {
  local side=$1 name=$2 text line; shift 2
  line=$(doctor "$side" "$name" | sed -n 1p)
  echo "$line"
  for text; do [[ $line == *"$text"* ]] || return 1; done
}

# healthy SIDE NAME: the doctor warns of nothing.
healthy() {
  local output status=0
  output=$(doctor "$1" "$2") || status=$?
  echo "$output"
  [ $status = 0 ] && [[ $output == "$2: up with "* ]]
  refute grep -E '^  (warn|FAIL)' <<<"$output"
}

@test "before a link runs: no TUN, key file, port taken, name, loop, networks, forwarding, rp_filter, name server" {
  topology_pair
  ip -n "$A" route add default via 192.0.2.2
  mkdir -p "/etc/netns/$A"
  printf 'nameserver 192.0.2.2\noptions timeout:1 attempts:1\n' >"/etc/netns/$A/resolv.conf"

  link a good 1 192.0.2.2:52001
  run doctor a good
  [ "$status" = 0 ]
  [ "${lines[0]}" = "good: the link is not running (saltway up $work/a/good/good.conf)" ]
  [ "$(grep -cE '^  (warn|FAIL)' <<<"$output")" = 1 ]

  run in_ns a unshare -m sh -c "mount -t tmpfs none /dev/net && exec '$SALTWAY' doctor '$work/a/good/good.conf'"
  [ "$status" = 1 ]
  [[ ${lines[0]} == "good: tun: cannot open /dev/net/tun: No such file or directory (is the tun module loaded? modprobe tun"* ]]

  cp "$work/link.key" "$work/open.key"; chmod 644 "$work/open.key"
  key=$work/open.key link a key 2 192.0.2.2:52002
  first a key "key file $work/open.key can be read by others" "chmod 600 $work/open.key"

  ip netns exec "$A" socat -u UDP4-RECV:52003 OPEN:/dev/null 3>&- &
  pids+=($!)
  link a port 3 192.0.2.2:52003
  eventually first a port "UDP port 52003 is taken by socat (pid $!)" "ss -Hlunp sport = :52003"

  link a name 4 nosuchname.invalid:52004
  first a name "cannot resolve nosuchname.invalid: " "getent ahosts nosuchname.invalid"

  link a loop 5 198.51.100.7:52005 198.51.100.0/24
  first a loop "routing loop: the endpoint 198.51.100.7:52005 is within AllowedIPs (198.51.100.0/24)" \
    "ip route add 198.51.100.7/32 via 192.0.2.2 dev v0"
  ip -n "$A" route add 198.51.100.7/32 via 192.0.2.2 dev v0
  first a loop "not running"

  link a server 6 nosuchname.invalid:52006 192.0.2.2/32
  first a server "the name server 192.0.2.2 is within AllowedIPs (192.0.2.2/32)"

  link a one 7 192.0.2.2:52007 10.50.0.0/16
  link a two 8 192.0.2.2:52008 10.50.0.0/16
  mv "$work/a/two/two.conf" "$work/a/one"
  first a one "overlapping AllowedIPs: 10.50.0.0/16 leads into this link and into two"
  sed -i 's/^ListenPort.*/&\nMetric = 50/' "$work/a/one/two.conf" # it stands in for the other
  first a one "not running"
  sed -i 's|^AllowedIPs.*|AllowedIPs = 10.50.7.0/24|' "$work/a/one/two.conf"
  first a one "overlapping AllowedIPs: 10.50.0.0/16 of this link and 10.50.7.0/24 of two"

  ip -n "$A" link add lan0 type veth peer name lan1
  ip -n "$A" addr add 10.60.0.1/24 dev lan0
  ip -n "$A" link set lan0 up
  link a lan 9 192.0.2.2:52009 10.60.0.0/24
  first a lan "overlapping AllowedIPs: 10.60.0.0/24 is the network of lan0"
  ip netns exec "$A" sysctl -qw net.ipv4.ip_forward=0
  first a good "forwarding of IPv4 is off: hosts of 10.60.0.1/24, on lan0" "sysctl -w net.ipv4.ip_forward=1"
  ip netns exec "$A" sysctl -qw net.ipv4.ip_forward=1
  first a good "not running"

  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=1
  link a rp 10 192.0.2.2:52010 0.0.0.0/0 $'FwMark = 52010\nTable = 52010'
  first a rp "rp_filter is 1" "table 52010" "sysctl -w net.ipv4.conf.all.rp_filter=2"
}

@test "while a link runs: key, firewall one way and both, endpoint, port, MTU, coalesced datagrams, and the clock" {
  topology_pair
  (umask 077 && "$SALTWAY" genkey >"$work/other.key"; cp "$work/link.key" "$work/future.key"; touch -d '+2 years' "$work/future.key")
  link a port 1 192.0.2.2:9
  link a host 2 192.0.2.9:52002
  pair key 3
  key=$work/other.key link b key 3 192.0.2.1:52003
  pair oneway 4
  pair both 5
  key=$work/future.key pair clock 6
  pair mtu 7 'MTU = 1400'
  pair burst 8
  pair drop 9
  ip netns exec "$A" nft 'table inet f { chain i { type filter hook input priority 0; udp dport { 52004, 52005 } drop; }; }'
  ip netns exec "$B" nft 'table inet f { chain i { type filter hook input priority 0; udp dport 52005 drop; udp dport 52008 udp length > 1472 drop; udp dport 52009 drop; }; }'
  local name
  for name in key oneway both clock mtu burst drop; do start b $name; start a $name; done
  start a port; start a host
  for name in port host key oneway both clock mtu burst drop; do eventually is_started a $name; done

  eventually first a port "the host of 192.0.2.2:9 says that nothing listens there" "is the port right?"
  eventually first a host "192.0.2.9:52002 is unreachable" "is the host up?"
  eventually first a key "datagrams arrive from 192.0.2.2:52003 that our key does not open: the other side has another key"
  eventually first b oneway "handshakes of the peer arrive from 192.0.2.1:52004, but our answers do not reach it" "firewall"
  eventually first a both "no answer from 192.0.2.2:52005: nothing arrives at all" "does a firewall let UDP through both ways?"
  eventually first b drop "the firewall of this machine drops UDP to port 52009, so nothing of the peer arrives"
  eventually runs_up a clock
  eventually first a clock "clock: up with 192.0.2.2:52006; the clock is wrong" "does not matter to the link"
  eventually runs_up a mtu
  first a mtu "mtu: up with"
  ip netns exec "$B" nft 'table inet g { chain p { type filter hook prerouting priority -450; udp dport 52007 meta length > 1100 drop; }; }'
  first a mtu "MTU black hole: packets of 1000 bytes pass the link, those of its MTU, 1400 bytes, are lost (MTU = auto)"
  eventually first a burst "single packets pass the link, and bursts are lost" "Offload = off"
  eventually first b burst "the firewall of this machine drops long UDP datagrams" "Offload = off"
}

# rules SIDE RULE...: these are the rules of the side's input chain.
rules() {
  local ns; [ "$1" = a ] && ns=$A || ns=$B
  ip netns exec "$ns" nft "flush ruleset; table inet f { chain s { udp dport 53 accept; }; chain i { type filter hook input priority 0; $2 }; }"
}

@test "rules of the firewall that drop the link's datagrams are named, and no others are" {
  topology_pair
  link a begins 1 192.0.2.2:52900
  link a waits 1 ''
  local name rule wanted
  while IFS='|' read -r name wanted rule; do
    rules a "$rule"
    first a "$name" "$wanted" || { echo "of: $rule"; return 1; }
  done <<'RULES'
waits|drops UDP to port 52001, so nothing of the peer arrives (remove the rule: nft -a list chain inet f i)|udp dport 52001 drop;
waits|drops UDP to port 52001, so nothing|meta l4proto udp udp dport 52001 counter log reject;
begins|drops UDP to port 52900 of the peer|}; chain o { type filter hook output priority 0; udp dport 52900 drop;
waits|drops long UDP datagrams|udp dport 52001 udp length > 1472 drop;
waits|drops long UDP datagrams|meta l4proto udp meta length > 1500 counter drop;
waits|accepts no UDP to port 52001: the peer cannot begin (nft insert rule inet f i udp dport 52001 accept)|policy drop; ct state established,related accept; iif lo accept; tcp dport 22 accept;
waits|accepts no UDP to port 52001|policy drop; ct state vmap { established : accept, invalid : drop }; udp dport 53 accept;
waits|accepts no UDP to port 52001|ct state established accept; jump s; drop;
waits|the link is not running|udp dport 52002 drop; tcp dport 52001 drop; ip saddr 203.0.113.4 udp dport 52001 drop; iif lo udp dport 52001 drop;
waits|the link is not running|udp dport 52001 udp length < 20 drop;
waits|the link is not running|policy drop; udp dport { 53, 52001 } accept;
waits|the link is not running|policy drop; udp dport vmap { 52001 : accept };
waits|the link is not running|policy drop; ip saddr 192.0.2.0/24 accept;
waits|the link is not running|policy drop; iifname "v0" udp dport 52001 accept;
waits|the link is not running|policy drop; jump t; }; chain t { udp dport 52001 accept;
waits|the link is not running|}; chain t { udp dport 52001 drop;
waits|the link is not running|}; chain o { type filter hook forward priority 0; udp length > 1472 drop;
begins|the link is not running|policy drop; ct state established,related accept;
RULES
}

@test "an asymmetric way back with rp_filter, and a name server inside the link, are named while the link runs" {
  topology_pair
  ip -n "$B" addr add 203.0.113.53/32 dev lo
  ip -n "$A" route add default via 192.0.2.2
  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=1
  mkdir -p "/etc/netns/$A"
  printf 'nameserver 203.0.113.53\noptions timeout:1 attempts:1\n' >"/etc/netns/$A/resolv.conf"
  link a dns 1 b.example.net:52001 203.0.113.0/24
  start a dns # nobody answers
  eventually first a dns "the name server 203.0.113.53 is reached through this link, which is down"
  link a rp 2 192.0.2.2:52002 0.0.0.0/0 $'FwMark = 52002\nTable = 52002\nPostUp = ip rule add not fwmark 52002 table 52002'
  link b rp 2 ''
  start b rp
  start a rp
  eventually is_started a rp
  eventually first a rp "rp_filter is 1 on v0: the kernel drops what 192.0.2.2:52002 sends" "over rp" "sysctl -w net.ipv4.conf.all.rp_filter=2"
  ip netns exec "$A" sysctl -qw net.ipv4.conf.all.rp_filter=2
  eventually runs_up a rp
  first a rp "rp: up with 192.0.2.2:52002"
}

@test "the path's MTU, if it is far below that of the interface, is a warning" {
  topology_pair
  ip -n "$B" link set v0 mtu 1350 # what is longer is lost on the way to it
  pair small 1
  start b small
  start a small
  eventually runs_up a small
  eventually first a small "the path carries packets of only 12" "v0 would carry 1444" "the link has adapted"
}

@test "two sides with the file of one side are up, and the doctor says that nothing answers inside" {
  topology_pair
  link a same 1 192.0.2.2:52001
  mkdir -p "$work/b/same"
  sed '/^Endpoint/d' "$work/a/same/same.conf" >"$work/b/same/same.conf"
  start b same; start a same
  eventually runs_up a same
  first a same "up with 192.0.2.2:52001, but 10.78.1.2, the other side's address in the link, answers no ping" "file of its own side"
}

# Three healthy set-ups:
#
#   A --- v0 --- B                     "plain"
#   A --- v0 --- R (NAT) --- v1 --- B  "nat": B does not know A's address
#   lan0 --- A --- v0 --- B --- lan0   "routed": networks on both sides, everything of A's goes to B, rp_filter = 1
@test "three healthy set-ups raise no alarm: a pair, behind NAT, and networks with a default route" {
  topology_pair
  pair plain 1
  start a plain; start b plain
  eventually runs_up a plain; eventually runs_up b plain
  healthy a plain
  healthy b plain

  local ns side
  ip -n "$A" route add default via 192.0.2.2
  ip -n "$A" -6 route add default via 2001:db8::2
  for side in a b; do
    [ $side = a ] && ns=$A || ns=$B
    ip -n "$ns" link add lan0 type veth peer name lan1
    ip -n "$ns" addr add "10.$([ $side = a ] && echo 1 || echo 2).0.1/24" dev lan0
    ip -n "$ns" link set lan0 up; ip -n "$ns" link set lan1 up
    ip netns exec "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=1
  done
  ip -n "$B" addr add 203.0.113.9/32 dev lo # over the default route that the link replaces
  link a routed 2 203.0.113.9:52002 '0.0.0.0/0, ::/0, 10.2.0.0/24'
  link b routed 2 '' 10.1.0.0/24
  start b routed; start a routed
  eventually runs_up a routed
  eventually runs_up b routed
  healthy a routed
  healthy b routed

  R=sw-r-$id N=sw-n-$id
  ip netns add "$R"; ip netns add "$N"
  ip link add v0 netns "$N" type veth peer name v0 netns "$R"
  ip link add v1 netns "$R" type veth peer name v1 netns "$B"
  ip -n "$N" addr add 172.31.1.2/24 dev v0; ip -n "$R" addr add 172.31.1.1/24 dev v0
  ip -n "$R" addr add 198.51.100.1/24 dev v1; ip -n "$B" addr add 198.51.100.2/24 dev v1
  ip -n "$N" link set v0 up; ip -n "$R" link set v0 up; ip -n "$R" link set v1 up; ip -n "$B" link set v1 up
  ip -n "$N" route add default via 172.31.1.1
  ip netns exec "$R" sysctl -qw net.ipv4.ip_forward=1
  ip netns exec "$R" nft 'table ip n { chain p { type nat hook postrouting priority 100; oifname "v1" masquerade; }; }'
  A=$N # the host behind R
  link a nat 3 198.51.100.2:52003
  link b nat 3 ''
  start b nat; start a nat
  eventually runs_up a nat
  eventually runs_up b nat
  healthy a nat
  healthy b nat
}
