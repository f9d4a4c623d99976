#include "engine/drain.h"

#include "linux/udp.h"

#define SECOND UINT64_C(1000000000)
#define WAIT (SECOND / 500) /* that bytes may have in the buffer */
#define RUN (SECOND / 1000)
/* three datagrams: the kernel tells when half of the buffer has drained, and then one is left */
#define BUFFER_LEAST 7168
/* more would not make a fast line faster */
#define BUFFER_MOST (256 << 10)
#define FAST 500000000 /* bytes a second: about what a processor seals */
/* of the buffer: 1 to 4, in 64ths */
#define FACTOR_LEAST 64
#define FACTOR_MOST (4 * FACTOR_LEAST)
#define FACTOR_MORE 8
#define FACTOR_LESS 1
#define REMEMBERED 16         /* measurements */
#define BURST (1 << 20)       /* more than routers let pass at once */
#define LONGEST (10 * SECOND) /* so that a product fits */

void sw_drain_init(struct sw_drain *drain) {
  *drain = (struct sw_drain){.buffer = SW_UDP_BUFFER_SENT, .factor = FACTOR_LEAST};
}

void sw_drain_full(struct sw_drain *drain, uint64_t now, size_t bytes) {
  drain->full_time = now;
  drain->full_bytes = bytes;
  drain->sent = 0;
}

static uint64_t in_time(uint64_t rate, uint64_t time) {
  return rate * (time / 1000) / (SECOND / 1000);
}

/* A buffer that was found empty may be too small for the time that a wake-up takes: it grows until
 * that is the case less than once in nine times. */
static void adapt(struct sw_drain *drain, bool empty) {
  drain->factor += empty ? FACTOR_MORE : -FACTOR_LESS;
  if (drain->factor < FACTOR_LEAST) drain->factor = FACTOR_LEAST;
  if (drain->factor > FACTOR_MOST) drain->factor = FACTOR_MOST;
}

static void set_buffer(struct sw_drain *drain) {
  const uint64_t wanted = in_time(drain->rate, WAIT) * (uint64_t)drain->factor / FACTOR_LEAST;
  drain->buffer = wanted < BUFFER_LEAST  ? BUFFER_LEAST
                  : wanted > BUFFER_MOST ? BUFFER_MOST
                                         : (size_t)wanted;
}

void sw_drain_left(struct sw_drain *drain, uint64_t now, size_t bytes) {
  if (drain->full_bytes == 0 || now <= drain->full_time) return;
  const uint64_t drained = drain->full_bytes > bytes ? drain->full_bytes - bytes : 0;
  const uint64_t time = now - drain->full_time;
  drain->full_bytes = 0;
  /* of a buffer that is empty only a lower bound is known */
  if (bytes > 0 || drained * SECOND / time > drain->rate) {
    drain->drained += drained - drain->drained / REMEMBERED;
    drain->time += time - drain->time / REMEMBERED;
    drain->rate = drain->drained * SECOND / drain->time;
    if (drain->rate == 0) drain->rate = 1;
  }
  adapt(drain, bytes == 0);
  set_buffer(drain);
}

void sw_drain_sent(struct sw_drain *drain, uint64_t now, size_t bytes) {
  const uint64_t time = now - drain->full_time;
  drain->sent += bytes;
  const uint64_t allowed = in_time(drain->rate, time < LONGEST ? time : LONGEST);
  if (drain->sent > BURST + 4 * allowed) sw_drain_init(drain);
}

bool sw_drain_limits(const struct sw_drain *drain) {
  return drain->rate > 0 && drain->rate < FAST;
}

size_t sw_drain_run(const struct sw_drain *drain) {
  return drain->rate ? (size_t)in_time(drain->rate, RUN) : SIZE_MAX;
}
