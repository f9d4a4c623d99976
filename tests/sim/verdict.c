#include "verdict.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
  const char *program;
  const char *scenario;
  uint64_t seed;
  const uint64_t *now;
  unsigned passed;
} verdict;

/* Sanitizers abort, so that the report of a finding names the seed. */
const char *__asan_default_options(void) {
  return "abort_on_error=1";
}

const char *__ubsan_default_options(void) {
  return "abort_on_error=1:halt_on_error=1:print_stacktrace=1";
}

static void aborted(int signal_number) {
  signal(signal_number, SIG_DFL);
  verdict_fail("an assertion or a sanitizer aborted the run");
}

void verdict_start(const char *program) {
  verdict.program = program;
  signal(SIGABRT, aborted);
}

void verdict_begin(const char *scenario, uint64_t seed) {
  verdict.scenario = scenario;
  verdict.seed = seed;
  verdict.now = NULL;
}

void verdict_clock(const uint64_t *now) {
  verdict.now = now;
}

static void print_replay(void) {
  printf("replay: %s --verbose --seed %" PRIu64, verdict.program, verdict.seed);
  if (verdict.scenario) printf(" --scenario \"%s\"", verdict.scenario);
  printf("\n");
}

void verdict_fail(const char *format, ...) {
  printf("sim: ");
  if (verdict.scenario) printf("scenario \"%s\", ", verdict.scenario);
  printf("seed %" PRIu64 " failed: ", verdict.seed);
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  if (verdict.now)
    printf(" at t=%" PRIu64 ".%09" PRIu64 " s", *verdict.now / 1000000000,
           *verdict.now % 1000000000);
  printf("\n");
  print_replay();
  printf("%u passed, 1 failed\n", verdict.passed);
  fflush(stdout);
  _Exit(1);
}

void expect(bool holds, const char *statement) {
  if (!holds) verdict_fail("%s", statement);
}

void verdict_pass(void) {
  verdict.passed++;
}

void verdict_close(void) {
  printf("%u passed, 0 failed\n", verdict.passed);
}
