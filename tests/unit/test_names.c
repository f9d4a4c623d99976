/*
 * The parent's name resolution with a real resolver process: this program, executed again as
 * saltway would be, with its own getaddrinfo.  Tests what the resolver is allowed to do, and how
 * the parent handles a resolver that lies, floods, hangs or crashes.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "linux/sandbox.h"
#include "parent/names.h"
#include "resolver/resolver.h"

static bool resolving; /* this process is the resolver */
static struct sw_config config;
static uv_loop_t loop;
static struct sw_names names;
static unsigned changes;

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

/* $USERS replaces /etc/passwd. */
FILE *fopen(const char *file, const char *mode) {
  static FILE *(*real)(const char *, const char *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "fopen");
  char *users = getenv("USERS");
  if (users && strcmp(file, "/etc/passwd") == 0) return fmemopen(users, strlen(users), "r");
  return real(file, mode);
}

/* $EXECV: the errno that it fails with. */
int execv(const char *path, char *const arguments[]) {
  const char *code = getenv("EXECV");
  if (!code) return execve(path, arguments, environ);
  errno = atoi(code);
  return -1;
}

/* $RAISE: a signal that this process gets before it is the resolver. */
pid_t setsid(void) {
  const char *number = getenv("RAISE");
  if (number) raise(atoi(number));
  return (pid_t)syscall(SYS_setsid);
}

