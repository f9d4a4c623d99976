#include "engine/backlog.h"

#include "packet/queue.h"

#define SECOND UINT64_C(1000000000)
#define MEASURED (SECOND / 100) /* a burst is over by then */
#define RUN (SECOND / 1000)
#define SLOW 200000000 /* bytes a second; to copy them costs little beside sealing them */

void sw_backlog_left(struct sw_backlog *backlog, uint64_t time, size_t bytes) {
  backlog->time += time;
  backlog->bytes += bytes;
  if (backlog->time >= MEASURED)
    *backlog = (struct sw_backlog){.rate = backlog->bytes * SECOND / backlog->time};
}

void sw_backlog_end(struct sw_backlog *backlog) {
  *backlog = (struct sw_backlog){.rate = 0};
}

bool sw_backlog_limits(const struct sw_backlog *backlog) {
  return backlog->rate > 0 && backlog->rate < SLOW;
}

size_t sw_backlog_run(const struct sw_backlog *backlog) {
  if (!sw_backlog_limits(backlog)) return SIZE_MAX;
  const size_t run = (size_t)(backlog->rate / (SECOND / RUN)); /* a slow rate fits */
  return run > SW_QUEUE_QUANTUM ? run : SW_QUEUE_QUANTUM;
}
