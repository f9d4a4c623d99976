#include "engine/shaper.h"

#include "packet/packet.h"

#define SECOND UINT64_C(1000000000)
/* What was not sent while timers were late, which have milliseconds, is made up for. */
#define CREDIT (SECOND / 500)
#define RUN (SECOND / 1000)

void sw_shaper_set(struct sw_shaper *shaper, const struct sw_shaping *shaping) {
  *shaper = (struct sw_shaper){.shaping = *shaping};
}

bool sw_shaper_limits(const struct sw_shaper *shaper) {
  return shaper->shaping.bandwidth > 0;
}

void sw_shaper_sent(struct sw_shaper *shaper, uint64_t now, size_t bytes, unsigned count, bool v4) {
  if (!sw_shaper_limits(shaper)) return;
  const uint64_t headers = (v4 ? SW_IP4_HEADER : SW_IP6_HEADER) + SW_UDP_HEADER;
  const uint64_t wire = bytes + count * (headers + shaper->shaping.overhead);
  if (shaper->next + CREDIT < now) shaper->next = now - CREDIT;
  shaper->next += wire * 8 * SECOND / shaper->shaping.bandwidth;
}

size_t sw_shaper_run(const struct sw_shaper *shaper) {
  if (!sw_shaper_limits(shaper)) return SIZE_MAX;
  return (size_t)(shaper->shaping.bandwidth / 8 / (SECOND / RUN));
}
