/*
 * CoDel against the pseudocode of RFC 8289 §5, for random arrivals and services.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/codel.h"

#define MS UINT64_C(1000000)
#define MAXPACKET 1514
#define PACKETS 65536

struct packet {
  uint64_t tstamp;
  unsigned size;
};

/* ---- the RFC's CoDelQueue, word for word ---- */

static struct packet queue[PACKETS]; /* a ring: both sides take the packets from `head` */
static uint64_t head, tail, bytes;

static uint64_t first_above_time, drop_next;
static uint32_t count, lastcount;
static bool dropping;

struct dodequeue_result {
  const struct packet *p;
  bool ok_to_drop;
};

static const struct packet *dequeue(void) {
  if (head == tail) return NULL;
  const struct packet *p = &queue[head++ % PACKETS];
  bytes -= p->size;
  return p;
}

static uint64_t control_law(uint64_t t, uint32_t drops) {
  uint64_t low = 0, high = SW_CODEL_INTERVAL; /* INTERVAL / sqrt(count), rounded down */
  while (low < high) {
    const uint64_t middle = (low + high + 1) / 2;
    if (middle * middle <= SW_CODEL_INTERVAL * SW_CODEL_INTERVAL / drops)
      low = middle;
    else
      high = middle - 1;
  }
  return t + low;
}

static struct dodequeue_result dodequeue(uint64_t now) {
  struct dodequeue_result r = {dequeue(), false};
  if (!r.p) {
    first_above_time = 0;
    return r;
  }
  const uint64_t sojourn_time = now - r.p->tstamp;
  if (sojourn_time < SW_CODEL_TARGET || bytes <= MAXPACKET) {
    first_above_time = 0;
  } else {
    if (first_above_time == 0)
      first_above_time = now + SW_CODEL_INTERVAL;
    else if (now >= first_above_time)
      r.ok_to_drop = true;
  }
  return r;
}

static uint64_t rfc_drops;

static const struct packet *rfc_deque(uint64_t now) {
  struct dodequeue_result r = dodequeue(now);
  if (dropping) {
    if (!r.ok_to_drop) dropping = false;
    while (now >= drop_next && dropping) {
      rfc_drops++;
      ++count;
      r = dodequeue(now);
      if (!r.ok_to_drop)
        dropping = false;
      else
        drop_next = control_law(drop_next, count);
    }
  } else if (r.ok_to_drop) {
    rfc_drops++;
    r = dodequeue(now);
    dropping = true;
    const uint32_t delta = count - lastcount;
    count = 1;
    if (delta > 1 && (int64_t)(now - drop_next) < (int64_t)(16 * SW_CODEL_INTERVAL)) count = delta;
    drop_next = control_law(now, count);
    lastcount = count;
  }
  return r.p;
}

/* ---- ours, over the same packets ---- */

static struct sw_codel codel;
static uint64_t our_head, our_bytes, our_drops;

static const struct packet *our_deque(uint64_t now, uint64_t end) {
  while (our_head < end) {
    const struct packet *p = &queue[our_head++ % PACKETS];
    our_bytes -= p->size;
    const bool drop = sw_codel_drop(&codel, now, now - p->tstamp, our_bytes <= MAXPACKET);
    if (!drop) return p;
    our_drops++;
  }
  sw_codel_empty(&codel);
  return NULL;
}

static void begin(void) {
  head = tail = bytes = first_above_time = drop_next = rfc_drops = 0;
  count = lastcount = 0;
  dropping = false;
  codel = (struct sw_codel){0};
  our_head = our_bytes = our_drops = 0;
}

static void arrive(uint64_t now, unsigned size) {
  queue[tail++ % PACKETS] = (struct packet){now, size};
  bytes += size;
  our_bytes += size;
}

static unsigned below(unsigned limit) {
  return (unsigned)rand() % limit;
}

static void drops_are_those_of_the_rfc(void **state) {
  (void)state;
  uint64_t most = 0;
  for (unsigned seed = 0; seed < 300; seed++) {
    srand(seed);
    begin();
    uint64_t now = 1 + (uint64_t)below(1000) * MS;
    unsigned load = 1, speed = 1;
    for (unsigned step = 0; step < 20000; step++) {
      if (below(2000) == 0) load = below(5), speed = 1 + below(3); /* bursts, calm, idle times */
      if (below(500) == 0) now += below(3000) * MS;
      now += below(500000);
      for (unsigned n = below(load + 1); n > 0 && tail - head < PACKETS / 2; n--)
        arrive(now - below(2) * below(4) * MS * (now > 10 * MS), 60 + below(1455));
      for (unsigned n = below(speed + 1); n > 0; n--) {
        const struct packet *theirs = rfc_deque(now);
        const struct packet *ours = our_deque(now, tail);
        assert_ptr_equal(theirs, ours);
        assert_int_equal(head, our_head);
        assert_int_equal(rfc_drops, our_drops);
        assert_int_equal(bytes, our_bytes);
      }
    }
    if (rfc_drops > most) most = rfc_drops;
  }
  assert_true(most > 1000);
}

