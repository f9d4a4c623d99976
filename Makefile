# saltway: an encrypted site-to-site link.
#
#   make            build/saltway and build/libsaltway.a
#   sudo make demo  install what is missing, build, and show a link between two namespaces
#   sudo make check install what is missing, build, and run all tests (SANITIZE=1: under ASan and UBSan)
#   make fuzz       libFuzzer on all that is parsed      make lint       what static analysis finds
#
# V=1 shows the commands.  PREFIX, DESTDIR, CC, CFLAGS, LDFLAGS are the packager's.

VERSION  := 0.1.0
PREFIX   ?= /usr/local
SBINDIR  ?= $(PREFIX)/sbin
LIBDIR   ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR   ?= $(PREFIX)/share/man
UNITDIR  ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
CFLAGS   ?= -O2 -g
SEEDS    ?= 1-2000
DIST     ?= saltway-$(VERSION).tar.gz

BUILD := build$(if $(SANITIZE),/sanitize)$(if $(TSAN),/tsan)
Q     := $(if $(V),,@)

PACKAGES := libsodium libuv libnl-route-3.0 inih jansson
DEBIAN_BUILD := gcc libc6-dev make pkg-config libsodium-dev libuv1-dev libnl-route-3-dev libinih-dev libjansson-dev
DEBIAN_DEMO  := iproute2 iputils-ping tcpdump
DEBIAN_TEST  := libcmocka-dev bats socat iperf3 ethtool procps util-linux mount python3 jq nftables
DEBIAN_BENCH := iperf3 ethtool procps python3 gnuplot-nox
DEBIAN_FUZZ  := clang libclang-rt-dev
DEBIAN_LINT  := clang clang-tidy cppcheck shellcheck mandoc

