#include "engine/workers.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <time.h>

#define STACK_BYTES ((size_t)128 << 10)
#define STACK_USED 8192 /* by work, at most */

#define MILLISECOND UINT64_C(1000000)

/* Workers are engaged where the owner's thread ran for ENGAGE percent of the time between two
 * looks, until it runs for less than RELEASE. */
#define LOOK_EVERY (10 * MILLISECOND)
#define ENGAGE 80
#define RELEASE 50

/* How long a worker looks out for the next batch, how long the owner is patient with a share in a
 * worker's hand, and how long it does without them when it was not enough. */
#define LINGER MILLISECOND
#define PATIENCE MILLISECOND
#define LEFT_ALONE (100 * MILLISECOND)

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000 * MILLISECOND + (uint64_t)time.tv_nsec;
}

static void pause_a_little(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Takes one of the shares that are offered.  What `work` and `context` say is of the same batch, as
 * that does not end before this share is done. */
static bool take(struct sw_workers *workers, unsigned *share) {
  unsigned offered = atomic_load(&workers->offered);
  while (offered > 0) {
    if (!atomic_compare_exchange_weak(&workers->offered, &offered, offered - 1)) continue;
    *share = offered - 1;
    return true;
  }
  return false;
}

static void do_shares(struct sw_workers *workers) {
  unsigned share;
  while (take(workers, &share)) {
    workers->work(workers->context, share);
    if (atomic_fetch_sub(&workers->undone, 1) > 1 || !atomic_load(&workers->waiting)) continue;
    pthread_mutex_lock(&workers->lock);
    pthread_cond_signal(&workers->done);
    pthread_mutex_unlock(&workers->lock);
  }
}

/* Whether there is more to do; false: the end. */
static bool wait_for_more(struct sw_workers *workers) {
  const uint64_t end = read_clock(CLOCK_MONOTONIC) + LINGER;
  while (read_clock(CLOCK_MONOTONIC) < end) {
    if (atomic_load(&workers->offered) > 0) return true;
    sched_yield();
  }
  sodium_stackzero(STACK_USED); /* the work may have been with keys */
  pthread_mutex_lock(&workers->lock);
  atomic_fetch_add(&workers->resting, 1); /* from here on the owner wakes us */
  while (atomic_load(&workers->offered) == 0 && !workers->stopping)
    pthread_cond_wait(&workers->more, &workers->lock);
  atomic_fetch_sub(&workers->resting, 1);
  const bool more = !workers->stopping;
  pthread_mutex_unlock(&workers->lock);
  return more;
}

static void *run_worker(void *argument) {
  struct sw_workers *workers = argument;
  pthread_setname_np(pthread_self(), "saltway-crypto");
  atomic_fetch_add(&workers->present, 1);
  while (wait_for_more(workers)) do_shares(workers);
  return NULL;
}

/* Waits for the shares that workers still have in hand, one each at most. */
static void wait_for_all(struct sw_workers *workers) {
  if (atomic_load(&workers->undone) == 0) return;
  const uint64_t late = read_clock(CLOCK_MONOTONIC) + PATIENCE;
  while (atomic_load(&workers->undone) > 0 && read_clock(CLOCK_MONOTONIC) < late) pause_a_little();
  if (atomic_load(&workers->undone) == 0) return;
  pthread_mutex_lock(&workers->lock);
  atomic_store(&workers->waiting, true); /* from here on who does the last share wakes us */
  while (atomic_load(&workers->undone) > 0) pthread_cond_wait(&workers->done, &workers->lock);
  atomic_store(&workers->waiting, false);
  pthread_mutex_unlock(&workers->lock);
  if (workers->next == UINT64_MAX) return;
  workers->engaged = false;
  workers->next = read_clock(CLOCK_MONOTONIC) + LEFT_ALONE;
}

void sw_workers_run(struct sw_workers *workers, void (*work)(void *context, unsigned share),
                    void *context, unsigned shares) {
  workers->work = work;
  workers->context = context;
  atomic_store(&workers->undone, shares);
  atomic_store(&workers->offered, shares);
  if (atomic_load(&workers->resting) > 0) {
    pthread_mutex_lock(&workers->lock);
    pthread_cond_broadcast(&workers->more);
    pthread_mutex_unlock(&workers->lock);
  }
  do_shares(workers);
  wait_for_all(workers);
}

bool sw_workers_engaged(struct sw_workers *workers) {
  if (!workers || workers->count == 0) return false;
  const uint64_t now = read_clock(CLOCK_MONOTONIC);
  if (now >= workers->next) sw_workers_look(workers, now, read_clock(CLOCK_THREAD_CPUTIME_ID));
  return workers->engaged;
}

void sw_workers_look(struct sw_workers *workers, uint64_t now, uint64_t busy_ns) {
  const uint64_t percent = (busy_ns - workers->busy_ns) * 100 / (now - workers->looked);
  workers->engaged = percent >= (workers->engaged ? RELEASE : ENGAGE);
  workers->looked = now;
  workers->busy_ns = busy_ns;
  workers->next = now + LOOK_EVERY;
}

/* Half of the machine is for the kernel, which has as much to do with each packet, and for others.
 * Where both ends of a link share 2 cores, 1 worker made it 5 to 10 % slower, with 10 % more
 * processor time a gigabyte. */
unsigned sw_workers_default(void) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) < 0) return 0;
  const unsigned half = (unsigned)CPU_COUNT(&cores) / 2;
  if (half < 2) return 0;
  return half - 1 < SW_WORKERS_MAX ? half - 1 : SW_WORKERS_MAX;
}

/* Starts one more, with every signal blocked: they are the loop's. */
static int start_one(struct sw_workers *workers) {
  pthread_attr_t attributes;
  sigset_t all, before;
  pthread_t *thread = &workers->threads[workers->count];
  int failed = pthread_attr_init(&attributes);
  if (failed) return -failed;
  sigfillset(&all);
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failed = pthread_create(thread, &attributes, run_worker, workers);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  if (failed) return -failed;
  workers->count++;
  /* what the C library calls at a thread's start is over before anybody filters system calls */
  while (atomic_load(&workers->present) < workers->count) sched_yield();
  return 0;
}

int sw_workers_start(struct sw_workers *workers, unsigned count) {
  assert(count <= SW_WORKERS_MAX);
  *workers = (struct sw_workers){.lock = PTHREAD_MUTEX_INITIALIZER,
                                 .more = PTHREAD_COND_INITIALIZER,
                                 .done = PTHREAD_COND_INITIALIZER};
  while (workers->count < count) {
    const int failed = start_one(workers);
    if (!failed) continue;
    sw_workers_stop(workers);
    return failed;
  }
  return 0;
}

void sw_workers_stop(struct sw_workers *workers) {
  if (workers->count == 0) return;
  pthread_mutex_lock(&workers->lock);
  workers->stopping = true;
  pthread_cond_broadcast(&workers->more);
  pthread_mutex_unlock(&workers->lock);
  while (workers->count > 0) pthread_join(workers->threads[--workers->count], NULL);
}
