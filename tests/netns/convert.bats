#!/usr/bin/env bats
# saltway pair and saltway import: what they write works. The files of other programs are in tests/convert, written
# after public examples; options in their first line are those of saltway import. Topology: topology_pair.

load topology

examples=$BATS_TEST_DIRNAME/../convert

# options_of FILE: prints the options with which the example is imported.
options_of() { sed -n '1s/^# --/--/p' "$1"; }

@test "every example is imported, passes check, and none of its keys is shown or used again" {
  local file name count=0
  for file in "$examples"/*; do
    name=$(basename "$file")
    # shellcheck disable=SC2046
    "$SALTWAY" import -o "$work/$name" $(options_of "$file") "$file" >"$work/output" 2>&1 || { cat "$work/output"; false; }
    "$SALTWAY" check "$work/$name"/*/*.conf >>"$work/output"
    grep -q 'is not carried over' "$work/output"
    # lines of 32 hexadecimal digits are OpenVPN's keys, words of 43 characters and a "=" WireGuard's
    grep -oE '^[0-9a-f]{32}$|[A-Za-z0-9+/]{43}=' "$file" >"$work/keys" || true
    refute grep -rqFf "$work/keys" "$work/output" "$work/$name"
    cmp "$work/$name"/a/*.key "$work/$name"/b/*.key
    count=$((count + 1))
  done
  [ $count -ge 20 ]
}

# links FILE PING_A PING_B [OPTIONS]: a link comes up with the files as they are written, except that the hosts of
# Endpoints are those of the namespaces.
links() {
  local file=$1 to_a=$2 to_b=$3; shift 3
  topology_pair
  # shellcheck disable=SC2046
  "$SALTWAY" import -o "$work/new" --name sw0 "$@" "$examples/$file"
  cp -p "$work"/new/a/* "$work/a/"
  cp -p "$work"/new/b/* "$work/b/"
  sed -i 's/^Endpoint = .*:/Endpoint = 192.0.2.2:/' "$work/a/sw0.conf"
  sed -i 's/^Endpoint = .*:/Endpoint = 192.0.2.1:/' "$work/b/sw0.conf"
  up a
  up b
  wait_up
  ping_from a "$to_b"
  ping_from b "$to_a"
}

@test "a link comes up from an OpenVPN file with the key in it" {
  links inline.ovpn 192.168.200.2 192.168.200.1
}

@test "a link comes up from an OpenVPN file that waits for its peer" {
  links howto-server.ovpn 10.8.0.1 10.8.0.2 --host 192.0.2.1
}

@test "a link comes up from an OpenVPN file with IPv6" {
  links ipv6.ovpn fd66:1234::2 fd66:1234::1
}

@test "a link comes up from a wg-quick file of two sites" {
  links site-a.conf 10.0.0.1 10.0.0.2
}

@test "a link comes up from a wg-quick file that leads all traffic into it" {
  links dualstack.conf fd42:42:42::2 10.66.66.3
}

@test "a file with several peers is refused, and says how each becomes a link" {
  run "$SALTWAY" import -o "$work/new" "$examples/hub.conf"
  [ "$status" = 1 ]
  [[ $output == *"hub.conf:11: a second [Peer]"*"--peer 2 --name NAME"* ]]
  [ ! -e "$work/new" ]
}

@test "hooks that name the interface of the file name that of the link" {
  sed 's/%i/wg0/g' "$examples/postdown.conf" >"$work/wg0.conf"
  run "$SALTWAY" import -o "$work/new" --name sw0 "$work/wg0.conf"
  [[ $output == *"wg0.conf:5: PostUp: wg0, the name of the old interface, becomes %i"* ]]
  grep -q '^PostUp = iptables -A FORWARD -i %i -j ACCEPT;' "$work/new/a/sw0.conf"
  refute grep -q wg0 "$work/new/a/sw0.conf"
  "$SALTWAY" import -o "$work/same" "$work/wg0.conf"
  grep -q '^PostUp = iptables -A FORWARD -i wg0 -j ACCEPT;' "$work/same/a/wg0.conf"
}

@test "what makes import fail comes last, and the last line says that nothing was made" {
  local file=$work/wg0.conf
  printf '%s\n' '[Interface]' 'Adress = 10.0.0.1/24' 'DNS = 192.0.2.53' '[Peer]' 'Endpoint = b.example:1' \
    'AllowedIPs = 0.0.0.0/0' 'PublicKey = x' >"$file"
  run "$SALTWAY" import -o "$work/new" "$file"
  [ "$status" = 1 ]
  [[ $output == "$file:3: DNS is not carried over"*"$file:7: PublicKey is not"*"
$file:2: Adress is not a key of wg-quick's; remove it, or write Address
$file: nothing was made; see the line above" ]]
  echo 'Endpoint = b.example' >>"$file"
  run "$SALTWAY" import -o "$work/new" "$file"
  [[ $output == *"
$file:2: "*"
$file:8: "*"
$file: nothing was made; see the 2 lines above" ]]
  [ ! -e "$work/new" ]
}

@test "networks of an option that is given again are added to the list" {
  "$SALTWAY" pair -o "$work/new" sw0 - 192.0.2.2 --networks-b 10.2.0.0/16 --networks-a 10.1.0.0/16 \
    --networks-b fd02::/64,10.3.0.0/16 --networks-a 10.4.0.0/16
  grep -q '^AllowedIPs = 10.2.0.0/16, fd02::/64, 10.3.0.0/16,' "$work/new/a/sw0.conf"
  grep -q '^AllowedIPs = 10.1.0.0/16, 10.4.0.0/16,' "$work/new/b/sw0.conf"
  "$SALTWAY" import -o "$work/old" --networks 10.5.0.0/16 --networks 10.6.0.0/16 "$examples/site-a.conf"
  grep -q '^AllowedIPs = 10.5.0.0/16, 10.6.0.0/16,' "$work/old/b/site-a.conf"
}

@test "pair makes a link of both families, and its commands work when pasted" {
  topology_pair
  cd "$work"
  "$SALTWAY" pair sw0 192.0.2.1 2001:db8::2 --networks-a 10.1.0.0/16 --networks-b 10.2.0.0/16,fd02::/64 -o it\'s >output
  cp -p it\'s/a/* a/
  cp -p it\'s/b/* b/
  up a
  up b
  wait_up
  local v4 v6
  read -r v4 v6 <<<"$(sed -n 's/^Address = \(.*\)\/31, \(.*\)\/127/\1 \2/p' b/sw0.conf)"
  ping_from a "$v4"
  ping_from a "$v6"
  ip -n "$A" route get 10.2.3.4 | grep -q 'dev sw0'
  ip -n "$B" route get 10.1.3.4 | grep -q 'dev sw0'

  # another machine: ssh and scp reach a directory, and systemctl is only told
  mkdir bin remote
  printf '#!/bin/sh\necho ssh "$@" >>%s/told\n' "$work" >bin/ssh
  printf '#!/bin/sh\necho "$(basename "$0")" "$@" >>%s/told\n' "$work" | tee bin/systemctl >bin/saltway
  printf '#!/bin/sh\nfor to; do :; done\n[ "$to" = "root@[2001:db8::2]:/etc/saltway/" ] && cp -p "$2" "$3" %s/remote/\n' "$work" >bin/scp
  chmod +x bin/*
  sed -n 's/^  //p' output >commands
  # shellcheck disable=SC2016
  PATH=$work/bin:$PATH unshare -m sh -ec 'mount -t tmpfs none /etc; . ./commands; stat -c "%a %n" /etc/saltway /etc/saltway/*' >modes
  [ "$(cat modes)" = "700 /etc/saltway
600 /etc/saltway/sw0.conf
600 /etc/saltway/sw0.key" ]
  [ "$(stat -c '%a %n' remote/*)" = "600 remote/sw0.conf
600 remote/sw0.key" ]
  [ "$(cat told)" = "systemctl enable --now saltway@sw0
ssh root@2001:db8::2 install -d -m 0700 /etc/saltway
ssh root@2001:db8::2 systemctl enable --now saltway@sw0
saltway status sw0" ]
  [ ! -e it\'s ]
}

@test "pair makes nothing of hosts that make no link, and takes brackets" {
  run "$SALTWAY" pair -o "$work/new" sw0 192.0.2.1 192.0.2.1
  [ "$status" = 1 ]
  [[ $output == "pair: HOST_A and HOST_B are both 192.0.2.1; "* ]]
  run "$SALTWAY" pair -o "$work/new" sw0 a.example:51900 b.example
  [ "$status" = 1 ]
  [[ $output == 'pair: "a.example:51900" has a port, '*"; write a.example (--port sets that of both sides)" ]]
  [ ! -e "$work/new" ]
  "$SALTWAY" pair -o "$work/new" sw0 '[2001:db8::1]' '[2001:db8::2]' >"$work/output"
  grep -q "'root@\[2001:db8::2\]:/etc/saltway/'" "$work/output"
  grep -q '^Endpoint = \[2001:db8::1\]:51900$' "$work/new/b/sw0.conf"
}
