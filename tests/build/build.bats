# What `make` builds: the same bytes wherever that is, hardened; and what is installed, and removed.

# shellcheck shell=bash

# make_in TREE ARGUMENT...: free of what the make that runs this test was told.
make_in() {
  local tree=$1; shift
  env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -C "$tree" "$@"
}

setup_file() {
  local tree
  cd "$BATS_TEST_DIRNAME/../.." || return
  export one=$BATS_FILE_TMPDIR/one other=$BATS_FILE_TMPDIR/another/and-longer/place
  for tree in "$one" "$other"; do
    mkdir -p "$tree"
    cp -R Makefile contrib docs include src "$tree"
  done
  make_in "$one" -j2 all
  TZ=Asia/Tokyo LC_ALL=C make_in "$other" all
}

setup() {
  saltway=$one/build/saltway
}

# refute COMMAND...: it must fail. (`! command` would not end a test.)
refute() {
  if "$@"; then echo "should have failed: $*"; return 1; fi
}

headers() { readelf -W -l "$saltway"; }
dynamic() { readelf -W -d "$saltway"; }
imports() { readelf -W --dyn-syms "$saltway" | awk '$7 == "UND" {sub(/@.*/, "", $8); print $8}'; }

@test "two builds in different places are the same bytes" {
  local file
  for file in saltway libsaltway.a; do
    [ -s "$one/build/$file" ]
    cmp "$one/build/$file" "$other/build/$file"
  done
}

@test "no file name of the machine it was built on is in it" {
  refute grep -F "$BATS_FILE_TMPDIR" "$saltway" "$one/build/libsaltway.a"
}

@test "the program lies at a random place in memory" {
  readelf -h "$saltway" | grep -E 'Type: +DYN'
  dynamic | grep -E 'FLAGS_1.*\<PIE\>'
  refute grep TEXTREL <(dynamic)
}

@test "what the linker fills in is read-only before the program starts" {
  headers | grep -w GNU_RELRO
  dynamic | grep -E 'FLAGS_1.*\<NOW\>'
}

@test "no memory is writable and executable; the stack is not executable" {
  headers | grep -E 'GNU_STACK .* RW +0x'
  refute grep RWE <(headers)
}

@test "the stack is guarded, and calls of libc are checked for size" {
  imports | grep -qx __stack_chk_fail
  imports | grep -qx __memcpy_chk
  imports | grep -qx __vsnprintf_chk
}

# In the program itself the mark shows where the C library's start files have it, which Debian 12's
# have not.
@test "indirect branches and returns are made for the processor to check (CET; BTI and PAC)" {
  local mark object
  case $(readelf -h "$saltway") in
    *X86-64*) mark='x86 feature:.*IBT, SHSTK' ;;
    *AArch64*) mark='AArch64 feature:.*BTI, PAC' ;;
    *) skip "this machine has none of them" ;;
  esac
  while read -r object; do
    readelf -n "$object" | grep -q "$mark"
  done < <(find "$one/build/src" -name '*.o')
  readelf -n "$(cc -print-file-name=Scrt1.o)" | grep -q "$mark" || return 0
  readelf -n "$saltway" | grep "$mark"
}

@test "a compiler for a machine that has none of them is not asked for them" {
  cat >"$BATS_TEST_TMPDIR/cc" <<'SH'
#!/bin/sh
case $* in *-fcf-protection* | *-mbranch-protection* | *-fstack-clash-protection*) echo "cc: error: $*" >&2; exit 1 ;; esac
exec cc "$@"
SH
  chmod +x "$BATS_TEST_TMPDIR/cc"
  make_in "$one" CC="$BATS_TEST_TMPDIR/cc" BUILD=elsewhere elsewhere/src/base/error.o
}

@test "libraries are looked for where the system has them" {
  refute grep -E 'RPATH|RUNPATH' <(dynamic)
}

@test "what is installed works, and uninstalling removes it all" {
  local root=$BATS_TEST_TMPDIR/root
  make_in "$one" install DESTDIR="$root" PREFIX=/usr
  "$root/usr/sbin/saltway" genkey | grep -qE '^[A-Za-z0-9+/]{43}=$'
  grep -qF 'ExecStart=/usr/sbin/saltway' "$root/usr/lib/systemd/system/saltway@.service"
  grep -qE '^u saltway - ' "$root/usr/lib/sysusers.d/saltway.conf"
  cat >"$BATS_TEST_TMPDIR/user.c" <<'C'
#include <saltway/link.h>
int main(void) { sw_link_free(0); return 0; }
C
  cc -I"$root/usr/include" -o "$BATS_TEST_TMPDIR/user" "$BATS_TEST_TMPDIR/user.c" \
    -L"$root/usr/lib" -lsaltway -lsodium
  "$BATS_TEST_TMPDIR/user"
  [ "$(find "$root" -type f | wc -l)" -gt 8 ]
  make_in "$one" uninstall DESTDIR="$root" PREFIX=/usr
  [ -z "$(find "$root" -type f)" ]
}

@test "systemd understands the unit, and finds it hardened" {
  command -v systemd-analyze || skip "no systemd-analyze"
  local unit=$BATS_TEST_TMPDIR/saltway@x.service
  sed "s,/usr/local/sbin/saltway,$saltway," "$one/contrib/systemd/saltway@.service" >"$unit"
  run systemd-analyze verify --man=no "$unit"
  echo "$output"
  [ "$status" = 0 ]
  [ -z "$output" ]
  systemd-analyze security --offline=true --threshold=50 "$unit"
}

@test "the tarball holds what git tracks" {
  cd "$BATS_TEST_DIRNAME/../.." || return
  git rev-parse --verify HEAD >/dev/null 2>&1 || skip "not a git repository"
  make_in . dist DIST="$BATS_TEST_TMPDIR/saltway.tar.gz"
  diff <(git ls-tree -r --name-only HEAD | sort) \
    <(tar tf "$BATS_TEST_TMPDIR/saltway.tar.gz" | grep -v '/$' | sed 's,^[^/]*/,,' | sort)
}
