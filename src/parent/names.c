#include "parent/names.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "linux/sandbox.h"

#define LISTED 3 /* addresses that a line of the log names */
#define LIST_TEXT ((size_t)(LISTED + 1) * SW_ADDRESS_TEXT)
#define FAILURES_MOST 6 /* after so many the pause is the longest */

_Static_assert(1 << (FAILURES_MOST - 1) >= SW_NAMES_FAILED_MOST, "pauses do not shrink");
_Static_assert(sizeof(((struct sw_config_endpoint *)0)->host) == SW_NAMES_HOST,
               "a question holds any host of a configuration");

/* ---- the resolver's process, until it is another image ---- */

/* Leaves the terminal, its session and every descriptor but the channel, and ends with the parent.
 * `channel` itself stays open until the execution: a failure of that is told on it. */
static int isolate(int channel, pid_t parent, struct sw_error *error) {
  int keep[] = {SW_NAMES_CHANNEL, channel};
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return sw_error_set(error, errno, NULL, "cannot open /dev/null");
  if (setsid() < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
      dup2(null, STDERR_FILENO) < 0)
    return sw_error_set(error, errno, NULL, "cannot leave the terminal");
  if (dup2(channel, SW_NAMES_CHANNEL) < 0 || fcntl(SW_NAMES_CHANNEL, F_SETFD, 0) < 0)
    return sw_error_set(error, errno, NULL, "cannot pass the channel");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
    return sw_error_set(error, ESRCH, NULL, "cannot end with the parent");
  return sw_sandbox_close_others(keep, sizeof(keep) / sizeof(keep[0]), error);
}

/* libuv's handlers write into a pipe of the parent, which would take this process's signals for its
 * own.  What is ignored stays ignored. */
static void reset_signals(const sigset_t *mask) {
  struct sigaction action;
  for (int number = 1; number < NSIG; number++)
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
      signal(number, SIG_DFL);
  pthread_sigmask(SIG_SETMASK, mask, NULL);
}

static _Noreturn void execute_resolver(int channel, bool confined, pid_t parent,
                                       const sigset_t *mask) {
  char *arguments[] = {SW_NAMES_PROCESS, SW_NAMES_SUBCOMMAND, confined ? NULL : SW_NAMES_UNCONFINED,
                       NULL};
  struct sw_error error;
  reset_signals(mask);
  if (isolate(channel, parent, &error) == 0) {
    execv("/proc/self/exe", arguments);
    sw_error_set(&error, errno, errno == ENOENT ? "mount /proc" : NULL,
                 "cannot execute /proc/self/exe");
  }
  struct sw_names_answer answer;
  memset(&answer, 0, sizeof(answer));
  snprintf(answer.failure, sizeof(answer.failure), "%.*s", SW_NAMES_FAILURE - 1, error.text);
  send(channel, &answer, sizeof(answer), MSG_NOSIGNAL);
  _exit(1);
}

/* ---- what is known ---- */

static bool is_listed(const struct sw_address *address, const struct sw_address *list,
                      size_t count) {
  for (size_t i = 0; i < count; i++)
    if (sw_address_equal(&list[i], address)) return true;
  return false;
}

/* Whether two lists hold the same addresses.  Name servers change the order with every answer. */
static bool same_addresses(const struct sw_address *a, size_t a_count, const struct sw_address *b,
                           size_t b_count) {
  for (size_t i = 0; i < a_count; i++)
    if (!is_listed(&a[i], b, b_count)) return false;
  for (size_t i = 0; i < b_count; i++)
    if (!is_listed(&b[i], a, a_count)) return false;
  return true;
}

/* Collects the addresses of all endpoints in the order of the file.  A name with many addresses
 * leaves one place to each later endpoint. */
