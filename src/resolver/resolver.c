#include "resolver/resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "channel/names.h"
#include "linux/sandbox.h"
#include "resolver/servers.h"

#define CPU_SECONDS 20 /* for all names: a lookup takes milliseconds */
#define DESCRIPTORS 64

/* what the C library reads before it asks a name server */
static const char *const files[] = {"/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf"};
enum { FILES = sizeof(files) / sizeof(files[0]) };

static int limit_resources(struct sw_error *error) {
  const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS}, descriptors = {DESCRIPTORS, DESCRIPTORS},
                      file_size = {0, 0};
  if (setrlimit(RLIMIT_CPU, &cpu) == 0 && setrlimit(RLIMIT_NOFILE, &descriptors) == 0 &&
      setrlimit(RLIMIT_FSIZE, &file_size) == 0)
    return 0;
  return sw_error_set(error, errno, NULL, "sandbox: cannot lower resource limits");
}

static int confine(struct sw_error *error) {
  static const char *const users[] = {SW_SANDBOX_RESOLVER_USER, SW_SANDBOX_USER, NULL};
  int keep[] = {SW_NAMES_CHANNEL};
  int failed = limit_resources(error);
  if (!failed) failed = sw_sandbox_drop(users, -1, getppid(), error);
  if (!failed) failed = sw_sandbox_close_others(keep, 1, error);
  return failed ? failed : sw_sandbox_deny(error);
}

/* A file that only root can read is a common cause of failure.  Returns NULL if there is none. */
static const char *unreadable_file(void) {
  for (unsigned i = 0; i < FILES; i++) {
    const int fd = open(files[i], O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) return files[i];
    if (fd >= 0) close(fd);
  }
  return NULL;
}

static void look_up(const struct sw_names_question *question, struct sw_names_answer *answer) {
  const int status = sw_names_look_up(question->host, 0, answer);
  const char *why = status == EAI_SYSTEM ? strerror(errno) : gai_strerror(status);
  if (status == 0) return;
  const char *file = unreadable_file();
  if (file)
    snprintf(answer->failure, sizeof(answer->failure),
             "%s (cannot read %s as user %u: Permission denied; chmod o+r %s)", why, file,
             (unsigned)geteuid(), file);
  else
    snprintf(answer->failure, sizeof(answer->failure), "%s", why);
  struct sw_address server;
  if (status == EAI_AGAIN && question->interface && sw_servers_behind(question->interface, &server))
    answer->server = server;
}

static bool send_answer(const struct sw_names_answer *answer) {
  return send(SW_NAMES_CHANNEL, answer, sizeof(*answer), MSG_NOSIGNAL) == sizeof(*answer);
}

int sw_resolver_run(bool confined) {
  struct sw_names_question question;
  struct sw_error error;
  prctl(PR_SET_NAME, SW_NAMES_PROCESS, 0, 0, 0);
  if (confined && confine(&error) != 0) {
    struct sw_names_answer answer = {.index = 0};
    snprintf(answer.failure, sizeof(answer.failure), "%.*s", SW_NAMES_FAILURE - 1, error.text);
    send_answer(&answer);
    return 1;
  }
  for (uint32_t index = 0;; index++) {
    const ssize_t length = recv(SW_NAMES_CHANNEL, &question, sizeof(question), 0);
    if (length == 0) return 0;
    if (length != sizeof(question)) return 1;
    question.host[sizeof(question.host) - 1] = '\0';
    struct sw_names_answer answer;
    memset(&answer, 0, sizeof(answer));
    answer.index = index;
    look_up(&question, &answer);
    if (!send_answer(&answer)) return 1;
  }
}