static bool is_null(int fd) {
  struct stat status;
  return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

static bool limited_to(int resource, rlim_t most) {
  struct rlimit limit;
  return getrlimit((__rlimit_resource_t)resource, &limit) == 0 && limit.rlim_max <= most;
}

/* For the name "isolated": returns whether this process has no terminal and one descriptor. */
static bool isolated(void) {
  unsigned open_count = 0;
  for (int fd = 3; fd < 1024; fd++) open_count += fcntl(fd, F_GETFD) >= 0;
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  if (!sigisemptyset(&blocked)) return false;
  return open_count == 1 && fcntl(SW_NAMES_CHANNEL, F_GETFD) >= 0 && is_null(STDIN_FILENO) &&
         is_null(STDOUT_FILENO) && is_null(STDERR_FILENO) && getsid(0) == getpid() &&
         open("/dev/tty", O_RDWR) < 0 && strcmp(program_invocation_name, "saltway-names") == 0;
}

/* For the name "confined": returns whether this process has no privilege and a filter. */
static bool confined(void) {
  static const char *const right[] = {"CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n",
                                      "NoNewPrivs:\t1\n", "Seccomp:\t2\n",
                                      "Name:\tsaltway-names\n"};
  enum { RIGHT = sizeof(right) / sizeof(right[0]) };
  char line[200];
  unsigned count = 0;
  FILE *status = fopen("/proc/self/status", "r");
  while (status && fgets(line, sizeof(line), status))
    for (unsigned i = 0; i < RIGHT; i++) count += strcmp(line, right[i]) == 0;
  return count == RIGHT && geteuid() != 0 && setuid(0) < 0 && limited_to(RLIMIT_CPU, 60) &&
         limited_to(RLIMIT_NOFILE, 64) && limited_to(RLIMIT_FSIZE, 0) && fork() < 0;
}

/* Makes a call that the filter forbids, by name. */
static void attempt(const char *what) {
  int to_terminal = 'x', parent = getppid();
  if (strcmp(what, "execute") == 0) execl("/bin/true", "true", NULL);
  if (strcmp(what, "trace") == 0) ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
  if (strcmp(what, "kill") == 0) kill(getppid(), 0);
  if (strcmp(what, "unshare") == 0) unshare(CLONE_NEWUSER);
  if (strcmp(what, "type") == 0) ioctl(STDIN_FILENO, TIOCSTI, &to_terminal);
  if (strcmp(what, "owner") == 0) fcntl(SW_NAMES_CHANNEL, F_SETOWN, parent);
  if (strcmp(what, "owner by type") == 0)
    fcntl(SW_NAMES_CHANNEL, F_SETOWN_EX, &(struct f_owner_ex){F_OWNER_PID, parent});
  if (strcmp(what, "owner of file") == 0) ioctl(SW_NAMES_CHANNEL, FIOSETOWN, &parent);
  if (strcmp(what, "owner of socket") == 0) ioctl(SW_NAMES_CHANNEL, SIOCSPGRP, &parent);
  if (strcmp(what, "limit") == 0) prlimit(parent, RLIMIT_CPU, &(struct rlimit){1, 1}, NULL);
}

static void respond(const void *bytes, size_t length) {
  send(SW_NAMES_CHANNEL, bytes, length, MSG_NOSIGNAL);
}

/* Answers for the second endpoint, with a port other than that of the file. */
static void lie(uint32_t index, uint32_t count, const char *failure) {
  struct sw_names_answer answer = {.index = index, .count = count};
  memset(answer.addresses, 0x11, sizeof(answer.addresses));
  memcpy(answer.failure, failure, strlen(failure));
  respond(&answer, sizeof(answer));
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
  assert_true(resolving);
  if (strcmp(name, "two") == 0) {
    *list = append(append(NULL, AF_INET, "192.0.2.1", 9), AF_INET6, "2001:db8::1", 9);
  } else if (strcmp(name, "local") == 0) {
    *list = append(append(NULL, AF_UNIX, "", 0), AF_INET6, "fe80::1", 9);
  } else if (strcmp(name, "many") == 0) {
    char text[16];
    for (unsigned i = 0; i < 40; i++) {
      snprintf(text, sizeof(text), "192.0.2.%u", i);
      *list = append(*list, AF_INET, text, 0);
    }
  } else if (strcmp(name, "six") == 0) {
    *list = append(NULL, AF_INET6, "2001:db8::1", 9);
  } else if (strcmp(name, "three") == 0) {
    *list = append(append(append(NULL, AF_INET, "192.0.2.1", 0), AF_INET, "192.0.2.2", 0), AF_INET,
                   "192.0.2.3", 0);
  } else if (strcmp(name, "owt") == 0) {
    *list = append(append(NULL, AF_INET6, "2001:db8::1", 9), AF_INET, "192.0.2.1", 9);
  } else if (strcmp(name, "mixed") == 0) {
    static const char *const ips[] = {"2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1",
                                      "2001:db8::4"};
    for (unsigned i = 0; i < 5; i++) *list = append(*list, i == 3 ? AF_INET : AF_INET6, ips[i], 0);
  } else if (strcmp(name, "captive") == 0) {
    struct sw_names_answer answer = {.failure = "x", .server = {.port = 53}};
    answer.server.ip[10] = answer.server.ip[11] = 0xff;
    inet_pton(AF_INET, "203.0.113.53", answer.server.ip + 12);
    respond(&answer, sizeof(answer));
  } else if (strcmp(name, "isolated") == 0) {
    if (!isolated()) return EAI_FAIL;
    *list = append(NULL, AF_INET, "192.0.2.3", 0);
  } else if (strcmp(name, "user") == 0) {
    *list = append(NULL, AF_INET, "192.0.2.4", 0);
    ((struct sockaddr_in *)(*list)->ai_addr)->sin_addr.s_addr = htonl(geteuid());
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
    respond("", 1);
  } else if (strcmp(name, "no endpoint") == 0) {
    lie(2, 1, "");
  } else if (strcmp(name, "no count") == 0) {
    lie(1, SW_ENDPOINTS_MAX + 1, "");
  } else if (strcmp(name, "other port") == 0) {
    lie(1, 2, "");
  } else if (strcmp(name, "no text") == 0) {
    lie(1, 0, "\x1b[2J");
  } else if (strcmp(name, "later") == 0) {
    lie(1, 0, "x\x1b[2J");
  } else if (strcmp(name, "nothing") == 0) {
    lie(1, 0, "");
  } else if (strcmp(name, "both") == 0) {
    lie(1, 1, "x");
  } else if (strcmp(name, "no end") == 0) {
    char text[SW_NAMES_FAILURE + 1] = "";
    memset(text, 'x', SW_NAMES_FAILURE);
    lie(1, 0, text);
  } else if (strcmp(name, "no port") == 0) {
    respond(&(struct sw_names_answer){.index = 1, .server.port = 65536},
            sizeof(struct sw_names_answer));
    for (;;) pause();
  } else if (strcmp(name, "repeats") == 0) {
    struct sw_names_answer answer = {.index = 0};
    for (;;) respond(&answer, sizeof(answer));
  } else if (strcmp(name, "floods") == 0) {
    for (;;) respond("flood", 5);
  } else {
    attempt(name);
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

static void changed(void *user) {
  assert_ptr_equal(user, &names);
  changes++;
}

static void endpoints(unsigned count, const char *const *hosts) {
  config.endpoint_count = count;
  for (unsigned i = 0; i < count; i++) {
    snprintf(config.endpoints[i].host, sizeof(config.endpoints[i].host), "%s", hosts[i]);
    config.endpoints[i].port = (uint16_t)(1000 + i);
  }
}

/* Has the timer expire that names wait for. */
static void expire(void) {
  assert_true(uv_is_active((uv_handle_t *)&names.timer));
  uv_timer_set_repeat(&names.timer, 1);
  uv_timer_again(&names.timer);
}

static void begin(void) {
  const uint64_t before = names.started;
  if (!names.loop) {
    sw_names_open(&names, &loop, &config, 0, changed, &names);
    return;
  }
  expire();
  while (names.started == before) uv_run(&loop, UV_RUN_ONCE);
}

static void resolve(void) {
  begin();
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(names.resolver, 0);
}

/* ---- the log: standard error, in a pipe ---- */

static int log_pipe[2], log_saved;

static void log_start(void) {
  sw_log_start("sw0");
  assert_int_equal(pipe2(log_pipe, O_CLOEXEC | O_NONBLOCK), 0);
  log_saved = dup(STDERR_FILENO);
  dup2(log_pipe[1], STDERR_FILENO);
}

/* Asserts what was logged since the last call. */
static void assert_logged(const char *text) {
  char got[2000];
  const ssize_t length = read(log_pipe[0], got, sizeof(got) - 1);
  got[length > 0 ? length : 0] = '\0';
  assert_string_equal(got, text);
}

static void log_end(void) {
  dup2(log_saved, STDERR_FILENO);
  close(log_saved);
  close(log_pipe[0]);
  close(log_pipe[1]);
}

#define RESOLVE(...)                                                     \
  endpoints(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), \
            (const char *const[]){__VA_ARGS__}),                         \
      resolve()

static void assert_found(unsigned at, const char *text) {
  char got[SW_ADDRESS_TEXT];
  assert_true(at < names.count);
  assert_string_equal(sw_address_text(&names.addresses[at], got), text);
}

static int start(void **state) {
  (void)state;
  memset(&config, 0, sizeof(config));
  config.sandbox = true;
  memset(&names, 0, sizeof(names));
  changes = 0;
  return uv_loop_init(&loop);
}

static int stop(void **state) {
  (void)state;
  if (names.loop) sw_names_close(&names);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop);
}

static void endpoints_keep_the_order_of_the_file(void **state) {
  (void)state;
  RESOLVE("two", "192.0.2.7", "local");
  assert_int_equal(names.count, 4);
  assert_found(0, "192.0.2.1:1000");
  assert_found(1, "[2001:db8::1]:1000");
  assert_found(2, "192.0.2.7:1001");
  assert_int_equal(names.addresses[3].scope, 9); /* only link-local addresses have one */
  assert_int_equal(names.addresses[1].scope, 0);
  assert_int_equal(names.addresses[3].port, 1002);
  assert_string_equal(names.failure, "");
}

static void addresses_alone_need_no_resolver(void **state) {
  (void)state;
  endpoints(1, (const char *const[]){"192.0.2.7"});
  begin();
  assert_int_equal(names.count, 1);
  assert_int_equal(names.resolver, 0);
  assert_found(0, "192.0.2.7:1000");
  sw_names_link(&names, true);
  sw_names_link(&names, false);
  assert_false(uv_is_active((uv_handle_t *)&names.timer)); /* and nothing is ever looked up */
  assert_int_equal(changes, 0);
}

static void families_take_turns(void **state) {
  (void)state;
  RESOLVE("mixed");
  assert_int_equal(names.count, 5);
  assert_found(0, "[2001:db8::1]:1000");
  assert_found(1, "192.0.2.1:1000");
  assert_found(2, "[2001:db8::2]:1000");
  assert_found(3, "[2001:db8::3]:1000");
  assert_found(4, "[2001:db8::4]:1000");
}

static void endpoints_are_limited_to_those_a_link_takes(void **state) {
  (void)state;
  RESOLVE("many", "many", "two");
  assert_int_equal(names.count, SW_ENDPOINTS_MAX);
  assert_found(0, "192.0.2.0:1000");
  assert_found(SW_ENDPOINTS_MAX - 3, "192.0.2.13:1000");
  assert_found(SW_ENDPOINTS_MAX - 2, "192.0.2.0:1001"); /* each has a place at least */
  assert_found(SW_ENDPOINTS_MAX - 1, "192.0.2.1:1002");
}

static void as_many_endpoints_are_taken_as_a_file_has(void **state) {
  (void)state;
  endpoints(SW_CONFIG_ENDPOINTS_MAX,
            (const char *const[]){"192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.7", "192.0.2.7",
                                  "192.0.2.7", "192.0.2.7", "192.0.2.7"});
  begin();
  assert_int_equal(names.count, SW_CONFIG_ENDPOINTS_MAX);
  assert_found(SW_CONFIG_ENDPOINTS_MAX - 1, "192.0.2.7:1007");
}

static unsigned place_of(const char *ip, uint32_t port) {
  struct sw_address address = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};
  inet_pton(AF_INET, ip, address.ip + 12);
  return sw_names_place(&names, &address);
}

