/*
 * The resolver with a getaddrinfo that is played here: what the child may still do, what becomes of
 * what it says, and of one that says what it should not, hangs or crashes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "linux/sandbox.h"
#include "resolver/resolver.h"

static pid_t parent;
static struct sw_config config;
static uv_loop_t loop;
static struct sw_resolver resolver;
static struct sw_address found[SW_ENDPOINTS_MAX];
static size_t found_count;
static unsigned done_calls;

static struct addrinfo *append(struct addrinfo *list, int family, const char *text,
                               uint32_t scope) {
  struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in6)), *last = list;
  info->ai_family = family;
  info->ai_addr = (struct sockaddr *)(info + 1);
  struct sockaddr_in *v4 = (struct sockaddr_in *)info->ai_addr;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)info->ai_addr;
  v6->sin6_scope_id = scope;
  if (family == AF_INET) inet_pton(family, text, &v4->sin_addr);
  if (family == AF_INET6) inet_pton(family, text, &v6->sin6_addr);
  if (!list) return info;
  while (last->ai_next) last = last->ai_next;
  last->ai_next = info;
  return list;
}

/* Whether this process has what it needs, and nothing else: for a name of "confined". */
static bool confined(void) {
  unsigned open = 0;
  for (int fd = 3; fd < 1024; fd++) open += fcntl(fd, F_GETFD) >= 0;
  char line[200];
  unsigned right = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof(line), status))
    right += strcmp(line, "CapEff:\t0000000000000000\n") == 0 ||
             strcmp(line, "CapBnd:\t0000000000000000\n") == 0 ||
             strcmp(line, "NoNewPrivs:\t1\n") == 0;
  return open == 1 && right >= 2 && geteuid() != 0 && setuid(0) < 0;
}

/* as resolver.c has it */
struct record {
  uint32_t endpoint;
  int32_t status, code;
  struct sw_resolver_found found;
};

static void say(const void *bytes, size_t length) {
  for (int fd = 3; fd < 1024; fd++) send(fd, bytes, length, MSG_NOSIGNAL);
}

/* of the second endpoint; with a port that is not the file's */
static void lie(uint32_t endpoint, uint32_t count) {
  struct record record = {.endpoint = endpoint, .found.count = count};
  memset(record.found.addresses, 0x11, sizeof(record.found.addresses));
  say(&record, sizeof(record));
  for (;;) pause();
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
  (void)service;
  *list = NULL;
  if (strcmp(name, "192.0.2.7") == 0) {
    *list = append(NULL, AF_INET, name, 0);
    return 0;
  }
  if (hints->ai_flags & AI_NUMERICHOST) return EAI_NONAME;
  assert_int_not_equal(getpid(), parent);
  if (strcmp(name, "two") == 0) {
    *list = append(append(NULL, AF_INET, "192.0.2.1", 9), AF_INET6, "2001:db8::1", 9);
  } else if (strcmp(name, "local") == 0) {
    *list = append(append(NULL, AF_UNIX, "", 0), AF_INET6, "fe80::1", 9);
  } else if (strcmp(name, "many") == 0) {
    for (unsigned i = 0; i < 40; i++) *list = append(*list, AF_INET, "192.0.2.40", 0);
  } else if (strcmp(name, "confined") == 0) {
    if (!confined()) return EAI_FAIL;
    *list = append(NULL, AF_INET, "192.0.2.3", 0);
  } else if (strcmp(name, "again") == 0) {
    return EAI_AGAIN;
  } else if (strcmp(name, "system") == 0) {
    errno = ENETDOWN;
    return EAI_SYSTEM;
  } else if (strcmp(name, "hangs") == 0) {
    for (;;) pause();
  } else if (strcmp(name, "crashes") == 0) {
    raise(SIGKILL);
  } else if (strcmp(name, "short") == 0) {
    say("", 1);
  } else if (strcmp(name, "no endpoint") == 0) {
    lie(2, 1);
  } else if (strcmp(name, "no count") == 0) {
    lie(1, SW_ENDPOINTS_MAX + 1);
  } else if (strcmp(name, "other port") == 0) {
    lie(1, 2);
  } else if (strcmp(name, "repeats") == 0) {
    struct record record = {.endpoint = 0};
    for (;;) say(&record, sizeof(record));
  } else if (strcmp(name, "floods") == 0) {
    for (;;) say("flood", 5);
  }
  return *list ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *list) {
  while (list) {
    struct addrinfo *next = list->ai_next;
    free(list);
    list = next;
  }
}

static void done(void *user, const struct sw_address *addresses, size_t count) {
  assert_ptr_equal(user, &resolver);
  done_calls++;
  found_count = count;
  memcpy(found, addresses, count * sizeof(found[0]));
}

static void endpoints(unsigned count, const char *const *names) {
  config.endpoint_count = count;
  for (unsigned i = 0; i < count; i++) {
    snprintf(config.endpoints[i].host, sizeof(config.endpoints[i].host), "%s", names[i]);
    config.endpoints[i].port = (uint16_t)(1000 + i);
  }
}

