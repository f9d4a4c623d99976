# What `make` builds and installs: the same bytes everywhere, hardened, with the packager's flags.  And properties of the
# sources and documents.

# shellcheck shell=bash

# make_in TREE ARGUMENT...: runs make without the variables of the make that runs this test.
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
    cp -R Makefile LICENSE contrib docs include src "$tree"
    mkdir "$tree/tests"
    cp tests/tests.mk "$tree/tests"
  done
  make_in "$one" -j2 all
  TZ=Asia/Tokyo LC_ALL=C make_in "$other" all
}

setup() {
  saltway=$one/build/saltway
}

# refute COMMAND...: the command must fail (`! command` does not fail a test).
refute() {
  if "$@"; then echo "should have failed: $*"; return 1; fi
}

headers() { readelf -W -l "$saltway"; }
dynamic() { readelf -W -d "$saltway"; }
imports() { readelf -W --dyn-syms "$saltway" | awk '$7 == "UND" {sub(/@.*/, "", $8); print $8}'; }

@test "builds in two directories are the same bytes" {
  local file
  for file in saltway libsaltway.a; do
    [ -s "$one/build/$file" ]
    cmp "$one/build/$file" "$other/build/$file"
  done
}

@test "the build directory is not in the program or the library" {
  refute grep -F "$BATS_FILE_TMPDIR" "$saltway" "$one/build/libsaltway.a"
}

@test "the program is loaded at a random address" {
  readelf -h "$saltway" | grep -E 'Type: +DYN'
  dynamic | grep -E 'FLAGS_1.*\<PIE\>'
  refute grep TEXTREL <(dynamic)
}

@test "relocated data is read-only before the program starts" {
  headers | grep -w GNU_RELRO
  dynamic | grep -E 'FLAGS_1.*\<NOW\>'
}

@test "no memory is both writable and executable, and the stack is not executable" {
  headers | grep -E 'GNU_STACK .* RW +0x'
  refute grep RWE <(headers)
}

@test "the stack has canaries, and calls to libc check the sizes of buffers" {
  imports | grep -qx __stack_chk_fail
  imports | grep -qx __memcpy_chk
  imports | grep -qx __vsnprintf_chk
}

# The linked program has the mark only if the C library's start files have it; those of Debian 12 do not.
@test "the processor can check indirect branches and returns (CET; BTI and PAC)" {
  local mark object
  case $(readelf -h "$saltway") in
    *X86-64*) mark='x86 feature:.*IBT, SHSTK' ;;
    *AArch64*) mark='AArch64 feature:.*BTI, PAC' ;;
    *) skip "this architecture has neither" ;;
  esac
  while read -r object; do
    readelf -n "$object" | grep -q "$mark"
  done < <(find "$one/build/src" -name '*.o')
  readelf -n "$(cc -print-file-name=Scrt1.o)" | grep -q "$mark" || return 0
  readelf -n "$saltway" | grep "$mark"
}

@test "a compiler without these flags is not given them" {
  cat >"$BATS_TEST_TMPDIR/cc" <<'SH'
#!/bin/sh
case $* in *-fcf-protection* | *-mbranch-protection* | *-fstack-clash-protection*) echo "cc: error: $*" >&2; exit 1 ;; esac
exec cc "$@"
SH
  chmod +x "$BATS_TEST_TMPDIR/cc"
  make_in "$one" CC="$BATS_TEST_TMPDIR/cc" BUILD=elsewhere elsewhere/src/base/error.o
}

@test "the program has no library path of its own" {
  refute grep -E 'RPATH|RUNPATH' <(dynamic)
}

@test "the packager's CPPFLAGS and CFLAGS reach the compiler, after ours" {
  make_in "$one" WERROR=1 V=1 BUILD=flags CPPFLAGS=-DPACKAGER=1 CFLAGS='-O1 -fno-plt' flags/src/base/error.o |
    grep -E -- '-D_FORTIFY_SOURCE=2 .* -DPACKAGER=1 -O1 -fno-plt '
}