static size_t collect(const struct sw_names *names, struct sw_address list[SW_ENDPOINTS_MAX]) {
  const unsigned endpoints = (unsigned)names->config->endpoint_count;
  size_t count = 0;
  for (unsigned i = 0; i < endpoints; i++) {
    const struct sw_names_answer *found = &names->names[i].found;
    const size_t room = SW_ENDPOINTS_MAX - (endpoints - 1 - i);
    for (unsigned k = 0; k < found->count && count < room; k++) {
      struct sw_address address = found->addresses[k];
      address.port = names->config->endpoints[i].port;
      if (!is_listed(&address, list, count)) list[count++] = address;
    }
  }
  return count;
}

unsigned sw_names_place(const struct sw_names *names, const struct sw_address *address) {
  for (unsigned i = 0; names->config && i < names->config->endpoint_count; i++) {
    struct sw_address host = *address;
    host.port = 0;
    if (address->port == names->config->endpoints[i].port &&
        is_listed(&host, names->names[i].found.addresses, names->names[i].found.count))
      return i;
  }
  return 0;
}

static void publish(struct sw_names *names) {
  struct sw_address list[SW_ENDPOINTS_MAX];
  const size_t count = collect(names, list);
  if (same_addresses(list, count, names->addresses, names->count)) return;
  memcpy(names->addresses, list, count * sizeof(list[0]));
  names->count = count;
  names->changed(names->user);
}

static const char *list_text(const struct sw_names_answer *answer, uint16_t port,
                             char text[LIST_TEXT]) {
  char one[SW_ADDRESS_TEXT];
  size_t length = 0;
  for (unsigned i = 0; i < answer->count && i < LISTED; i++) {
    struct sw_address address = answer->addresses[i];
    address.port = port;
    length += (size_t)snprintf(text + length, LIST_TEXT - length, "%s%s", i ? ", " : "",
                               sw_address_text(&address, one));
  }
  if (answer->count > LISTED)
    snprintf(text + length, LIST_TEXT - length, " and %u more", answer->count - LISTED);
  return text;
}

/* Logs what a name resolves to if it has changed, or if it could not be resolved at first. */
static void tell(struct sw_names *names, unsigned index) {
  const struct sw_config_endpoint *endpoint = &names->config->endpoints[index];
  struct sw_name *name = &names->names[index];
  char now[LIST_TEXT], before[LIST_TEXT];
  if (same_addresses(name->found.addresses, name->found.count, name->told.addresses,
                     name->told.count))
    return;
  const bool first = !name->told.count;
  const uint64_t clock = sw_clock_now();
  if (clock < name->quiet_until) return;
  list_text(&name->found, endpoint->port, now);
  if (!first)
    sw_log(SW_LOG_INFO, "%s has changed: %s (before: %s)", endpoint->host, now,
           list_text(&name->told, endpoint->port, before));
  else if (names->failures)
    sw_log(SW_LOG_INFO, "%s is resolved: %s", endpoint->host, now);
  name->told = name->found;
  name->quiet_until = first ? 0 : clock + SW_NAMES_TELL * SW_SECOND;
}

/* ---- when ---- */

static void on_due(uv_timer_t *timer);

static void wait_for(struct sw_names *names, uv_timer_cb then, uint64_t seconds) {
  uv_timer_start(&names->timer, then, seconds * 1000, 0);
}

static void schedule(struct sw_names *names) {
  uint64_t pause = SW_NAMES_AGAIN;
  if (names->up)
    pause = SW_NAMES_UP;
  else if (names->failures >= FAILURES_MOST)
    pause = SW_NAMES_FAILED_MOST;
  else if (names->failures)
    pause = UINT64_C(1) << (names->failures - 1);
  wait_for(names, on_due, pause);
}

void sw_names_link(struct sw_names *names, bool up) {
  if (names->up == up) return;
  names->up = up;
  names->failures = 0;
  names->failure[0] = '\0'; /* one that was of no importance is none now */
  names->server.port = 0;
  if (names->polling || !uv_is_active((uv_handle_t *)&names->timer)) return;
  const uint64_t passed = (sw_clock_now() - names->started) / SW_SECOND;
  if (up)
    schedule(names);
  else
    wait_for(names, on_due, passed < SW_NAMES_AGAIN ? SW_NAMES_AGAIN - passed : 0);
}

