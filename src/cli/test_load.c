#include "cli/test_load.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* Numbers of the kernel are well formed. */
/* NOLINTBEGIN(cert-err34-c) */

bool sw_test_load_process(const char *stat, uint64_t *ticks) {
  const char *rest = strrchr(stat, ')'); /* the name may have spaces and parentheses */
  uint64_t user, system;
  if (!rest || sscanf(rest, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64 " %" SCNu64,
                      &user, &system) != 2)
    return false;
  *ticks = user + system;
  return true;
}

bool sw_test_load_cores(const char *stat, uint64_t *busy, uint64_t *all) {
  uint64_t t[8]; /* user, nice, system, idle, iowait, irq, softirq, steal */
  if (sscanf(stat,
             "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
             " %" SCNu64,
             &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
    return false;
  *busy = t[0] + t[1] + t[2] + t[5] + t[6] + t[7];
  *all = *busy + t[3] + t[4];
  return true;
}

/* NOLINTEND(cert-err34-c) */

/* The first bytes of the file; empty: it cannot be read. */
static const char *contents(int fd, char text[1024]) {
  const ssize_t length = fd < 0 ? 0 : pread(fd, text, 1023, 0);
  text[length > 0 ? length : 0] = '\0';
  return text;
}

void sw_test_load_open(struct sw_test_load *load, pid_t engine) {
  char path[64];
  snprintf(path, sizeof(path), "/proc/%d/stat", (int)engine);
  *load = (struct sw_test_load){.engine = engine > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1,
                                .machine = open("/proc/stat", O_RDONLY | O_CLOEXEC)};
}

void sw_test_load_begin(struct sw_test_load *load) {
  char text[1024];
  load->time = sw_clock_now();
  if (!sw_test_load_process(contents(load->engine, text), &load->ticks)) load->ticks = UINT64_MAX;
  if (!sw_test_load_cores(contents(load->machine, text), &load->busy, &load->all))
    load->all = UINT64_MAX;
}

void sw_test_load_end(const struct sw_test_load *load, struct sw_test_side *side) {
  char text[1024];
  uint64_t ticks, busy, all;
  const uint64_t time = sw_clock_now() - load->time;
  const uint64_t tick = SW_TEST_NS / (uint64_t)sysconf(_SC_CLK_TCK);
  side->engine = side->machine = SW_TEST_UNKNOWN;
  if (sw_test_load_process(contents(load->engine, text), &ticks) && ticks >= load->ticks && time)
    side->engine = (uint32_t)((ticks - load->ticks) * tick * 1000 / time);
  if (sw_test_load_cores(contents(load->machine, text), &busy, &all) && all > load->all &&
      busy >= load->busy && busy - load->busy <= all - load->all)
    side->machine = (uint32_t)((busy - load->busy) * 1000 / (all - load->all));
}
