#include "base/last_words.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/runtime.h"

static char file[SW_RUNTIME_PATH];

static void on_abort(int signal) {
  static const char words[] =
      "saltway: aborted; if no reason is given above, the system is out of memory, open files or "
      "epoll watches (sysctl fs.file-nr fs.epoll.max_user_watches)\n";
  (void)signal;
  if (file[0]) unlink(file);
  _exit(write(STDERR_FILENO, words, sizeof(words) - 1) < 0 ? 2 : 1);
}

void sw_last_words(const char *path) {
  snprintf(file, sizeof(file), "%s", path ? path : "");
  signal(SIGABRT, on_abort);
}