/* ---- a lookup ---- */

static void finish(struct sw_names *names) {
  names->failures = names->failing[0] ? names->failures + 1 : 0;
  memcpy(names->failure, names->failing, sizeof(names->failure));
  names->server = names->failing_server;
}

static void on_resolver_closed(uv_handle_t *handle) {
  struct sw_names *names = handle->data;
  names->polling = false;
  if (uv_is_closing((uv_handle_t *)&names->timer) || !names->named) return;
  if (names->due)
    wait_for(names, on_due, 0);
  else
    schedule(names);
  names->due = false;
}

/* Returns how it ended: a resolver that is ending already keeps its status. */
static int end_resolver(struct sw_names *names) {
  int status = 0;
  uv_timer_stop(&names->timer);
  uv_close((uv_handle_t *)&names->poll, on_resolver_closed);
  close(names->channel);
  kill(names->resolver, SIGKILL);
  waitpid(names->resolver, &status, 0);
  names->resolver = 0;
  return status;
}

static bool take_answer(struct sw_names *names, const struct sw_names_answer *answer) {
  if (!sw_names_answer_valid(answer, names->answered)) return false;
  const uint32_t index = names->answered++;
  if (answer->failure[0]) {
    snprintf(names->failing, sizeof(names->failing), "cannot resolve %s: %s",
             names->config->endpoints[index].host, answer->failure);
    names->failing_server = answer->server;
    return true;
  }
  names->names[index].found = *answer;
  tell(names, index);
  publish(names);
  return true;
}

static void describe_end(struct sw_names *names, int status) {
  if (names->failing[0]) return; /* it said why */
  if (WIFSIGNALED(status))
    snprintf(names->failing, sizeof(names->failing),
             "cannot resolve names: the resolver was ended by signal %d (%s)%s", WTERMSIG(status),
             strsignal(WTERMSIG(status)),
             WTERMSIG(status) == SIGSYS
                 ? ": it made a system call that its sandbox forbids; please report this"
                 : "");
  else
    snprintf(names->failing, sizeof(names->failing),
             "cannot resolve names: the resolver ended with status %d", WEXITSTATUS(status));
}

/* A name service may hang, and an intruder may wish to stay. */
static void on_resolver_late(uv_timer_t *timer) {
  struct sw_names *names = timer->data;
  end_resolver(names);
  snprintf(names->failing, sizeof(names->failing), "cannot resolve %s: no answer after %d s",
           names->config->endpoints[names->answered].host, SW_NAMES_SECONDS);
  finish(names);
}

/* A resolver that ends with questions unread resets the connection.  Its answers are behind that
 * error. */
static ssize_t receive_answer(int channel, struct sw_names_answer *answer) {
  const ssize_t length = recv(channel, answer, sizeof(*answer), MSG_TRUNC);
  if (length >= 0 || errno != ECONNRESET) return length;
  return recv(channel, answer, sizeof(*answer), MSG_TRUNC);
}

static void on_answer(uv_poll_t *poll, int status, int events) {
  struct sw_names *names = poll->data;
  struct sw_names_answer answer;
  (void)status, (void)events;
  while (names->answered < names->config->endpoint_count) {
    const ssize_t length = receive_answer(names->channel, &answer);
    if (length < 0 && errno == EAGAIN) return;
    if (length == sizeof(answer) && take_answer(names, &answer)) {
      wait_for(names, on_resolver_late, SW_NAMES_SECONDS);
      continue;
    }
    const int ended = end_resolver(names);
    if (length > 0)
      snprintf(names->failing, sizeof(names->failing),
               "cannot resolve names: the resolver sent an invalid answer; please report this");
    else
      describe_end(names, ended);
    finish(names);
    return;
  }
  end_resolver(names);
  finish(names);
}

