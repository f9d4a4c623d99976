#include "cli/status_watch.h"

#include <jansson.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/status_ask.h"
#include "cli/status_frame.h"

#define LINKS_MAX 16 /* that have sparklines */
#define INTERVAL UINT64_C(1000000000)
#define MS UINT64_C(1000000)

/* the alternate screen, no cursor, long lines cut off; and back */
#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[?7h\033[?25h\033[?1049l"

struct watch {
  const char *name;
  bool colour, utf8;
  struct termios before;
  int signals; /* a descriptor */
  json_t *links;
  char *errors; /* of the latest answer, from malloc */
  int status;
  struct sw_history histories[LINKS_MAX];
};

/* The history of the link; NULL: there is no room for it. */
static struct sw_history *history_of(struct watch *watch, const json_t *link) {
  const char *name = json_string_value(json_object_get(link, "name"));
  for (unsigned i = 0; name && i < LINKS_MAX; i++) {
    struct sw_history *history = &watch->histories[i];
    if (!history->name[0]) snprintf(history->name, sizeof(history->name), "%s", name);
    if (strcmp(history->name, name) == 0) return history;
  }
  return NULL;
}

/* Returns whether a link answers. */
static bool ask(struct watch *watch) {
  size_t length;
  free(watch->errors);
  watch->errors = NULL;
  json_array_clear(watch->links);
  FILE *errors = open_memstream(&watch->errors, &length);
  if (!errors) return false;
  watch->status = sw_status_ask(watch->name, watch->links, errors);
  if (fclose(errors) != 0) return false;
  for (size_t i = 0; i < json_array_size(watch->links); i++) {
    const json_t *link = json_array_get(watch->links, i);
    struct sw_history *history = history_of(watch, link);
    if (history) sw_history_add(history, link);
  }
  return json_array_size(watch->links) > 0;
}

/* ---- the terminal ---- */

static void enter(struct watch *watch) {
  struct termios now;
  tcgetattr(STDIN_FILENO, &watch->before);
  now = watch->before;
  now.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  now.c_cc[VSUSP] = _POSIX_VDISABLE; /* a shell would get the terminal as it is now */
  tcsetattr(STDIN_FILENO, TCSADRAIN, &now);
  fputs(ENTER, stdout);
}

static void leave(const struct watch *watch) {
  fputs(LEAVE, stdout);
  (void)fflush(stdout);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &watch->before);
}

/* As many lines as fit; each erases what was behind it. */
static void print_lines(char *text, unsigned height) {
  char *rest;
  fputs("\033[H", stdout);
  for (char *line = strtok_r(text, "\n", &rest); line && height > 1;
       line = strtok_r(NULL, "\n", &rest), height--)
    printf("%s\033[K\n", line);
  fputs("\033[Jq ends this", stdout);
  (void)fflush(stdout);
}

static void show(struct watch *watch) {
  struct winsize size = {.ws_col = 80, .ws_row = 24};
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  const struct sw_canvas canvas = {size.ws_col, watch->colour, watch->utf8};
  static const struct sw_history none;
  char *text;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (!out) return;
  for (size_t i = 0; i < json_array_size(watch->links); i++) {
    const json_t *link = json_array_get(watch->links, i);
    const struct sw_history *history = history_of(watch, link);
    sw_status_frame(out, &canvas, link, history ? history : &none);
  }
  if (fclose(out) == 0) print_lines(text, size.ws_row);
  free(text);
}

/* ---- what ends it ---- */

/* Whether the user ends it with this key, or the terminal is gone. */
static bool key_ends(void) {
  char key;
  return read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q';
}

/* A new size of the terminal is drawn at once.  Any other signal ends it. */
static bool signal_ends(struct watch *watch) {
  struct signalfd_siginfo signal;
  if (read(watch->signals, &signal, sizeof(signal)) != sizeof(signal)) return true;
  if (signal.ssi_signo != SIGWINCH) return true;
  show(watch);
  return false;
}

/* Waits until the next answer is due.  Returns false if it is to end. */
static bool pause_until(struct watch *watch, uint64_t end) {
  for (uint64_t now; (now = sw_clock_now()) < end;) {
    struct pollfd events[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                              {.fd = watch->signals, .events = POLLIN}};
    if (poll(events, 2, (int)((end - now) / MS) + 1) <= 0) continue;
    if (events[0].revents && key_ends()) return false;
    if (events[1].revents && signal_ends(watch)) return false;
  }
  return true;
}

static int open_signals(void) {
  static const int numbers[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH};
  sigset_t set;
  sigemptyset(&set);
  for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) sigaddset(&set, numbers[i]);
  sigprocmask(SIG_BLOCK, &set, NULL);
  return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Returns an exit status. */
static int run(struct watch *watch) {
  bool answers = ask(watch), goes_on = true;
  if (answers) {
    enter(watch);
    while (answers && goes_on) {
      show(watch);
      goes_on = pause_until(watch, sw_clock_now() + INTERVAL);
      if (goes_on) answers = ask(watch);
    }
    leave(watch);
  }
  if (answers) return SW_STATUS_UP;
  if (watch->errors) fputs(watch->errors, stderr);
  return watch->status;
}

int sw_status_watch(const char *name_or_file, bool colour) {
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
    fprintf(stderr, "saltway: --watch needs a terminal\n");
    return SW_STATUS_FAILED;
  }
  setlocale(LC_CTYPE, "");
  struct watch *watch = calloc(1, sizeof(*watch));
  if (!watch) {
    fprintf(stderr, "saltway: no memory\n");
    return SW_STATUS_FAILED;
  }
  *watch = (struct watch){.name = name_or_file,
                          .colour = colour,
                          .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
                          .signals = open_signals(),
                          .links = json_array()};
  const int status = watch->signals < 0 ? SW_STATUS_FAILED : run(watch);
  if (watch->signals >= 0) close(watch->signals);
  json_decref(watch->links);
  free(watch->errors);
  free(watch);
  return status;
}