static void the_place_of_an_address_is_that_of_its_endpoint(void **state) {
  (void)state;
  assert_int_equal(place_of("192.0.2.7", 1000), 0); /* nothing is known */
  RESOLVE("two", "192.0.2.7", "three", "192.0.2.7");
  assert_int_equal(place_of("192.0.2.1", 1000), 0);
  assert_int_equal(place_of("192.0.2.7", 1001), 1);
  assert_int_equal(place_of("192.0.2.1", 1002), 2); /* by its port */
  assert_int_equal(place_of("192.0.2.3", 1002), 2);
  assert_int_equal(place_of("192.0.2.7", 1003), 3);
  assert_int_equal(place_of("192.0.2.3", 1001), 0);
  assert_int_equal(place_of("198.51.100.1", 1002), 0);
}

static void an_address_is_listed_once(void **state) {
  (void)state;
  endpoints(2, (const char *const[]){"two", "two"});
  config.endpoints[1].port = config.endpoints[0].port;
  resolve();
  assert_int_equal(names.count, 2);
}

static void addresses_are_known_as_soon_as_their_name_is_resolved(void **state) {
  (void)state;
  endpoints(3, (const char *const[]){"192.0.2.7", "two", "hangs"});
  begin();
  assert_int_equal(names.count, 1);
  while (names.count < 3) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(changes, 1);
  assert_int_equal(names.answered, 2);
}

