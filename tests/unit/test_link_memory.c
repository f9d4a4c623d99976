/* The memory of a link: what happens without any, and that all of it is returned. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <sodium.h>

#include "protocol/link_state.h"

static bool short_of_memory;

/* Replaces the C library's, which the filter calls. */
void *reallocarray(void *bytes, size_t count, size_t size) {
  return short_of_memory ? NULL : realloc(bytes, count * size);
}

/* AddressSanitizer needs more memory, and looks for leaks itself. */
#ifdef __SANITIZE_ADDRESS__
#define LIMITED false
#else
#define LIMITED true
#endif

static void limit_memory(rlim_t bytes) {
  struct rlimit limit;
  if (!LIMITED) return;
  assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
  limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
  assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

static struct sw_link *make(void) {
  static const struct sw_psk psk = {.bytes = {1}};
  errno = 0;
  return sw_link_new(&(struct sw_link_options){.psks = &psk, .psk_count = 1});
}

static void link_without_memory_is_an_error(void **state) {
  (void)state;
  if (!LIMITED) skip();
  limit_memory(1);
  struct sw_link *link = make();
  const int error = errno;
  limit_memory(RLIM_INFINITY);
  assert_null(link);
  assert_int_equal(error, ENOMEM);
}

static void link_without_memory_for_its_filter_is_an_error_and_keeps_nothing(void **state) {
  (void)state;
  limit_memory(128 << 20);
  short_of_memory = true;
  for (unsigned i = 0; i < 2000; i++) {
    assert_null(make());
    assert_int_equal(errno, ENOMEM);
  }
  short_of_memory = false;
  limit_memory(RLIM_INFINITY);
}

static void freed_link_returns_its_memory(void **state) {
  (void)state;
  limit_memory(128 << 20);
  for (unsigned i = 0; i < 2000; i++) {
    struct sw_link *link = make();
    assert_non_null(link);
    sw_link_free(link);
  }
  limit_memory(RLIM_INFINITY);
}

static int start_sodium(void **state) {
  (void)state;
  return sodium_init() < 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(link_without_memory_is_an_error),
      cmocka_unit_test(link_without_memory_for_its_filter_is_an_error_and_keeps_nothing),
      cmocka_unit_test(freed_link_returns_its_memory),
  };
  return cmocka_run_group_tests_name("link: memory", tests, start_sodium, NULL);
}
