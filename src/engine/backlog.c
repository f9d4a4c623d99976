#include "engine/backlog.h"

#define SECOND UINT64_C(1000000000)
#define PATIENCE (SECOND / 100) /* a burst is over by then */
#define RUN (SECOND / 1000)
#define SLOW 200000000 /* bytes a second; to copy them costs little beside sealing them */

void sw_backlog_left(struct sw_backlog *backlog, uint64_t now, size_t bytes) {
  const uint64_t time = now - backlog->since; /* long, if none had been left */
  if (time >= PATIENCE)
    *backlog = (struct sw_backlog){.since = now, .rate = backlog->bytes * SECOND / time};
  backlog->bytes += bytes;
}

void sw_backlog_end(struct sw_backlog *backlog) {
  *backlog = (struct sw_backlog){0};
}

bool sw_backlog_limits(const struct sw_backlog *backlog) {
  return backlog->rate > 0 && backlog->rate < SLOW;
}

size_t sw_backlog_run(const struct sw_backlog *backlog) {
  return sw_backlog_limits(backlog) ? (size_t)(backlog->rate / (SECOND / RUN)) : SIZE_MAX;
}