/* Makes the clock of the log's limit go. */
static void pass_time(void) {
  for (unsigned i = 0; i < config.endpoint_count; i++) names.names[i].quiet_until = 0;
}

static void other_addresses_are_passed_on_and_logged_once(void **state) {
  (void)state;
  log_start();
  RESOLVE("two");
  assert_int_equal(changes, 1);
  RESOLVE("owt"); /* the same in another order */
  assert_int_equal(changes, 1);
  assert_found(0, "192.0.2.1:1000");
  assert_logged("");
  RESOLVE("mixed");
  assert_int_equal(changes, 2);
  assert_logged(
      "sw0: mixed has changed: [2001:db8::1]:1000, 192.0.2.1:1000, [2001:db8::2]:1000 and "
      "2 more (before: 192.0.2.1:1000, [2001:db8::1]:1000)\n");
  RESOLVE("mixed");
  RESOLVE("two");
  assert_int_equal(changes, 3);
  assert_logged(""); /* too soon */
  RESOLVE("two");
  assert_int_equal(changes, 3);
  pass_time();
  RESOLVE("two");
  assert_logged("sw0: two has changed: 192.0.2.1:1000, [2001:db8::1]:1000 (before: "
                "[2001:db8::1]:1000, 192.0.2.1:1000, [2001:db8::2]:1000 and 2 more)\n");
  RESOLVE("two");
  assert_logged("");
  pass_time();
  RESOLVE("six"); /* one less */
  assert_int_equal(changes, 4);
  assert_logged("sw0: six has changed: [2001:db8::1]:1000 (before: 192.0.2.1:1000, "
                "[2001:db8::1]:1000)\n");
  pass_time();
  RESOLVE("three");
  assert_logged("sw0: three has changed: 192.0.2.1:1000, 192.0.2.2:1000, 192.0.2.3:1000 (before: "
                "[2001:db8::1]:1000)\n");
  log_end();
}