static void resolve(void) {
  const unsigned before = done_calls;
  sw_resolver_start(&resolver);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(done_calls, before + 1);
  assert_int_equal(resolver.child, 0);
}

#define RESOLVE(...)                                                     \
  endpoints(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
            (const char *const[]){__VA_ARGS__}),                         \
      resolve()

static void assert_found(unsigned at, const char *text) {
  char got[SW_ADDRESS_TEXT];
  assert_true(at < found_count);
  assert_string_equal(sw_address_text(&found[at], got), text);
}

static int start(void **state) {
  (void)state;
  parent = getpid();
  memset(&config, 0, sizeof(config));
  config.sandbox = true;
  done_calls = 0;
  if (uv_loop_init(&loop) != 0) return -1;
  sw_resolver_init(&resolver, &loop, &config, done, &resolver);
  return 0;
}

static int stop(void **state) {
  (void)state;
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop);
}

static void addresses_and_names_come_in_the_files_order(void **state) {
  (void)state;
  RESOLVE("two", "192.0.2.7", "local");
  assert_int_equal(found_count, 4);
  assert_found(0, "192.0.2.1:1000");
  assert_found(1, "[2001:db8::1]:1000");
  assert_found(2, "192.0.2.7:1001");
  assert_int_equal(found[3].scope, 9); /* of link-local addresses only */
  assert_int_equal(found[1].scope, 0);
  assert_int_equal(found[3].port, 1002);
  assert_string_equal(resolver.failure, "");
}

static void addresses_alone_need_no_child(void **state) {
  (void)state;
  endpoints(1, (const char *const[]){"192.0.2.7"});
  sw_resolver_start(&resolver);
  assert_int_equal(done_calls, 1);
  assert_int_equal(resolver.child, 0);
  assert_found(0, "192.0.2.7:1000");
}

static void there_are_never_more_than_a_link_takes(void **state) {
  (void)state;
  RESOLVE("many", "many", "two");
  assert_int_equal(found_count, SW_ENDPOINTS_MAX);
  assert_found(SW_ENDPOINTS_MAX - 1, "192.0.2.40:1000");
}

static void a_failure_is_told_and_keeps_what_was_known(void **state) {
  (void)state;
  RESOLVE("two", "again");
  assert_int_equal(found_count, 2);
  assert_string_equal(resolver.failure,
                      "cannot resolve again: Temporary failure in name resolution");
  RESOLVE("system", "two");
  assert_string_equal(resolver.failure, "cannot resolve system: Network is down");
  assert_int_equal(found_count, 4);
  RESOLVE("two", "two");
  assert_string_equal(resolver.failure, "");
  assert_int_equal(found_count, 4);
}

static void child_has_no_privilege_and_one_descriptor(void **state) {
  (void)state;
  if (geteuid() != 0 || !sw_sandbox_possible()) skip();
  RESOLVE("confined");
  assert_string_equal(resolver.failure, "");
  assert_found(0, "192.0.2.3:1000");
}

static void what_no_child_can_mean_is_not_believed(void **state) {
  (void)state;
  static const char *const names[] = {"crashes",  "short",  "no endpoint",
                                      "no count", "floods", "repeats"};
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    RESOLVE("192.0.2.7", names[i]);
    assert_int_equal(found_count, 1);
    assert_found(0, "192.0.2.7:1000");
    assert_string_equal(resolver.failure, "cannot resolve names: the process that does has ended");
  }
}

static void port_is_the_files(void **state) {
  (void)state;
  RESOLVE("192.0.2.7", "other port");
  assert_int_equal(found_count, 3);
  assert_int_equal(found[2].port, 1001);
}

static void one_that_hangs_is_left_alone_until_it_is_stopped(void **state) {
  (void)state;
  endpoints(1, (const char *const[]){"hangs"});
  sw_resolver_start(&resolver);
  const pid_t child = resolver.child;
  assert_true(child > 0);
  uv_run(&loop, UV_RUN_NOWAIT);
  sw_resolver_start(&resolver);
  assert_int_equal(resolver.child, child);
  sw_resolver_stop(&resolver);
  assert_int_equal(kill(child, 0), -1);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(done_calls, 0);
  sw_resolver_stop(&resolver);
}

#define LOOPED(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      LOOPED(addresses_and_names_come_in_the_files_order),
      LOOPED(addresses_alone_need_no_child),
      LOOPED(there_are_never_more_than_a_link_takes),
      LOOPED(a_failure_is_told_and_keeps_what_was_known),
      LOOPED(child_has_no_privilege_and_one_descriptor),
      LOOPED(what_no_child_can_mean_is_not_believed),
      LOOPED(port_is_the_files),
      LOOPED(one_that_hangs_is_left_alone_until_it_is_stopped),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