@test "a level of _FORTIFY_SOURCE that the packager or the compiler sets is kept" {
  # the compiler warns about two different levels, and WERROR makes that an error
  make_in "$one" WERROR=1 BUILD=level CPPFLAGS=-D_FORTIFY_SOURCE=3 level/src/base/error.o
  make_in "$one" WERROR=1 BUILD=none CFLAGS='-O2 -U_FORTIFY_SOURCE' none/src/base/error.o
  printf '#!/bin/sh\nexec cc -D_FORTIFY_SOURCE=1 "$@"\n' >"$BATS_TEST_TMPDIR/cc"
  chmod +x "$BATS_TEST_TMPDIR/cc"
  make_in "$one" WERROR=1 BUILD=compiler CC="$BATS_TEST_TMPDIR/cc" compiler/src/base/error.o
}

@test "a build without optimization has no warning" {
  make_in "$one" WERROR=1 BUILD=plain CFLAGS=-O0 plain/src/base/error.o
}

@test "a cross build finds libraries with its PKG_CONFIG, and with no other" {
  local bin=$BATS_TEST_TMPDIR/bin real
  real=$(command -v pkg-config)
  mkdir "$bin"
  printf '#!/bin/sh\necho called >>"%s/native"\nexit 1\n' "$BATS_TEST_TMPDIR" >"$bin/pkg-config"
  printf '#!/bin/sh\necho "$*" >>"%s/cross"\nexec "%s" "$@"\n' "$BATS_TEST_TMPDIR" "$real" >"$bin/cross-pkg-config"
  chmod +x "$bin"/*
  PATH=$bin:$PATH make_in "$one" BUILD=cross PKG_CONFIG=cross-pkg-config cross/src/base/error.o
  grep -e --cflags "$BATS_TEST_TMPDIR/cross"
  grep -e --libs "$BATS_TEST_TMPDIR/cross"
  [ ! -e "$BATS_TEST_TMPDIR/native" ]
}

@test "the unit tests and the simulation need no package manager and no root" {
  cd "$BATS_TEST_DIRNAME/../.." || return
  make_in . -n check-unit check-sim >"$BATS_TEST_TMPDIR/commands"
  grep -F 'sim --seeds' "$BATS_TEST_TMPDIR/commands"
  refute grep -E 'install-packages|apt-get|sudo|bats' "$BATS_TEST_TMPDIR/commands"
}

# install_packages INSTALLED UID PACKAGE...: runs contrib/install-packages as this user on a Debian machine that has one
# package, INSTALLED.
install_packages() {
  local bin=$BATS_TEST_TMPDIR/debian installed=$1 uid=$2; shift 2
  mkdir -p "$bin"
  printf '#!/bin/sh\neval package=\\$$#\n[ "$package" = "%s" ] && printf installed\n' "$installed" >"$bin/dpkg-query"
  printf '#!/bin/sh\necho %s\n' "$uid" >"$bin/id"
  printf '#!/bin/sh\necho "apt-get $*" >>"%s/apt"\n' "$BATS_TEST_TMPDIR" >"$bin/apt-get"
  chmod +x "$bin"/*
  PATH=$bin:$PATH "$BATS_TEST_DIRNAME/../../contrib/install-packages" "$@"
}

@test "only the missing packages are installed" {
  install_packages gcc 0 gcc
  [ ! -e "$BATS_TEST_TMPDIR/apt" ]
  install_packages gcc 0 gcc bats
  grep -E '^apt-get .*install .* bats$' "$BATS_TEST_TMPDIR/apt"
  refute grep gcc "$BATS_TEST_TMPDIR/apt"
}

@test "without root the missing packages are named, with the command that installs them" {
  run install_packages gcc 1000 gcc bats socat
  [ "$status" = 1 ]
  [[ $output == *"sudo apt-get install bats socat"* ]]
  [ ! -e "$BATS_TEST_TMPDIR/apt" ]
}

@test "without dpkg the needed packages are named, and the build goes on" {
  run env PATH=/nonexistent /bin/sh "$BATS_TEST_DIRNAME/../../contrib/install-packages" gcc bats
  [ "$status" = 0 ]
  [[ $output == *"gcc bats"* ]]
}

@test "what is installed works, and uninstall removes all of it" {
  local root=$BATS_TEST_TMPDIR/root
  make_in "$one" install DESTDIR="$root" PREFIX=/usr INITDIR=/etc/init.d
  "$root/usr/sbin/saltway" genkey | grep -qE '^[A-Za-z0-9+/]{43}=$'
  grep -qF 'ExecStart=/usr/sbin/saltway' "$root/usr/lib/systemd/system/saltway@.service"
  grep -qF 'exec /usr/sbin/saltway status --metrics' "$root/usr/lib/systemd/system/saltway-metrics@.service"
  [ -s "$root/usr/share/man/man7/saltway-protocol.7" ]
  jq -e '.type == "array"' "$root/usr/share/saltway/status.schema.json"
  bash -c '. "$0"; complete -p saltway' "$root/usr/share/bash-completion/completions/saltway"
  grep -qE '^u saltway - ' "$root/usr/lib/sysusers.d/saltway.conf"
  [ "$(find "$root" -type f | wc -l)" -gt 8 ]
  make_in "$one" uninstall DESTDIR="$root" PREFIX=/usr INITDIR=/etc/init.d
  [ -z "$(find "$root" ! -type d)" ]
  [ ! -e "$root/etc/saltway" ]
}

@test "a program that embeds a link is built with pkg-config, and makes one" {
  local root=$BATS_TEST_TMPDIR/root multiarch=/usr/lib/some-where
  make_in "$one" install DESTDIR="$root"
  # the flags are one word each
  # shellcheck disable=SC2046
  cc -Wall -Wextra -Werror -o "$BATS_TEST_TMPDIR/embed" "$one/docs/examples/embed.c" \
    $(PKG_CONFIG_PATH=$root/usr/local/lib/pkgconfig pkg-config --define-prefix --static --cflags --libs saltway)
  "$BATS_TEST_TMPDIR/embed" >"$BATS_TEST_TMPDIR/output"
  diff <(sort "$BATS_TEST_TMPDIR/output") - <<'OUTPUT'
a: a packet of 21 bytes from b
b: a packet of 21 bytes from a
OUTPUT
  [ "$(wc -l <"$one/docs/examples/embed.c")" -lt 100 ]
  make_in "$one" install DESTDIR="$root" PREFIX=/usr LIBDIR=$multiarch
  [ "$(PKG_CONFIG_PATH=$root$multiarch/pkgconfig pkg-config --variable=libdir saltway)" = $multiarch ]
  [[ $("$root/usr/sbin/saltway" --version) == "saltway $(PKG_CONFIG_PATH=$root$multiarch/pkgconfig pkg-config --modversion saltway) "* ]]
}

@test "the directory of keys is installed for its owner only, and keeps its mode and its keys" {
  local root=$BATS_TEST_TMPDIR/root
  make_in "$one" install DESTDIR="$root"
  [ "$(stat -c %a "$root/etc/saltway")" = 700 ]
  [ "$(stat -c %a "$root/etc")" = 755 ]
  chmod 750 "$root/etc/saltway"
  echo secret >"$root/etc/saltway/site.key"
  make_in "$one" install DESTDIR="$root"
  [ "$(stat -c %a "$root/etc/saltway")" = 750 ]
  make_in "$one" uninstall DESTDIR="$root"
  [ "$(cat "$root/etc/saltway/site.key")" = secret ]
}

@test "systemd accepts the units, and rates them as hardened" {
  command -v systemd-analyze || skip "no systemd-analyze"
  local name exposure unit
  while read -r name exposure; do
    unit=$BATS_TEST_TMPDIR/${name}x.service
    sed "s,/usr/local/sbin/saltway,$saltway," "$one/contrib/systemd/$name.service" >"$unit"
    run systemd-analyze verify --man=no "$unit"
    echo "$output"
    [ "$status" = 0 ]
    [ -z "$output" ]
    # in tenths; the units say why it is not less
    systemd-analyze security --offline=true --threshold="$exposure" "$unit"
  done <<<'saltway@ 25
saltway-metrics@ 13'
}

# as_openrc SERVICE FUNCTION: runs a function of OpenRC's script as that service.
as_openrc() {
  (
    RC_SVCNAME=$1
    eerror() { echo "$*"; }
    checkpath() { :; }
    # shellcheck disable=SC1091
    . "$one/contrib/openrc/saltway"
    command=$saltway
    "$2"
  )
}

@test "OpenRC starts a link of its name, unless its configuration has a mistake" {
  link_of() { echo "$command $command_args"; }
  [ "$(as_openrc saltway.site-b link_of)" = "$saltway up site-b" ]
  run as_openrc saltway start_pre
  [ "$status" = 1 ]
  [[ $output == *saltway.NAME* ]]
  run as_openrc saltway.no-such-link start_pre
  [ "$status" = 1 ]
}

# as_openwrt UCI-FILE FUNCTION...: runs a function of OpenWrt's script, with what OpenWrt gives to it. Prints what procd is told.
as_openwrt() {
  cat >"$BATS_TEST_TMPDIR/openwrt" <<'SH'
config() { CONFIG_SECTION=$2; config_cb "$@"; }
option() { option_cb "$@"; }
list() { list_cb "$@"; }
config_load() { CONFIG_SECTION=; . "$UCI"; ${CONFIG_SECTION:+config_cb}; }
procd_open_instance() { echo "instance $1"; }
procd_set_param() { echo "  $*"; }
procd_close_instance() { :; }
procd_kill() { echo "kill $2"; }
ln() { :; }
start() { start_service; }
. "$INIT"
FILES=$WORK PROG=$PROGRAM
"$@"
SH
  mkdir -p "$BATS_TEST_TMPDIR/etc"
  UCI=$1 INIT=$one/contrib/openwrt/saltway.init WORK=$BATS_TEST_TMPDIR/etc PROGRAM=$saltway \
    dash "$BATS_TEST_TMPDIR/openwrt" "${@:2}"
}

@test "OpenWrt's example is a link, and procd runs it once it is enabled" {
  local uci=$BATS_TEST_TMPDIR/uci conf=$BATS_TEST_TMPDIR/etc/site_b.conf
  (umask 077 && "$saltway" genkey >"$BATS_TEST_TMPDIR/site_b.key")
  sed "s,/etc/saltway/site_b.key,$BATS_TEST_TMPDIR/site_b.key," "$one/contrib/openwrt/saltway.config" >"$uci"
  [ -z "$(as_openwrt "$uci" start_service)" ]
  sed -i "s/enabled '0'/enabled '1'/" "$uci"
  printf "%s\n" "config link other" "  list post_up 'echo \"%i\" | cat'" "  list post_up true" "  option mtu 1400" \
    "  option AllowedIPs '10.3.0.0/16'" >>"$uci"
  run as_openwrt "$uci" start_service
  echo "$output"
  [ "$(grep -c ^instance <<<"$output")" = 2 ]
  grep -qF "  command $saltway up $conf" <<<"$output"
  "$saltway" check "$conf"
  diff - "$conf" <<CONF
[Interface]
address = 10.77.0.1/30
listenport = 51900
[Peer]
presharedkeyfile = $BATS_TEST_TMPDIR/site_b.key
endpoint = b.example.net:51900
allowedips = 10.2.0.0/16
CONF
  diff - "$BATS_TEST_TMPDIR/etc/other.conf" <<'CONF'
[Interface]
postup = echo "%i" | cat
postup = true
mtu = 1400
[Peer]
allowedips = 10.3.0.0/16
CONF
}

@test "OpenWrt starts a link again that cannot be reloaded, but not one whose configuration has a mistake" {
  local uci=$BATS_TEST_TMPDIR/uci
  (umask 077 && "$saltway" genkey >"$BATS_TEST_TMPDIR/site_b.key")
  export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR # no link runs
  printf "%s\n" "config link good" "  option listen_port 51900" "  option preshared_key_file $BATS_TEST_TMPDIR/site_b.key" \
    "  option allowed_ips 10.2.0.0/16" "config link bad" "  option listen_port 0" >"$uci"
  run as_openwrt "$uci" reload_service
  echo "$output"
  grep -qx 'kill good' <<<"$output"
  refute grep -q 'kill bad' <<<"$output"
  [ "$(grep -c ^instance <<<"$output")" = 2 ]
}

@test "OpenWrt's package installs files that exist" {
  local top=$BATS_TEST_TMPDIR/top root=$BATS_TEST_TMPDIR/root
  mkdir -p "$top/include"
  : >"$top/rules.mk"
  printf 'test: ; $(Build/Prepare)\n\t$(call Package/saltway/install,$(ROOT))\n' >"$top/include/package.mk"
  mkdir -p "$top/build/build"
  cp "$saltway" "$top/build/build/"
  make -f "$one/contrib/openwrt/Makefile" test TOPDIR="$top" INCLUDE_DIR="$top/include" PKG_BUILD_DIR="$top/build" ROOT="$root" \
    CP='cp -R' INSTALL_DIR='install -d' INSTALL_BIN='install -m 0755' INSTALL_CONF='install -m 0600'
  [ -x "$root/etc/init.d/saltway" ]
  [ -x "$root/usr/sbin/saltway" ]
  [ -s "$root/etc/config/saltway" ]
  make_in "$top/build" -n build/saltway >/dev/null
}

# completed WORD...: prints what bash offers for the last word.
completed() {
  local COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _saltway
  printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd ' '
}

@test "bash completes subcommands, options, and the names of links" {
  local etc=$BATS_TEST_TMPDIR/etc here; here=$(stat -L -c %i /proc/self/ns/net)
  export RUNTIME_DIRECTORY=$BATS_TEST_TMPDIR/run
  mkdir "$etc" "$RUNTIME_DIRECTORY"
  touch "$etc/site-a.conf" "$etc/site-b.conf" "$etc/site-b.key" "$RUNTIME_DIRECTORY/no-socket@$here.sock"
  for name in "site-b@$here" "test@$here" "site-c@1"; do
    python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$RUNTIME_DIRECTORY/$name.sock"
  done
  sed "s,/etc/saltway,$etc," "$one/contrib/completion/saltway.bash" >"$BATS_TEST_TMPDIR/completion"
  # shellcheck disable=SC1091
  . "$BATS_TEST_TMPDIR/completion"
  [ "$(completed "$saltway" d)" = "doctor down" ]
  [ "$(completed "$saltway" '' | wc -w)" = $(($("$saltway" --help | grep -c '^  saltway') + 1)) ] # --help and --version share a line
  [ "$(completed saltway up '')" = "site-a site-b" ]
  [ "$(completed saltway check site-a site-)" = "site-a site-b" ]
  [ "$(completed saltway down '')" = "site-b test" ]
  [ "$(completed saltway reload t)" = test ]
  [ "$(completed saltway doctor site-)" = "site-a site-b" ]
  [ "$(completed saltway status --)" = "--json --metrics --watch" ]
  [ "$(completed saltway status --json '')" = "--json --metrics --watch site-b test" ]
  [ "$(completed saltway test --)" = "--json --keep --listen" ]
  [ "$(completed saltway test --listen s)" = site-b ]
  [ "$(completed saltway bench -)" = --json ]
  [ "$(completed saltway pair --n)" = "--networks-a --networks-b" ]
  [ -z "$(completed saltway pair --port '')" ]
  rm -r "$etc" "$RUNTIME_DIRECTORY"
  [ -z "$(completed saltway down '')$(completed saltway up '')" ]
}

@test "zsh and fish understand their completions" {
  local shell=none
  if command -v zsh >/dev/null; then zsh -n "$one/contrib/completion/_saltway"; shell=zsh; fi
  if command -v fish >/dev/null; then fish -n "$one/contrib/completion/saltway.fish"; shell=fish; fi
  [ $shell != none ] || skip "neither is installed"
}

@test "the tarball has the files that git tracks" {
  cd "$BATS_TEST_DIRNAME/../.." || return
  git rev-parse --verify HEAD >/dev/null 2>&1 || skip "not a git repository"
  make_in . dist DIST="$BATS_TEST_TMPDIR/saltway.tar.gz"
  diff <(git ls-tree -r --name-only HEAD | sort) \
    <(tar tf "$BATS_TEST_TMPDIR/saltway.tar.gz" | grep -v '/$' | sed 's,^[^/]*/,,' | sort)
}