static void a_name_that_resolves_at_last_is_logged(void **state) {
  (void)state;
  log_start();
  RESOLVE("again");
  RESOLVE("again");
  assert_logged("");
  RESOLVE("two");
  assert_logged("sw0: two is resolved: 192.0.2.1:1000, [2001:db8::1]:1000\n");
  RESOLVE("again");
  RESOLVE("two");
  assert_logged("");
  log_end();
}

static uint64_t pause_of(void) {
  return (uv_timer_get_due_in(&names.timer) + 500) / 1000;
}

static void names_are_looked_up_sooner_while_the_link_is_not_up(void **state) {
  (void)state;
  RESOLVE("two");
  assert_int_equal(pause_of(), SW_NAMES_AGAIN);
  sw_names_link(&names, true);
  assert_int_equal(pause_of(), SW_NAMES_UP);
  RESOLVE("two");
  assert_int_equal(pause_of(), SW_NAMES_UP);
  RESOLVE("again"); /* the link needs no name now */
  assert_int_equal(pause_of(), SW_NAMES_UP);
  names.started -= 3 * SW_SECOND;
  sw_names_link(&names, false);
  assert_int_equal(pause_of(), SW_NAMES_AGAIN - 3);
  assert_string_equal(names.failure, "");
  sw_names_link(&names, true);
  names.started -= 1 * SW_SECOND;
  sw_names_link(&names, false);
  assert_int_equal(pause_of(), 1);
  sw_names_link(&names, true);
  names.started -= 300 * SW_SECOND;
  sw_names_link(&names, false);
  assert_int_equal(pause_of(), 0);
  sw_names_link(&names, false);
  resolve();
  assert_int_equal(pause_of(), 1); /* it failed once since then */
}

static void lookups_that_fail_become_rarer(void **state) {
  (void)state;
  static const unsigned pauses[] = {1, 2, 4, 8, 16, 30, 30, 30};
  for (unsigned i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
    RESOLVE("again");
    assert_int_equal(pause_of(), pauses[i]);
  }
  RESOLVE("two");
  assert_int_equal(pause_of(), SW_NAMES_AGAIN);
}

static void a_link_that_goes_down_during_a_lookup_gets_the_next_one_soon(void **state) {
  (void)state;
  RESOLVE("two");
  sw_names_link(&names, true);
  begin();
  sw_names_link(&names, false);
  assert_int_equal(pause_of(), SW_NAMES_SECONDS);
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(pause_of(), SW_NAMES_AGAIN);
}

