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

#include "linux/sandbox.h"

_Static_assert(sizeof(((struct sw_config_endpoint *)0)->host) == SW_NAMES_HOST,
               "a question holds any host of a configuration");

void sw_names_init(struct sw_names *names, uv_loop_t *loop, const struct sw_config *config,
                   void (*done)(void *user, const struct sw_address *addresses, size_t count),
                   void *user) {
  *names = (struct sw_names){.loop = loop, .config = config, .done = done, .user = user};
}

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

/* ---- the parent ---- */

static void finish(struct sw_names *names) {
  struct sw_address all[SW_ENDPOINTS_MAX];
  size_t count = 0;
  for (unsigned i = 0; i < names->config->endpoint_count; i++) {
    const struct sw_names_answer *found = &names->found[i];
    for (size_t k = 0; k < found->count && count < SW_ENDPOINTS_MAX; k++) {
      all[count] = found->addresses[k];
      all[count++].port = names->config->endpoints[i].port;
    }
  }
  memcpy(names->failure, names->failing, sizeof(names->failure));
  names->done(names->user, all, count);
}

static void on_resolver_closed(uv_handle_t *handle) {
  struct sw_names *names = handle->data;
  names->open_handles--;
}

/* Returns how it ended: a resolver that is ending already keeps its status. */
static int end_resolver(struct sw_names *names) {
  int status = 0;
  uv_close((uv_handle_t *)&names->poll, on_resolver_closed);
  uv_close((uv_handle_t *)&names->patience, on_resolver_closed);
  close(names->channel);
  kill(names->resolver, SIGKILL);
  waitpid(names->resolver, &status, 0);
  names->resolver = 0;
  return status;
}

static bool take_answer(struct sw_names *names, const struct sw_names_answer *answer) {
  if (!sw_names_answer_valid(answer, names->answered)) return false;
  const uint32_t index = names->answered++;
  if (answer->failure[0])
    snprintf(names->failing, sizeof(names->failing), "cannot resolve %s: %s",
             names->config->endpoints[index].host, answer->failure);
  else
    names->found[index] = *answer;
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

static void wait_for_answer(struct sw_names *names) {
  uv_timer_start(&names->patience, on_resolver_late, SW_NAMES_SECONDS * UINT64_C(1000), 0);
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
      wait_for_answer(names);
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
static int send_questions(const struct sw_config *config, int channel) {
  struct sw_names_question question;
  for (uint32_t i = 0; i < config->endpoint_count; i++) {
    memcpy(question.host, config->endpoints[i].host, sizeof(question.host));
    if (send(channel, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) return -errno;
  }
  return shutdown(channel, SHUT_WR) < 0 ? -errno : 0;
}

/* Returns the resolver's pid or a negative errno.  Signals stay blocked until the child has reset
 * the handlers. */
static pid_t start_resolver(const struct sw_config *config, int channel) {
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
  int failed = send_questions(names->config, ends[0]);
  const pid_t resolver = failed ? failed : start_resolver(names->config, ends[1]);
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
  names->open_handles = 2;
  names->answered = 0;
  uv_timer_init(names->loop, &names->patience);
  names->poll.data = names->patience.data = names;
  uv_poll_start(&names->poll, UV_READABLE, on_answer);
  wait_for_answer(names);
  return 0;
}

void sw_names_start(struct sw_names *names) {
  if (names->open_handles) return;
  bool resolve = false;
  names->failing[0] = '\0';
  for (unsigned i = 0; i < names->config->endpoint_count; i++)
    resolve |=
        sw_names_look_up(names->config->endpoints[i].host, AI_NUMERICHOST, &names->found[i]) != 0;
  const int failed = resolve ? ask_resolver(names) : 0;
  if (failed)
    snprintf(names->failing, sizeof(names->failing), "cannot resolve names: %s", strerror(-failed));
  if (failed || !resolve) finish(names);
}

void sw_names_stop(struct sw_names *names) {
  if (names->resolver) end_resolver(names);
}
