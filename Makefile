# saltway: an encrypted site-to-site link.
#
#   make              build/saltway and build/libsaltway.a
#   sudo make demo    install missing packages, build, and show a link between two namespaces
#   sudo make check   install missing packages, build, and run all tests (SANITIZE=1: under ASan and UBSan)
#   make check-unit check-sim    the tests that need no root, no network and no package manager
#   make deb          Debian's packages, in build/deb
#   make static       build/static/saltway, which needs no library of the machine
#   make dist         a tarball of HEAD, and what it is made of, as SPDX
#   make bench, fuzz, lint, mutation    see docs/testing.md
#
# V=1 prints the commands. Packagers set PREFIX, SYSCONFDIR, DESTDIR, CC, PKG_CONFIG, CPPFLAGS, CFLAGS and LDFLAGS.

VERSION     := 0.1.0
PREFIX      ?= /usr/local
SYSCONFDIR  ?= /etc
SBINDIR     ?= $(PREFIX)/sbin
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
MANDIR      ?= $(PREFIX)/share/man
DATADIR     ?= $(PREFIX)/share/saltway
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
BASHDIR     ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR      ?= $(PREFIX)/share/zsh/site-functions
FISHDIR     ?= $(PREFIX)/share/fish/vendor_completions.d
# of OpenRC, where it is installed; packagers set it
INITDIR     ?= $(if $(wildcard /sbin/openrc-run),$(SYSCONFDIR)/init.d)
UNITS       := saltway@.service saltway.target saltway-metrics@.service saltway-metrics.socket
PKG_CONFIG  ?= pkg-config
CFLAGS      ?= -O2 -g
DIST        ?= saltway-$(VERSION).tar.gz

BUILD := build$(if $(SANITIZE),/sanitize)$(if $(TSAN),/tsan)
Q     := $(if $(V),,@)
say    = $(if $(Q),@echo '  $(1)')

PACKAGES     := libsodium libuv libnl-route-3.0 jansson
DEBIAN_BUILD := gcc libc6-dev make pkg-config libsodium-dev libuv1-dev libnl-route-3-dev libjansson-dev
DEBIAN_DEMO  := iproute2 iputils-ping tcpdump
DEBIAN_DEB   := build-essential dpkg-dev debhelper libcmocka-dev
DEBIAN_MUSL  := musl-tools linux-libc-dev dpkg-dev patch xz-utils autoconf automake libtool flex bison
DEBIAN_LINT  := clang clang-tidy cppcheck shellcheck mandoc