static void a_resolver_that_cannot_be_made_is_reported_and_made_later(void **state) {
  (void)state;
  struct rlimit limit, none;
  getrlimit(RLIMIT_NOFILE, &limit);
  RESOLVE("two");
  none = (struct rlimit){3, limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  begin();
  setrlimit(RLIMIT_NOFILE, &limit);
  assert_string_equal(names.failure, "cannot resolve names: Too many open files");
  assert_int_equal(names.count, 2);
  assert_in_range(pause_of(), 1, 2); /* 2: on a machine so slow that a second has passed */
  resolve();
  assert_string_equal(names.failure, "");
}

/* The resolver reports a name server that is behind the link. */
static void a_name_server_behind_the_link_is_known_until_names_resolve(void **state) {
  (void)state;
  char text[SW_ADDRESS_TEXT];
  RESOLVE("captive");
  assert_string_equal(names.failure, "cannot resolve captive: x");
  assert_string_equal(sw_address_text(&names.server, text), "203.0.113.53:53");
  RESOLVE("two");
  assert_int_equal(names.server.port, 0);
  RESOLVE("captive");
  sw_names_link(&names, true);
  assert_int_equal(names.server.port, 0);
}

static void a_failure_is_reported_and_keeps_known_addresses(void **state) {
  (void)state;
  RESOLVE("two", "again");
  assert_int_equal(names.count, 2);
  assert_string_equal(names.failure, "cannot resolve again: Temporary failure in name resolution");
  RESOLVE("system", "two");
  assert_string_equal(names.failure, "cannot resolve system: Network is down");
  assert_int_equal(names.count, 4);
  RESOLVE("two", "two");
  assert_string_equal(names.failure, "");
  assert_int_equal(names.count, 4);
}

static void resolver_has_no_terminal_and_one_descriptor(void **state) {
  (void)state;
  RESOLVE("isolated");
  assert_string_equal(names.failure, "");
  assert_found(0, "192.0.2.3:1000");
}

static void resolver_has_no_privilege(void **state) {
  (void)state;
  if (geteuid() != 0 || !sw_sandbox_possible()) skip();
  RESOLVE("confined");
  assert_string_equal(names.failure, "");
  assert_found(0, "192.0.2.3:1000");
}

static void resolver_has_a_user_of_its_own_where_there_is_one(void **state) {
  (void)state;
  if (geteuid() != 0 || !sw_sandbox_possible()) skip();
  setenv("USERS",
         "saltway-x:x:54323:54323::/:\n"
         "saltway:x:54321:54321::/:\n"
         "saltway-resolver:x:54322:54322::/:\n",
         1);
  RESOLVE("user");
  assert_found(0, "0.0.212.50:1000"); /* 54322 */
  setenv("USERS", "saltway-resolver:x:0:0::/:\nsaltway:x:54321:54321::/:\n", 1);
  RESOLVE("user");
  assert_found(0, "0.0.212.49:1000"); /* 54321 */
  setenv("USERS", "root:x:0:0::/:\n", 1);
  RESOLVE("user");
  assert_found(0, "0.0.255.254:1000"); /* 65534 */
  unsetenv("USERS");
}

static void forbidden_call_ends_the_resolver_and_is_reported(void **state) {
  (void)state;
  if (!sw_sandbox_possible()) skip();
  static const char *const calls[] = {
      "execute", "trace",         "kill",          "unshare",         "type",
      "owner",   "owner by type", "owner of file", "owner of socket", "limit"};
  for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
    RESOLVE("192.0.2.7", calls[i]);
    assert_found(0, "192.0.2.7:1000");
    assert_string_equal(
        names.failure, "cannot resolve names: the resolver was ended by signal 31 (Bad system "
                       "call): it made a system call that its sandbox forbids; please report this");
  }
}

static void crash_of_the_resolver_is_reported(void **state) {
  (void)state;
  RESOLVE("192.0.2.7", "crashes");
  assert_int_equal(names.count, 1);
  assert_found(0, "192.0.2.7:1000");
  assert_string_equal(names.failure,
                      "cannot resolve names: the resolver was ended by signal 9 (Killed)");
}

static void reason_why_the_resolver_cannot_be_executed_is_reported(void **state) {
  (void)state;
  setenv("EXECV", "2", 1);
  RESOLVE("two", "192.0.2.7");
  unsetenv("EXECV");
  assert_int_equal(names.count, 1);
  assert_found(0, "192.0.2.7:1001");
  assert_string_equal(names.failure,
                      "cannot resolve two: cannot execute /proc/self/exe: No such file or "
                      "directory (mount /proc)");
}

static void count_signal(uv_signal_t *handle, int number) {
  (void)number;
  ++*(unsigned *)handle->data;
}

/* The forked process has the parent's handlers, which write into the parent's pipe. */
static void signal_to_a_resolver_is_none_to_the_parent(void **state) {
  (void)state;
  static uv_signal_t handle; /* closed by the teardown */
  unsigned signals = 0;
  uv_signal_init(&loop, &handle);
  handle.data = &signals;
  uv_signal_start(&handle, count_signal, SIGUSR1);
  uv_unref((uv_handle_t *)&handle);
  setenv("RAISE", "10", 1);
  RESOLVE("two");
  unsetenv("RAISE");
  assert_string_equal(
      names.failure,
      "cannot resolve names: the resolver was ended by signal 10 (User defined signal 1)");
  uv_ref((uv_handle_t *)&handle);
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(signals, 0);
  raise(SIGUSR1); /* the parent's own mask is as it was */
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(signals, 1);
  uv_close((uv_handle_t *)&handle, NULL);
}

