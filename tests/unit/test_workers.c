/*
 * Workers: every share is done once, by whichever thread.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/workers.h"

#define SHARES 16

static struct sw_workers workers;
static unsigned done[SHARES]; /* not atomic: no two threads do the same share */

static void count_share(void *context, unsigned share) {
  (void)context;
  done[share]++;
}

static void sleep_ms(long ms) {
  nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void every_share_is_done_once(void **state) {
  (void)state;
  for (unsigned count = 0; count <= 3; count++) {
    assert_int_equal(sw_workers_start(&workers, count), 0);
    for (unsigned run = 1; run <= 2000; run++) {
      const unsigned shares = 1 + run % SHARES;
      memset(done, 0, sizeof(done));
      if (run % 500 == 0) sleep_ms(2); /* the workers go to sleep */
      sw_workers_run(&workers, count_share, NULL, shares);
      for (unsigned i = 0; i < SHARES; i++) assert_int_equal(done[i], i < shares);
    }
    sw_workers_stop(&workers);
  }
}

struct meeting {
  atomic_uint present;
  pthread_t threads[2];
  sigset_t blocked[2];
  char names[2][16];
};

/* Waits until another thread does the other share. */
static void meet(void *context, unsigned share) {
  struct meeting *meeting = context;
  meeting->threads[share] = pthread_self();
  pthread_sigmask(SIG_BLOCK, NULL, &meeting->blocked[share]);
  pthread_getname_np(pthread_self(), meeting->names[share], sizeof(meeting->names[share]));
  atomic_fetch_add(&meeting->present, 1);
  while (atomic_load(&meeting->present) < 2) sleep_ms(1);
}

static void worker_has_a_name_and_blocks_all_signals(void **state) {
  (void)state;
  struct meeting meeting = {0};
  assert_int_equal(sw_workers_start(&workers, 1), 0);
  sw_workers_run(&workers, meet, &meeting, 2);
  const unsigned other = pthread_equal(meeting.threads[0], pthread_self()) ? 1 : 0;
  assert_true(pthread_equal(meeting.threads[!other], pthread_self()));
  assert_string_equal(meeting.names[other], "saltway-crypto");
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE};
  for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
    assert_int_equal(sigismember(&meeting.blocked[other], signals[i]), 1);
    assert_int_equal(sigismember(&meeting.blocked[!other], signals[i]), 0);
  }
  sw_workers_stop(&workers);
}

/* Afterwards the memory that the threads used may be freed. */
static void stop_waits_for_the_threads(void **state) {
  (void)state;
  for (unsigned i = 0; i < 200; i++) {
    assert_int_equal(sw_workers_start(&workers, 1 + i % SW_WORKERS_MAX), 0);
    if (i % 2) sw_workers_run(&workers, count_share, NULL, SHARES);
    if (i % 50 == 0) sleep_ms(2);
    sw_workers_stop(&workers);
    assert_int_equal(workers.count, 0);
  }
  sw_workers_stop(&workers);
}

#define MS UINT64_C(1000000)

static void workers_are_engaged_while_their_owner_is_busy(void **state) {
  (void)state;
  assert_false(sw_workers_engaged(NULL));
  assert_int_equal(sw_workers_start(&workers, 0), 0);
  assert_false(sw_workers_engaged(&workers));
  static const struct {
    uint64_t now, busy;
    bool engaged;
  } looks[] = {{100, 10, false}, {110, 17, false}, {120, 25, true}, /* at 80 % or more */
               {130, 30, true},  {140, 34, false},                  /* below 50 % */
               {150, 41, false}, {160, 51, true}};
  for (unsigned i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
    sw_workers_look(&workers, looks[i].now * MS, looks[i].busy * MS);
    assert_int_equal(workers.engaged, looks[i].engaged);
    assert_int_equal(workers.next, (looks[i].now + 10) * MS);
  }
}

struct delay {
  pthread_t owner;
  atomic_bool taken;
};

/* Stands for a worker that loses its core in the middle of a share. */
static void delay_share(void *context, unsigned share) {
  struct delay *delay = context;
  (void)share;
  if (pthread_equal(pthread_self(), delay->owner)) {
    while (!atomic_load(&delay->taken)) sleep_ms(1);
    return;
  }
  atomic_store(&delay->taken, true);
  while (!atomic_load(&workers.waiting)) sleep_ms(1);
}

static void workers_that_are_late_are_disengaged_for_a_while(void **state) {
  (void)state;
  struct delay delay = {.owner = pthread_self()};
  assert_int_equal(sw_workers_start(&workers, 1), 0);
  workers.engaged = true;
  sw_workers_run(&workers, delay_share, &delay, 2);
  assert_int_equal(atomic_load(&workers.undone), 0);
  assert_false(workers.engaged);
  assert_true(workers.next > 0);
  memset(done, 0, sizeof(done));
  sw_workers_run(&workers, count_share, NULL, SHARES); /* no share is lost */
  for (unsigned i = 0; i < SHARES; i++) assert_int_equal(done[i], 1);
  sw_workers_stop(&workers);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_share_is_done_once),
      cmocka_unit_test(worker_has_a_name_and_blocks_all_signals),
      cmocka_unit_test(stop_waits_for_the_threads),
      cmocka_unit_test(workers_are_engaged_while_their_owner_is_busy),
      cmocka_unit_test(workers_that_are_late_are_disengaged_for_a_while),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
