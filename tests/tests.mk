# The rules for tests, included by Makefile. docs/testing.md says what the tests prove.

SEEDS        ?= 1-2000
FUZZ_SECONDS ?= 60

DEBIAN_TEST  := libcmocka-dev bats socat iperf3 ethtool procps util-linux mount python3 jq nftables tmux python3-jsonschema python3-prometheus-client bird2
DEBIAN_BENCH := iperf3 ethtool procps python3 gnuplot-nox
DEBIAN_FUZZ  := clang libclang-rt-dev

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_SHARED := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/unit/test_%,$(sort $(wildcard tests/unit/*.c))))
SIM  := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/sim/*.c)))

FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(sort $(wildcard tests/fuzz/*.c)))
FUZZED  := $(patsubst $(BUILD)/%,build/fuzz/%,$(CORE) $(REST)) build/fuzz/tests/sim/random.o
FUZZ_SANITIZERS := address,undefined -fno-sanitize-recover=all

check:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEMO) $(DEBIAN_TEST)'
	@$(MAKE) --no-print-directory check-unit check-sim $(if $(SANITIZE),,check-build) check-netns

check-unit: $(UNIT)
	@set -e; for t in $(UNIT); do $$t; done

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_SHARED) $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(call say,LD    $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) -lcmocka

# Without address randomization: on some kernels ThreadSanitizer cannot map its memory with it.
check-tsan:
	@$(MAKE) --no-print-directory TSAN=1 check-threads

check-threads: $(addprefix $(BUILD)/tests/unit/,test_workers test_batch test_pump)
	@set -e; for t in $^; do TSAN_OPTIONS=halt_on_error=1 setarch -R $$t; done

check-sim: $(BUILD)/sim
	$(BUILD)/sim --seeds $(if $(SANITIZE),1-200,$(SEEDS))

$(BUILD)/sim: $(SIM) $(BUILD)/libsaltway.a
	$(call say,LD    $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# Builds in two temporary directories.
check-build:
	LC_ALL=C bats --print-output-on-failure tests/build

# Libraries that the netns tests load into the program, programs that send datagrams, and a program with a shorter timer.
NETNS_HELPERS := $(addprefix $(BUILD)/tests/netns/,breakout.so clock.so fault.so kernel.so flood other_version \
                   saltway_short_search)

check-netns: $(BUILD)/saltway $(NETNS_HELPERS)
	LC_ALL=C TMPDIR=/tmp SALTWAY=$(abspath $(BUILD)/saltway) bats --print-output-on-failure tests/netns

$(BUILD)/tests/netns/%.so: tests/netns/%.c
	@mkdir -p $(@D)
	$(call say,CC    $@)
	$(Q)$(CC) -D_GNU_SOURCE $(WARNINGS) -O2 -shared -fPIC -o $@ $<

$(BUILD)/tests/netns/other_version: $(BUILD)/tests/netns/other_version.o $(BUILD)/libsaltway.a
	$(call say,LD    $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/netns/saltway_%: $(BUILD)/src/cli/main.o $(BUILD)/tests/netns/%.o $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(call say,LD    $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/tests/netns/%: tests/netns/%.c
	@mkdir -p $(@D)
	$(call say,CC    $@)
	$(Q)$(CC) -D_GNU_SOURCE $(WARNINGS) -O2 -o $@ $<

# Compares saltway with the tunnels that are installed; see tests/bench/peers.py. BENCH names the peers. If its first
# word is `queues` or `fleet`, the others are the arguments of tests/bench/queues.py or fleet.py.
bench:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_DEMO) $(DEBIAN_BENCH)'
	@$(MAKE) --no-print-directory measure$(addprefix -,$(filter queues fleet,$(firstword $(BENCH))))

measure: $(BUILD)/saltway $(BUILD)/tests/bench/micro $(BUILD)/tests/bench/threads
	$(BUILD)/tests/bench/micro
	$(BUILD)/tests/bench/threads
	SALTWAY=$(abspath $(BUILD)/saltway) tests/bench/peers.py -o $(BUILD)/bench.json --svg $(BUILD)/bench.svg $(BENCH)

measure-queues: $(BUILD)/saltway $(BUILD)/tests/bench/wan
	SALTWAY=$(abspath $(BUILD)/saltway) WAN=$(abspath $(BUILD)/tests/bench/wan) \
	  tests/bench/queues.py -o $(BUILD)/queues.json --svg $(BUILD)/queues.svg $(wordlist 2,$(words $(BENCH)),$(BENCH))

measure-fleet: $(BUILD)/saltway
	SALTWAY=$(abspath $(BUILD)/saltway) tests/bench/fleet.py -o $(BUILD)/fleet.json $(wordlist 2,$(words $(BENCH)),$(BENCH))

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BUILD)/rest.a $(BUILD)/libsaltway.a
	$(call say,LD    $@)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

mutation:
	tests/mutation/mutate.py

# Runs each target for FUZZ_SECONDS, two at a time. Inputs that fail go to build/fuzz/found, and new ones to
# build/fuzz/corpus. `make fuzz-corpus` keeps the inputs that are needed for the same coverage.
fuzz:
	@$(MAKE) --no-print-directory deps PACKAGES_FOR='$(DEBIAN_FUZZ)'
	@$(MAKE) --no-print-directory -j2 --output-sync=target $(FUZZERS:build/fuzz/%=fuzz-%)

# a line of a configuration may be 16384 bytes long
FUZZ_LENGTH := 1024
fuzz-config: FUZZ_LENGTH := 20000

fuzz-%: build/fuzz/%
	@mkdir -p build/fuzz/corpus/$* build/fuzz/found tests/fuzz/corpus/$*
	@$< -max_total_time=$(FUZZ_SECONDS) -max_len=$(FUZZ_LENGTH) -print_final_stats=1 \
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
	$(call say,FUZZ  $<)
	$(Q)clang $(filter-out $(HARDENING) -O% -Werror,$(ALL_CFLAGS)) -O1 -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZERS) \
	  -MMD -MP -c -o $@ $<

build/fuzz/saltway.a: $(FUZZED)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

build/fuzz/%: build/fuzz/tests/fuzz/%.o build/fuzz/saltway.a
	$(Q)clang -fsanitize=fuzzer,$(FUZZ_SANITIZERS) -o $@ $^ $(LIBS)

.PHONY: check check-unit check-tsan check-threads check-sim check-build check-netns bench measure measure-queues \
        measure-fleet mutation fuzz fuzz-corpus