/* All questions fit into the socket's buffer.  Returns 0 or a negative errno. */
static int send_questions(const struct sw_names *names, int channel) {
  struct sw_names_question question = {.interface = names->interface};
  for (uint32_t i = 0; i < names->config->endpoint_count; i++) {
    memcpy(question.host, names->config->endpoints[i].host, sizeof(question.host));
    if (send(channel, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return -errno;
  }
  return shutdown(channel, SHUT_WR) < 0 ? -errno : 0;
}

/* Signals stay blocked until the child has reset the handlers. */
pid_t sw_names_start_resolver(const struct sw_config *config, int channel) {
  sigset_t all, mask;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  const pid_t parent = getpid(), pid = fork();
  if (pid == 0) execute_resolver(channel, config->sandbox && sw_sandbox_possible(), parent, &mask);
  const int code = errno;
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  return pid < 0 ? -code : pid;
}

/* Returns 0 or a negative errno. */
static int ask_resolver(struct sw_names *names) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  int failed = send_questions(names, ends[0]);
  const pid_t resolver = failed ? failed : sw_names_start_resolver(names->config, ends[1]);
  if (resolver < 0) failed = resolver;
  close(ends[1]);
  if (!failed) failed = uv_poll_init(names->loop, &names->poll, ends[0]); /* non-blocking, too */
  if (failed) {
    close(ends[0]);
    if (resolver > 0) {
      kill(resolver, SIGKILL);
      waitpid(resolver, NULL, 0);
    }
    return failed;
  }
  names->resolver = resolver;
  names->channel = ends[0];
  names->polling = true;
  names->answered = 0;
  names->poll.data = names;
  uv_poll_start(&names->poll, UV_READABLE, on_answer);
  wait_for(names, on_resolver_late, SW_NAMES_SECONDS);
  return 0;
}

static void on_due(uv_timer_t *timer) {
  struct sw_names *names = timer->data;
  names->started = sw_clock_now();
  names->failing[0] = '\0';
  names->failing_server.port = 0;
  const int failed = ask_resolver(names);
  if (!failed) return;
  snprintf(names->failing, sizeof(names->failing), "cannot resolve names: %s", strerror(-failed));
  finish(names);
  schedule(names);
}

/* Takes the endpoints of the configuration, with what is known of those that it had `before` (NULL:
 * none). */
static void take_endpoints(struct sw_names *names, const struct sw_config *before) {
  const struct sw_config *config = names->config;
  struct sw_name former[SW_CONFIG_ENDPOINTS_MAX];
  memcpy(former, names->names, sizeof(former));
  memset(names->names, 0, sizeof(names->names));
  names->named = false;
  for (unsigned i = 0; i < config->endpoint_count; i++) {
    struct sw_name *name = &names->names[i];
    const char *host = config->endpoints[i].host;
    for (unsigned k = 0; before && k < before->endpoint_count; k++)
      if (strcmp(before->endpoints[k].host, host) == 0) *name = former[k];
    struct sw_names_answer literal;
    if (sw_names_look_up(host, AI_NUMERICHOST, &literal) != 0)
      names->named = true;
    else
      name->found = name->told = literal;
  }
  names->count = collect(names, names->addresses);
}

void sw_names_open(struct sw_names *names, uv_loop_t *loop, const struct sw_config *config,
                   unsigned interface, void (*changed)(void *user), void *user) {
  *names = (struct sw_names){
      .loop = loop, .config = config, .interface = interface, .changed = changed, .user = user};
  take_endpoints(names, NULL);
  uv_timer_init(loop, &names->timer);
  names->timer.data = names;
  if (names->named) on_due(&names->timer);
}

void sw_names_change(struct sw_names *names, const struct sw_config *before) {
  if (names->resolver) end_resolver(names);
  uv_timer_stop(&names->timer);
  names->failures = 0;
  names->failure[0] = '\0';
  names->server.port = 0;
  take_endpoints(names, before);
  names->changed(names->user);
  names->due = names->named && names->polling;
  if (names->named && !names->polling) on_due(&names->timer);
}

void sw_names_close(struct sw_names *names) {
  uv_close((uv_handle_t *)&names->timer, NULL);
  if (names->resolver) end_resolver(names);
}