ifneq ($(filter-out clean deps demo check bench fuzz lint uninstall format dist deb static,$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell for p in $(PACKAGES); do $(PKG_CONFIG) --exists $$p || echo $$p; done)
ifneq ($(MISSING),)
$(error missing: $(MISSING). On Debian: sudo apt-get install $(DEBIAN_BUILD))
endif
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes $(if $(WERROR),-Werror)
# Flags that not every compiler accepts for every architecture: x86 has CET, ARM has PAC and BTI.
takes = $(shell $(CC) -Werror $(1) -S -x c -o /dev/null /dev/null 2>/dev/null && echo $(1))
# Level 2, unless the user or the compiler sets one. It needs optimization, and hides errors from sanitizers.
MACROS  := $(shell $(CC) $(CPPFLAGS) $(CFLAGS) -dM -E -x c /dev/null 2>/dev/null)
FORTIFY := $(if $(SANITIZE)$(TSAN)$(findstring _FORTIFY_SOURCE,$(MACROS)),,$(if $(findstring __OPTIMIZE__,$(MACROS)),-D_FORTIFY_SOURCE=2))
HARDENING := -fPIE -fstack-protector-strong $(call takes,-fstack-clash-protection) \
             $(or $(call takes,-fcf-protection),$(call takes,-mbranch-protection=standard)) $(FORTIFY)
HARDENED_LINK := -pie -Wl,-z,relro,-z,now,-z,noexecstack
# Keeps the build directory out of debugging information, so that the bytes do not depend on it.
PREFIX_MAP := '-ffile-prefix-map=$(CURDIR)=.'
ifdef SANITIZE
SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef TSAN
SANITIZER := -fsanitize=thread
endif

LIBRARY_CFLAGS := $(patsubst -I%,-isystem%,$(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null))
LIBS           := $(shell $(PKG_CONFIG) --libs $(PACKAGES) 2>/dev/null)
ALL_CFLAGS  = -std=gnu11 -D_GNU_SOURCE -DSALTWAY_VERSION='"$(VERSION)"' -Iinclude -iquote src \
              $(WARNINGS) $(HARDENING) $(PREFIX_MAP) $(SANITIZER) $(LIBRARY_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(CFLAGS) $(HARDENED_LINK) $(SANITIZER) $(LDFLAGS)

# Sorted, because an archive keeps the order of its members, and not every make sorts wildcards.
SOURCES := $(sort $(wildcard src/*/*.c))
LIBRARY := $(filter src/protocol/% src/packet/% src/base/address.c,$(SOURCES))
CORE    := $(patsubst %.c,$(BUILD)/%.o,$(LIBRARY))
REST    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(LIBRARY) src/cli/main.c,$(SOURCES)))

all: $(BUILD)/saltway $(BUILD)/libsaltway.a

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC    $<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsaltway.a: $(CORE)
	$(call say,AR    $@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/rest.a: $(REST)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/saltway: $(BUILD)/src/cli/main.o $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(call say,LD    $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Checks for packages before anything needs a compiler, so that a bare Debian is told what is missing.
deps:
	@contrib/install-packages $(DEBIAN_BUILD) $(PACKAGES_FOR)

demo:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEMO)'
	@$(MAKE) --no-print-directory all
	@contrib/demo $(BUILD)/saltway

include tests/tests.mk

# cppcheck's ctuuninitvar reports structs that are only written to.
lint:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_LINT)'
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	  --inline-suppr --suppress=missingIncludeSystem --suppress=ctuuninitvar -Iinclude -Isrc src
	@printf '%s\n' $(SOURCES) | xargs -P 2 -I {} gcc $(ALL_CFLAGS) -Werror -fanalyzer -c -o /dev/null {}
	@printf '%s\n' $(SOURCES) | xargs -P 2 -I {} clang-tidy --quiet {} -- $(ALL_CFLAGS)
	shellcheck -S warning contrib/demo contrib/install-packages contrib/sbom .ci/run .ci/bare-root tests/build/layers tests/netns/*.bash tests/packages/[mrs]* \
	  contrib/openrc/saltway contrib/openwrt/saltway.init contrib/completion/saltway.bash
	mandoc -T lint -W warning docs/saltway.8 docs/saltway.conf.5 docs/saltway-protocol.7

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

# The configuration directory is for its owner only, because it holds keys. An existing one keeps its mode.
install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCLUDEDIR)/saltway \
	  $(addprefix $(DESTDIR)$(MANDIR)/,man5 man7 man8) $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(SYSCONFDIR) \
	  $(DESTDIR)$(DATADIR) $(DESTDIR)$(BASHDIR) $(DESTDIR)$(ZSHDIR) $(DESTDIR)$(FISHDIR)
	[ -d $(DESTDIR)$(SYSCONFDIR)/saltway ] || install -d -m 0700 $(DESTDIR)$(SYSCONFDIR)/saltway
	install -m 0755 $(BUILD)/saltway $(DESTDIR)$(SBINDIR)/saltway
	install -m 0644 $(BUILD)/libsaltway.a $(DESTDIR)$(LIBDIR)/
	install -m 0644 include/saltway/*.h $(DESTDIR)$(INCLUDEDIR)/saltway/
	sed -e 's,@PREFIX@,$(PREFIX),; s,@VERSION@,$(VERSION),' -e 's,@LIBDIR@,$(LIBDIR:$(PREFIX)/%=$${prefix}/%),' \
	  -e 's,@INCLUDEDIR@,$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%),' contrib/saltway.pc.in \
	  >$(DESTDIR)$(LIBDIR)/pkgconfig/saltway.pc
	install -m 0644 docs/saltway.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 docs/saltway.conf.5 $(DESTDIR)$(MANDIR)/man5/
	install -m 0644 docs/saltway-protocol.7 $(DESTDIR)$(MANDIR)/man7/
	install -m 0644 docs/status.schema.json $(DESTDIR)$(DATADIR)/
	for unit in $(UNITS); do \
	  sed "s,/usr/local/sbin,$(SBINDIR)," contrib/systemd/$$unit >$(DESTDIR)$(UNITDIR)/$$unit || exit; done
	install -m 0644 contrib/sysusers.d/saltway.conf $(DESTDIR)$(SYSUSERSDIR)/
	install -m 0644 contrib/completion/saltway.bash $(DESTDIR)$(BASHDIR)/saltway
	install -m 0644 contrib/completion/_saltway $(DESTDIR)$(ZSHDIR)/
	install -m 0644 contrib/completion/saltway.fish $(DESTDIR)$(FISHDIR)/
ifneq ($(INITDIR),)
	install -d $(DESTDIR)$(INITDIR)
	sed "s,/usr/local/sbin,$(SBINDIR)," contrib/openrc/saltway >$(DESTDIR)$(INITDIR)/saltway
	chmod 0755 $(DESTDIR)$(INITDIR)/saltway
endif

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/saltway $(DESTDIR)$(LIBDIR)/libsaltway.a $(DESTDIR)$(LIBDIR)/pkgconfig/saltway.pc \
	  $(addprefix $(DESTDIR)$(MANDIR)/,man8/saltway.8 man5/saltway.conf.5 man7/saltway-protocol.7) \
	  $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS)) $(DESTDIR)$(SYSUSERSDIR)/saltway.conf \
	  $(DESTDIR)$(BASHDIR)/saltway $(DESTDIR)$(ZSHDIR)/_saltway $(DESTDIR)$(FISHDIR)/saltway.fish \
	  $(if $(INITDIR),$(DESTDIR)$(INITDIR)/saltway)
	rm -rf $(DESTDIR)$(INCLUDEDIR)/saltway $(DESTDIR)$(DATADIR)
	[ ! -d $(DESTDIR)$(SYSCONFDIR)/saltway ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$(SYSCONFDIR)/saltway

# Debian's packages of this tree, in build/deb: built from a copy, because Debian wants its files at the top. keys/ may
# have keys.
EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y Makefile))
DEB  := build/deb/saltway-$(VERSION)
deb:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEB)'
	rm -rf build/deb && mkdir -p $(DEB)
	cp -R Makefile LICENSE *.md contrib docs include src tests $(DEB)
	cp -R contrib/debian $(DEB)/debian
	printf 'saltway ($(VERSION)) unstable; urgency=medium\n\n  * Version $(VERSION).\n\n -- %s  %s\n' \
	  "$$(sed -n 's/^Maintainer: //p' contrib/debian/control)" "$$(LC_ALL=C date -u -R -d @$(EPOCH))" >$(DEB)/debian/changelog
	cd $(DEB) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL dpkg-buildpackage -us -uc

# build/static/saltway needs no library of the machine: musl, and the others built from Debian's sources. Without WERROR,
# because macros in musl's headers convert signs.
MUSL := $(CURDIR)/build/portability/musl
static:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_MUSL)'
	tests/portability/musl $(MUSL)
	PKG_CONFIG_LIBDIR=$(MUSL)/root/lib/pkgconfig $(MAKE) --no-print-directory BUILD=build/static CC=$(MUSL)/cc WERROR= \
	  build/static/saltway

# The same bytes for a commit: git sorts the files, and gives them the time of the commit. Beside it, its SPDX document.
dist:
	git -c tar.umask=0022 archive --format=tar --prefix=saltway-$(VERSION)/ -o $(DIST:.gz=) HEAD
	gzip -9nf $(DIST:.gz=)
	PKG_CONFIG='$(PKG_CONFIG)' contrib/sbom $(VERSION) $(DIST) $(EPOCH) >$(DIST:.tar.gz=.spdx.json)

clean:
	rm -rf build

.PHONY: all deps demo lint format install uninstall deb static dist clean
.SECONDARY:
-include $(shell find $(addprefix $(BUILD)/,src tests fuzz) -name '*.d' -print 2>/dev/null)