static void invalid_answer_is_refused(void **state) {
  (void)state;
  static const char *const hosts[] = {"short",   "no endpoint", "no count", "no text",
                                      "no end",  "floods",      "repeats",  "no port",
                                      "nothing", "both",        "later"};
  for (unsigned i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
    RESOLVE("192.0.2.7", hosts[i]);
    assert_int_equal(names.count, 1);
    assert_found(0, "192.0.2.7:1000");
    assert_string_equal(
        names.failure,
        "cannot resolve names: the resolver sent an invalid answer; please report this");
  }
}

static void port_is_that_of_the_file(void **state) {
  (void)state;
  RESOLVE("192.0.2.7", "other port");
  assert_int_equal(names.count, 2); /* its answer is the same address twice */
  assert_int_equal(names.addresses[1].port, 1001);
}

static void resolver_that_hangs_runs_until_it_is_stopped(void **state) {
  (void)state;
  endpoints(1, (const char *const[]){"hangs"});
  begin();
  const pid_t resolver = names.resolver;
  assert_true(resolver > 0);
  uv_run(&loop, UV_RUN_NOWAIT);
  sw_names_link(&names, true); /* starts no other */
  sw_names_link(&names, false);
  assert_int_equal(names.resolver, resolver);
  assert_int_equal(pause_of(), SW_NAMES_SECONDS);
  sw_names_close(&names);
  assert_int_equal(kill(resolver, 0), -1);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(changes, 0);
  names.loop = NULL;
}

static void resolver_that_does_not_answer_in_time_is_ended(void **state) {
  (void)state;
  endpoints(3, (const char *const[]){"192.0.2.7", "hangs", "two"});
  begin();
  const pid_t resolver = names.resolver;
  uv_timer_set_repeat(&names.timer, UINT32_MAX);
  uv_timer_again(&names.timer);
  while (names.answered == 0) uv_run(&loop, UV_RUN_ONCE);
  /* each name has its own time */
  assert_true(uv_timer_get_due_in(&names.timer) <= SW_NAMES_SECONDS * 1000);
  expire();
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(kill(resolver, 0), -1);
  assert_int_equal(names.count, 1);
  assert_string_equal(names.failure, "cannot resolve hangs: no answer after 120 s");
  RESOLVE("two"); /* the next one is not in its way */
  assert_int_equal(names.count, 2);
}

#define LOOPED(test) cmocka_unit_test_setup_teardown(test, start, stop)

/* Puts other endpoints into the configuration, as a reload does. */
static void change(unsigned count, const char *const *hosts) {
  const struct sw_config before = config;
  endpoints(count, hosts);
  sw_names_change(&names, &before);
}

static void changed_endpoints_are_looked_up_and_those_that_stay_keep_their_addresses(void **state) {
  (void)state;
  RESOLVE("192.0.2.7", "two");
  changes = 0;
  change(2, (const char *const[]){"two", "again"});
  assert_int_equal(changes, 1); /* at once */
  assert_int_equal(names.count, 2);
  assert_found(0, "192.0.2.1:1000");
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
  assert_string_equal(names.failure, "cannot resolve again: Temporary failure in name resolution");
  assert_int_equal(names.count, 2);
  change(1, (const char *const[]){"192.0.2.7"});
  assert_int_equal(names.count, 1);
  assert_found(0, "192.0.2.7:1000");
  assert_string_equal(names.failure, "");
  assert_false(uv_is_active((uv_handle_t *)&names.timer)); /* there is no name any more */
}

static void a_change_forgets_failures(void **state) {
  (void)state;
  RESOLVE("captive");
  resolve();
  resolve();
  assert_int_equal(pause_of(), 4);
  assert_int_equal(names.server.port, 53);
  change(1, (const char *const[]){"again"});
  assert_int_equal(names.server.port, 0);
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(pause_of(), 1);
  RESOLVE("two");
  change(2, (const char *const[]){"again", "two"});
  assert_int_equal(names.count, 2); /* the one that was the first stays */
}

