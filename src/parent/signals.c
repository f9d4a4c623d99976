#include "parent/signals.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static const int numbers[SW_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};

static void on_handle(uv_signal_t *handle, int number) {
  const struct sw_signals *signals = handle->data;
  signals->received(signals->user, number);
}

/* A shell ignores SIGINT for commands in the background, which is not the user's decision. */
static bool stays_ignored(int number) {
  struct sigaction action;
  return number == SIGHUP && sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* A terminal that hangs up leaves its processes before it sends them SIGHUP. */
static bool has_terminal(void) {
  const int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

bool sw_signals_terminal_lost(const struct sw_signals *signals) {
  return signals->terminal && !has_terminal();
}

void sw_signals_open(struct sw_signals *signals, uv_loop_t *loop,
                     void (*received)(void *user, int signal), void *user) {
  signals->terminal = has_terminal();
  signals->received = received;
  signals->user = user;
  for (unsigned i = 0; i < SW_SIGNALS; i++) {
    uv_signal_init(loop, &signals->handles[i]);
    signals->handles[i].data = signals;
    if (!stays_ignored(numbers[i])) uv_signal_start(&signals->handles[i], on_handle, numbers[i]);
  }
}

void sw_signals_close(struct sw_signals *signals) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  for (unsigned i = 0; i < SW_SIGNALS; i++) uv_close((uv_handle_t *)&signals->handles[i], NULL);
}