@test "the tarballs of a commit are the same bytes, and one builds without git" {
  cd "$BATS_TEST_DIRNAME/../.." || return
  git rev-parse --verify HEAD >/dev/null 2>&1 || skip "not a git repository"
  local work=$BATS_TEST_TMPDIR version
  version=$(sed -n 's/^VERSION *:= *//p' Makefile)
  git clone -q . "$work/clone"
  git -C "$work/clone" config tar.umask 0077
  make_in . dist DIST="$work/one.tar.gz"
  (umask 077; TZ=Asia/Tokyo make_in "$work/clone" dist DIST="$work/other.tar.gz")
  cmp "$work/one.tar.gz" "$work/other.tar.gz"
  [ "$(tar tvzf "$work/one.tar.gz" --numeric-owner | awk '{print $2}' | sort -u)" = 0/0 ]
  tar xzf "$work/one.tar.gz" -C "$work"
  make_in "$work/saltway-$version" -j2 CFLAGS=-O0
  [[ $("$work/saltway-$version/build/saltway" --version) == "saltway $version "* ]]
}

# What SPDX 2.3 and its JSON schema require of a document and of each package.  The schema allows no other keys.
@test "the tarball's SPDX document has it and the libraries, with their versions" {
  cd "$BATS_TEST_DIRNAME/../.." || return
  git rev-parse --verify HEAD >/dev/null 2>&1 || skip "not a git repository"
  local work=$BATS_TEST_TMPDIR
  make_in . dist DIST="$work/s.tar.gz"
  jq -e --arg sum "$(sha256sum "$work/s.tar.gz" | cut -d ' ' -f 1)" --arg sodium "$(pkg-config --modversion libsodium)" \
    --arg uv "$(pkg-config --modversion libuv)" --arg version "$(sed -n 's/^VERSION *:= *//p' Makefile)" '
    def only($allowed): keys - ($allowed | split(" ")) == [];
    only("SPDXID creationInfo dataLicense documentDescribes documentNamespace name packages relationships spdxVersion")
    and (.creationInfo | only("created creators"))
    and (.packages | all(only("SPDXID checksums copyrightText downloadLocation filesAnalyzed licenseConcluded licenseDeclared" +
      " name packageFileName versionInfo") and .filesAnalyzed == false and ([.[] | select(type == "string")] | all(length > 0))))
    and ([.packages[].checksums // [] | .[]] | all(only("algorithm checksumValue") and .algorithm == "SHA256"))
    and (.relationships | all(only("relatedSpdxElement relationshipType spdxElementId")
      and (.relationshipType | IN("DESCRIBES", "DEPENDS_ON"))))
    and .documentDescribes == ["SPDXRef-saltway"]
    and .spdxVersion == "SPDX-2.3" and .dataLicense == "CC0-1.0" and .SPDXID == "SPDXRef-DOCUMENT" and (.name | length > 0)
    and (.documentNamespace | test("^https://[^#]+$"))
    and (.creationInfo.created | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$"))
    and (.creationInfo.creators | length > 0 and all(test("^Tool: [^ ]+-[0-9.]+$")))
    and (.packages | all(.SPDXID | test("^SPDXRef-[A-Za-z0-9.-]+$")))
    and (.packages | all((.name | length > 0) and has("downloadLocation") and (.versionInfo | test("^[0-9]"))))
    and ([.packages[].name] | sort == ["jansson", "libnl", "libsodium", "libuv", "saltway"])
    and (INDEX(.packages[]; .name) | .libsodium.versionInfo == $sodium and .libuv.versionInfo == $uv
      and .saltway.versionInfo == $version and .saltway.checksums[0].checksumValue == $sum)
    and ([.packages[].SPDXID] as $known | .relationships
      | all((.relatedSpdxElement | IN($known[])) and (.spdxElementId | IN("SPDXRef-DOCUMENT", $known[]))) and any(.relationshipType == "DESCRIBES")
      and ([.[] | select(.relationshipType == "DEPENDS_ON")] | length == 4))' "$work/s.spdx.json"
}

@test "every include points down the layers" {
  "$BATS_TEST_DIRNAME/layers"
}

# But for one comparison with the kernel's timestamps of datagrams, which have no other clock.
@test "nothing asks for the time of day, and the protocol asks for no clock" {
  local clocks='time|ftime|gettimeofday|timespec_get|clock|clock_.*|timer_create|timerfd_create'
  [ "$(cd "$one" && grep -rE 'CLOCK_(REALTIME|TAI)' src include)" = \
    'src/linux/udp.c:  clock_gettime(CLOCK_REALTIME, &now);' ]
  imports | grep -qx clock_gettime
  refute grep -xE "$clocks" <(imports | grep -vx clock_gettime)
  nm -u "$one/build/libsaltway.a" | grep -qw sodium_memzero
  refute grep -wE "U ($clocks)" <(nm -u "$one/build/libsaltway.a")
}

@test "an include that points up or across the layers is reported" {
  local tree=$BATS_TEST_TMPDIR/tree
  mkdir "$tree"
  cp -R "$one/src" "$tree/src"
  layers=$BATS_TEST_DIRNAME/layers
  while read -r file header; do
    cp "$tree/$file" "$BATS_TEST_TMPDIR/before"
    echo "#include $header" >>"$tree/$file"
    run "$layers" "$tree"
    echo "$output"
    [ "$status" = 1 ]
    [[ $output == *"$file:"*"may not include ${header:1:-1}"* ]]
    cp "$BATS_TEST_TMPDIR/before" "$tree/$file"
  done <<'INCLUDES'
src/packet/gso.c "protocol/link_state.h"
src/protocol/link.c "engine/pump.h"
src/protocol/link.c <sys/socket.h>
src/linux/udp.c "channel/channel.h"
src/config/config.c "parent/host.h"
src/parent/host.c "engine/pump.h"
src/parent/host.c "saltway/link.h"
src/resolver/resolver.c "config/config.h"
src/base/log.c "config/config.h"
INCLUDES
}

@test "every function on a walk through the code exists, and no walk is long or enters a file twice" {
  cd "$BATS_TEST_DIRNAME/../.." || return
  local line file name station stations=0 seen=
  while read -r line; do
    if [[ $line == '## '* ]]; then seen=; continue; fi
    [[ $line =~ ^([0-9]+)\.\ \`(src/[a-z0-9_/]+\.c)\`:\ (.*)$ ]] || { echo "not a station: $line"; return 1; }
    station=${BASH_REMATCH[1]} file=${BASH_REMATCH[2]}
    [ "$station" -le 8 ]
    [[ $seen != *" $file "* ]] || { echo "entered twice: $file"; return 1; }
    seen+=" $file "
    stations=$((stations + 1))
    # the functions come first, up to the next colon
    while read -r name; do
      grep -qE "^[a-z].*\b$name\(" "$file" || { echo "$file has no function $name"; return 1; }
    done < <(grep -o '`[a-z0-9_]*`' <<<"${BASH_REMATCH[3]%%: *}" | tr -d '`')
  done < <(sed -n '/^# Walks/,/^# Working/p' CONTRIBUTING.md | grep -E '^(## |[0-9])')
  [ "$stations" -ge 20 ]
}
