#!/usr/bin/env bats
# The link between two namespaces: the real binary, real TUN devices, real sockets.

load topology

@test "genkey makes a key of 44 characters, another each time" {
  one=$("$SALTWAY" genkey) two=$("$SALTWAY" genkey)
  [ ${#one} = 44 ] && [ ${#two} = 44 ] && [ "$one" != "$two" ]
}

@test "an encrypted ping passes between two namespaces, v4 and v6" {
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  up a
  up b
  wait_up
  ping_from a 10.77.0.2
  ping_from b 10.77.0.1
  ping_from a fd77::2
}
