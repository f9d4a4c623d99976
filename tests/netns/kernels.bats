#!/usr/bin/env bats
# Kernels and devices that lack a feature.  All packets arrive whole, and the log says once what is slower.

load topology

KERNEL_LIBRARY=$(dirname "$SALTWAY")/tests/netns/kernel.so

# on_a_kernel_without FEATURE [LINE]: on side a the kernel lacks the feature.  All traffic passes, and the log says nothing
# about it, or has one line that contains LINE.
on_a_kernel_without() {
  not_sanitized "nothing can be preloaded"
  topology_pair
  config a 192.0.2.2:51900
  config b 192.0.2.1:51900
  touch "$work/a/up.log" # the engine writes to a journal, too
  JOURNAL_STREAM=$(stat -c %d:%i "$work/a/up.log") LD_PRELOAD=$KERNEL_LIBRARY KERNEL_LACKS=$1 up a
  up b
  wait_up
  tcp_hashed a b 10.77.0.2
  tcp_hashed b a 10.77.0.1
  tcp_hashed a b fd77::2
  tcp_hashed b a fd77::1
  for from in a b; do
    local to=b ns=$B address=10.77.0.2
    [ $from = a ] || { to=a ns=$A address=10.77.0.1; }
    ip netns exec "$ns" python3 "$BATS_TEST_DIRNAME/datagrams.py" receive $address >"$work/got" 3>&- &
    local receiver=$!
    pids+=("$receiver")
    eventually eval 'ip netns exec "$ns" ss -Hlun sport = :5002 | grep -q 5002'
    in_ns $from python3 "$BATS_TEST_DIRNAME/datagrams.py" send $address
    wait "$receiver" || { cat "$work/got"; false; }
  done
  nothing_dropped
  grep -vE 'no user saltway|interface sw0|up with|waiting on|connecting to|says that nothing listens' "$work/a/up.log" >"$work/said" || true
  cat "$work/said"
  if [ -n "${2:-}" ]; then grep -q "$2" "$work/said"; fi
  [ "$(wc -l <"$work/said")" = "$([ -z "${2:-}" ] && echo 0 || echo 1)" ]
}

@test "a TUN device without UDP super-packets (before Linux 6.2) carries all traffic" { on_a_kernel_without uso; }

@test "a kernel without UDP_SEGMENT carries all traffic" { on_a_kernel_without gso; }

@test "a kernel without UDP_GRO carries all traffic" { on_a_kernel_without gro; }

@test "a network device that cannot compute the checksums of segments carries all traffic, and the log says so once" {
  on_a_kernel_without checksums "cannot segment datagrams"
}

@test "a kernel without close_range (before 5.9) leaves the engine no more descriptors" {
  on_a_kernel_without close_range
  descriptors_of() { find "/proc/$(status_of "$1" .engine_pid)/fd" -type l | wc -l; }
  [ "$(descriptors_of a)" = "$(descriptors_of b)" ]
}

@test "a TUN device without a virtio header carries all traffic, and the log says so once" {
  on_a_kernel_without vnet "packets come one by one"
}