/* ---- the promises ---- */

static void short_waits_and_short_queues_are_left_alone(void **state) {
  (void)state;
  begin();
  for (uint64_t now = 1; now < 10000 * MS; now += MS)
    assert_false(sw_codel_drop(&codel, now, SW_CODEL_TARGET - 1, false));
  for (uint64_t now = 10000 * MS; now < 20000 * MS; now += MS)
    assert_false(sw_codel_drop(&codel, now, SW_CODEL_TARGET * 100, true));
}

static void target_may_be_another(void **state) {
  (void)state;
  begin();
  codel.target = 2 * MS;
  assert_false(sw_codel_drop(&codel, 1, 2 * MS, false));
  assert_true(sw_codel_drop(&codel, 1 + SW_CODEL_INTERVAL, 2 * MS, false));
  assert_false(sw_codel_drop(&codel, 2 + SW_CODEL_INTERVAL, 2 * MS - 1, false));
  assert_false(codel.dropping);
}

static void long_waits_are_borne_for_an_interval(void **state) {
  (void)state;
  begin();
  const uint64_t from = 5 * MS;
  assert_false(sw_codel_drop(&codel, from, SW_CODEL_TARGET, false));
  assert_false(sw_codel_drop(&codel, from + SW_CODEL_INTERVAL - 1, SW_CODEL_TARGET, false));
  assert_true(sw_codel_drop(&codel, from + SW_CODEL_INTERVAL, SW_CODEL_TARGET, false));
  /* then once an interval, an interval / sqrt(2) ... */
  uint64_t now = from + 2 * SW_CODEL_INTERVAL;
  assert_false(sw_codel_drop(&codel, now - 1, SW_CODEL_TARGET, false));
  assert_true(sw_codel_drop(&codel, now, SW_CODEL_TARGET, false));
  now += 70710678;
  assert_false(sw_codel_drop(&codel, now - 1, SW_CODEL_TARGET, false));
  assert_true(sw_codel_drop(&codel, now, SW_CODEL_TARGET, false));
}

/* Drops three packets, and calls again this long after the next drop was due.  Returns whether the
 * rate of drops is remembered: then the second drop comes after an interval / sqrt(2). */
static bool remembers(uint64_t later) {
  begin();
  sw_codel_drop(&codel, 1, SW_CODEL_TARGET, false);
  uint64_t now = 1 + SW_CODEL_INTERVAL;
  for (unsigned drops = 0; drops < 3; now++)
    drops += sw_codel_drop(&codel, now = codel.drop_next > now ? codel.drop_next : now,
                           SW_CODEL_TARGET, false);
  sw_codel_drop(&codel, now, 0, false);
  const uint64_t again = codel.drop_next + later;
  sw_codel_drop(&codel, again - SW_CODEL_INTERVAL, SW_CODEL_TARGET, false);
  assert_true(sw_codel_drop(&codel, again, SW_CODEL_TARGET, false));
  return sw_codel_drop(&codel, again + 70710678, SW_CODEL_TARGET, false);
}

static void rate_of_drops_is_remembered_for_16_intervals(void **state) {
  (void)state;
  assert_true(remembers(2 * SW_CODEL_INTERVAL));
  assert_true(remembers(16 * SW_CODEL_INTERVAL - 1));
  assert_false(remembers(16 * SW_CODEL_INTERVAL));
}

static void an_empty_queue_ends_the_dropping(void **state) {
  (void)state;
  begin();
  sw_codel_drop(&codel, 1, SW_CODEL_TARGET, false);
  assert_true(sw_codel_drop(&codel, 1 + SW_CODEL_INTERVAL, SW_CODEL_TARGET, false));
  sw_codel_empty(&codel);
  for (uint64_t wait = 0; wait < SW_CODEL_INTERVAL; wait += MS)
    assert_false(sw_codel_drop(&codel, 1 + 3 * SW_CODEL_INTERVAL + wait, SW_CODEL_TARGET, false));
  assert_true(sw_codel_drop(&codel, 1 + 4 * SW_CODEL_INTERVAL, SW_CODEL_TARGET, false));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(drops_are_those_of_the_rfc),
      cmocka_unit_test(short_waits_and_short_queues_are_left_alone),
      cmocka_unit_test(target_may_be_another),
      cmocka_unit_test(long_waits_are_borne_for_an_interval),
      cmocka_unit_test(rate_of_drops_is_remembered_for_16_intervals),
      cmocka_unit_test(an_empty_queue_ends_the_dropping),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