ifneq ($(filter-out clean deps demo check bench fuzz lint uninstall format dist,$(or $(MAKECMDGOALS),all)),)
MISSING := $(shell for p in $(PACKAGES); do pkg-config --exists $$p || echo $$p; done)
ifneq ($(MISSING),)
$(error missing: $(MISSING). On Debian: sudo apt-get install $(DEBIAN_BUILD))
endif
endif

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes $(if $(WERROR),-Werror)
# what only some machines have: of branches x86's CET, or ARM's PAC and BTI
takes = $(shell $(CC) -Werror $(1) -S -x c -o /dev/null /dev/null 2>/dev/null && echo $(1))
HARDENING := -fPIE -fstack-protector-strong $(call takes,-fstack-clash-protection) \
             $(or $(call takes,-fcf-protection),$(call takes,-mbranch-protection=standard)) \
             $(if $(SANITIZE)$(TSAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
# without the build directory in the debugging information, the bytes are the same wherever it is
PREFIX_MAP := '-ffile-prefix-map=$(CURDIR)=.'
HARDENED_LINK := -pie -Wl,-z,relro,-z,now,-z,noexecstack
ifdef SANITIZE
SANITIZER := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifdef TSAN
SANITIZER := -fsanitize=thread
endif

ALL_CFLAGS  = -std=gnu11 -D_GNU_SOURCE -DSALTWAY_VERSION='"$(VERSION)"' -Iinclude -iquote src \
              $(WARNINGS) $(HARDENING) $(PREFIX_MAP) $(SANITIZER) \
              $(patsubst -I%,-isystem%,$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)) $(CFLAGS)
ALL_LDFLAGS = $(HARDENED_LINK) $(SANITIZER) $(LDFLAGS)
LIBS        = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

# sorted, as archives keep the order, and not every make's wildcard has one
SOURCES := $(sort $(wildcard src/*/*.c))
LIBRARY := $(filter src/protocol/% src/packet/% src/base/address.c,$(SOURCES))
CORE  := $(patsubst %.c,$(BUILD)/%.o,$(LIBRARY))
REST  := $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(LIBRARY) src/cli/main.c,$(SOURCES)))
UNIT  := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
UNIT_SHARED := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(sort $(wildcard tests/unit/*.c))))
SIM   := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/sim/*.c)))

FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZED  := $(patsubst $(BUILD)/%,build/fuzz/%,$(CORE) $(REST)) build/fuzz/tests/sim/random.o
FUZZ_SECONDS ?= 60
FUZZ_SANITIZERS := address,undefined -fno-sanitize-recover=all

all: $(BUILD)/saltway $(BUILD)/libsaltway.a

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo '  CC    $<')
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsaltway.a: $(CORE)
	$(if $(Q),@echo '  AR    $@')
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/rest.a: $(REST)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(BUILD)/saltway: $(BUILD)/src/cli/main.o $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(if $(Q),@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_SHARED) $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(if $(Q),@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

$(BUILD)/sim: $(SIM) $(BUILD)/libsaltway.a
	$(if $(Q),@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The packages are looked for before the compiler is, so that a bare Debian can be told what it lacks.
deps:
	@contrib/install-packages $(DEBIAN_BUILD) $(PACKAGES_FOR)

demo:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEMO)'
	@$(MAKE) --no-print-directory all
	@contrib/demo $(BUILD)/saltway

check:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEMO) $(DEBIAN_TEST)'
	@$(MAKE) --no-print-directory check-unit check-sim $(if $(SANITIZE),,check-build) check-netns

check-unit: $(UNIT)
	@set -e; for t in $(UNIT); do $$t; done

# What has threads, under ThreadSanitizer, which some kernels' address layouts are too random for.
check-tsan:
	@$(MAKE) --no-print-directory TSAN=1 check-threads

check-threads: $(addprefix $(BUILD)/tests/unit/,test_workers test_batch test_pump)
	@set -e; for t in $^; do TSAN_OPTIONS=halt_on_error=1 setarch -R $$t; done

check-sim: $(BUILD)/sim
	$(BUILD)/sim --seeds $(if $(SANITIZE),1-200,$(SEEDS))

# Builds twice, elsewhere.
check-build:
	LC_ALL=C bats --print-output-on-failure tests/build

# What the netns tests load into the daemon, and what they send.
NETNS_HELPERS := $(addprefix $(BUILD)/tests/netns/,breakout.so fault.so kernel.so flood)

$(BUILD)/tests/netns/%.so: tests/netns/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo '  CC    $@')
	$(Q)$(CC) -D_GNU_SOURCE $(WARNINGS) -O2 -shared -fPIC -o $@ $<

$(BUILD)/tests/netns/%: tests/netns/%.c
	@mkdir -p $(@D)
	$(if $(Q),@echo '  CC    $@')
	$(Q)$(CC) -D_GNU_SOURCE $(WARNINGS) -O2 -o $@ $<

check-netns: $(BUILD)/saltway $(NETNS_HELPERS)
	LC_ALL=C TMPDIR=/tmp SALTWAY=$(abspath $(BUILD)/saltway) bats --print-output-on-failure tests/netns

# Ratios of one interleaved run, beside the tunnels that are installed; see tests/bench/peers.py.
bench:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEMO) $(DEBIAN_BENCH)'
	@$(MAKE) --no-print-directory measure

measure: $(BUILD)/saltway $(BUILD)/tests/bench/micro $(BUILD)/tests/bench/threads
	$(BUILD)/tests/bench/micro
	$(BUILD)/tests/bench/threads
	SALTWAY=$(abspath $(BUILD)/saltway) tests/bench/peers.py -o $(BUILD)/bench.json --svg $(BUILD)/bench.svg $(BENCH)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(if $(Q),@echo '  LD    $@')
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Takes about ten minutes.
mutation:
	tests/mutation/mutate.py

# libFuzzer, each target for FUZZ_SECONDS, two at a time.  What it finds goes to build/fuzz/found, new
# inputs to build/fuzz/corpus; `make fuzz-corpus` keeps of them what is needed to reach as much.
fuzz:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_FUZZ)'
	@$(MAKE) --no-print-directory -j2 --output-sync=target $(FUZZERS:build/fuzz/%=fuzz-%)

fuzz-%: build/fuzz/%
	@mkdir -p build/fuzz/corpus/$* build/fuzz/found tests/fuzz/corpus/$*
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=1024 -print_final_stats=1 \
	  -artifact_prefix=build/fuzz/found/$*- build/fuzz/corpus/$* tests/fuzz/corpus/$* >build/fuzz/$*.log 2>&1 || \
	  { tail -n 50 build/fuzz/$*.log; exit 1; }
	@echo "$*: $$(awk '/number_of_executed_units/ {print $$2}' build/fuzz/$*.log) executions"

fuzz-corpus: $(FUZZERS)
	@set -e; for f in $(notdir $(FUZZERS)); do \
	  rm -rf build/fuzz/merged && mkdir -p build/fuzz/merged build/fuzz/corpus/$$f tests/fuzz/corpus/$$f; \
	  build/fuzz/$$f -set_cover_merge=1 -use_counters=0 build/fuzz/merged tests/fuzz/corpus/$$f build/fuzz/corpus/$$f 2>/dev/null; \
	  rm -rf tests/fuzz/corpus/$$f && mv build/fuzz/merged tests/fuzz/corpus/$$f; done

build/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(Q),@echo '  FUZZ  $<')
	$(Q)clang $(filter-out $(HARDENING) -O% -Werror,$(ALL_CFLAGS)) -O1 -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZERS) \
	  -MMD -MP -c -o $@ $<

build/fuzz/saltway.a: $(FUZZED)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

build/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/saltway.a
	$(Q)clang -fsanitize=fuzzer,$(FUZZ_SANITIZERS) -o $@ $^ $(LIBS)

# cppcheck's ctuuninitvar takes a struct that is only written to for one that is read
lint:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_LINT)'
	cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
	  --inline-suppr --suppress=missingIncludeSystem --suppress=ctuuninitvar -Iinclude -Isrc src
	@printf '%s\n' $(SOURCES) | xargs -P 2 -I {} gcc $(ALL_CFLAGS) -Werror -fanalyzer -c -o /dev/null {}
	@printf '%s\n' $(SOURCES) | xargs -P 2 -I {} clang-tidy --quiet {} -- $(ALL_CFLAGS)
	shellcheck -S warning contrib/demo contrib/install-packages .ci/run tests/netns/*.bash
	mandoc -T lint -W warning docs/saltway.8 docs/saltway.conf.5

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(LIBDIR) $(DESTDIR)$(INCLUDEDIR)/saltway \
	  $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR)
	install -m 0755 $(BUILD)/saltway $(DESTDIR)$(SBINDIR)/saltway
	install -m 0644 $(BUILD)/libsaltway.a $(DESTDIR)$(LIBDIR)/
	install -m 0644 include/saltway/*.h $(DESTDIR)$(INCLUDEDIR)/saltway/
	install -m 0644 docs/saltway.8 $(DESTDIR)$(MANDIR)/man8/
	install -m 0644 docs/saltway.conf.5 $(DESTDIR)$(MANDIR)/man5/
	sed "s,/usr/local/sbin,$(SBINDIR)," contrib/systemd/saltway@.service >$(DESTDIR)$(UNITDIR)/saltway@.service
	install -m 0644 contrib/sysusers.d/saltway.conf $(DESTDIR)$(SYSUSERSDIR)/

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/saltway $(DESTDIR)$(LIBDIR)/libsaltway.a \
	  $(DESTDIR)$(MANDIR)/man8/saltway.8 $(DESTDIR)$(MANDIR)/man5/saltway.conf.5 \
	  $(DESTDIR)$(UNITDIR)/saltway@.service $(DESTDIR)$(SYSUSERSDIR)/saltway.conf
	rm -rf $(DESTDIR)$(INCLUDEDIR)/saltway

dist:
	git archive --prefix=saltway-$(VERSION)/ -o $(DIST) HEAD

clean:
	rm -rf build

.PHONY: all deps demo check check-unit check-tsan check-threads check-sim check-build check-netns bench measure fuzz mutation lint format install \
        uninstall dist clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