static void endpoints_in_another_order_are_told(void **state) {
  (void)state;
  RESOLVE("192.0.2.7", "two");
  changes = 0;
  change(2, (const char *const[]){"two", "192.0.2.7"});
  assert_int_equal(changes, 1);
  assert_found(0, "192.0.2.1:1000");
  assert_found(2, "192.0.2.7:1001");
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
}

static void change_ends_the_lookup_under_way_and_begins_another(void **state) {
  (void)state;
  endpoints(1, (const char *const[]){"hangs"});
  begin();
  const pid_t resolver = names.resolver;
  change(1, (const char *const[]){"two"});
  assert_int_equal(kill(resolver, 0), -1);
  while (!names.count) uv_run(&loop, UV_RUN_ONCE);
  assert_found(0, "192.0.2.1:1000");
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
}

static void change_to_addresses_ends_the_lookups(void **state) {
  (void)state;
  endpoints(1, (const char *const[]){"hangs"});
  begin();
  change(1, (const char *const[]){"192.0.2.7"});
  while (names.polling) uv_run(&loop, UV_RUN_ONCE);
  assert_false(uv_is_active((uv_handle_t *)&names.timer));
  assert_found(0, "192.0.2.7:1000");
}

static void change_to_no_endpoint_leaves_none(void **state) {
  (void)state;
  RESOLVE("two");
  changes = 0;
  change(0, NULL);
  assert_int_equal(changes, 1);
  assert_int_equal(names.count, 0);
}

int main(int argc, char **argv) {
  resolving = argc > 1 && strcmp(argv[1], SW_NAMES_SUBCOMMAND) == 0;
  if (resolving) return sw_resolver_run(argc == 2);
  const struct CMUnitTest tests[] = {
      LOOPED(endpoints_keep_the_order_of_the_file),
      LOOPED(addresses_alone_need_no_resolver),
      LOOPED(families_take_turns),
      LOOPED(as_many_endpoints_are_taken_as_a_file_has),
      LOOPED(the_place_of_an_address_is_that_of_its_endpoint),
      LOOPED(an_address_is_listed_once),
      LOOPED(addresses_are_known_as_soon_as_their_name_is_resolved),
      LOOPED(other_addresses_are_passed_on_and_logged_once),
      LOOPED(a_name_that_resolves_at_last_is_logged),
      LOOPED(names_are_looked_up_sooner_while_the_link_is_not_up),
      LOOPED(lookups_that_fail_become_rarer),
      LOOPED(a_link_that_goes_down_during_a_lookup_gets_the_next_one_soon),
      LOOPED(a_resolver_that_cannot_be_made_is_reported_and_made_later),
      LOOPED(a_name_server_behind_the_link_is_known_until_names_resolve),
      LOOPED(endpoints_are_limited_to_those_a_link_takes),
      LOOPED(a_failure_is_reported_and_keeps_known_addresses),
      LOOPED(resolver_has_no_terminal_and_one_descriptor),
      LOOPED(resolver_has_no_privilege),
      LOOPED(resolver_has_a_user_of_its_own_where_there_is_one),
      LOOPED(forbidden_call_ends_the_resolver_and_is_reported),
      LOOPED(crash_of_the_resolver_is_reported),
      LOOPED(reason_why_the_resolver_cannot_be_executed_is_reported),
      LOOPED(signal_to_a_resolver_is_none_to_the_parent),
      LOOPED(invalid_answer_is_refused),
      LOOPED(port_is_that_of_the_file),
      LOOPED(resolver_that_hangs_runs_until_it_is_stopped),
      LOOPED(resolver_that_does_not_answer_in_time_is_ended),
      LOOPED(changed_endpoints_are_looked_up_and_those_that_stay_keep_their_addresses),
      LOOPED(a_change_forgets_failures),
      LOOPED(endpoints_in_another_order_are_told),
      LOOPED(change_ends_the_lookup_under_way_and_begins_another),
      LOOPED(change_to_addresses_ends_the_lookups),
      LOOPED(change_to_no_endpoint_leaves_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
