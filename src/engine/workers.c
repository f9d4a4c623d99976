#include "engine/workers.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <time.h>

#define STACK_BYTES ((size_t)128 << 10)
#define STACK_USED 8192 /* at most, by `work` */

#define MILLISECOND UINT64_C(1000000)

/* Workers are engaged once the owner's thread was busy for ENGAGE percent of the time between two
 * measurements, and until it was busy for less than RELEASE. */
#define LOOK_EVERY (10 * MILLISECOND)
#define ENGAGE 80
#define RELEASE 50

#define LINGER MILLISECOND             /* how long a worker spins before it sleeps */
#define PATIENCE MILLISECOND           /* how long the owner spins for a worker's last share ... */
#define DISENGAGED (100 * MILLISECOND) /* ... and, if that was too short, does without workers */

static uint64_t read_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000 * MILLISECOND + (uint64_t)time.tv_nsec;
}

static void relax_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Takes a share, if one is offered.  `work` and `context` are those of its batch, which cannot end
 * before the share is done. */
static bool take_share(struct sw_workers *workers, unsigned *share) {
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
  while (take_share(workers, &share)) {
    workers->work(workers->context, share);
    if (atomic_fetch_sub(&workers->undone, 1) > 1 || !atomic_load(&workers->waiting)) continue;
    pthread_mutex_lock(&workers->lock);
    pthread_cond_signal(&workers->done);
    pthread_mutex_unlock(&workers->lock);
  }
}

/* Returns true when shares are offered, and false when the workers are to stop. */
static bool wait_for_shares(struct sw_workers *workers) {
  const uint64_t end = read_clock(CLOCK_MONOTONIC) + LINGER;
  while (read_clock(CLOCK_MONOTONIC) < end) {
    if (atomic_load(&workers->offered) > 0) return true;
    sched_yield();
  }
  sodium_stackzero(STACK_USED); /* `work` may have left keys there */
  pthread_mutex_lock(&workers->lock);
  atomic_fetch_add(&workers->resting, 1); /* from now on the owner wakes us */
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
  while (wait_for_shares(workers)) do_shares(workers);
  return NULL;
}

/* Waits for the shares that workers have taken and not done: at most one each. */
static void wait_for_all(struct sw_workers *workers) {
  if (atomic_load(&workers->undone) == 0) return;
  const uint64_t late = read_clock(CLOCK_MONOTONIC) + PATIENCE;
  while (atomic_load(&workers->undone) > 0 && read_clock(CLOCK_MONOTONIC) < late) relax_cpu();
  if (atomic_load(&workers->undone) == 0) return;
  pthread_mutex_lock(&workers->lock);
  atomic_store(&workers->waiting, true); /* from now on the last share wakes us */
  while (atomic_load(&workers->undone) > 0) pthread_cond_wait(&workers->done, &workers->lock);
  atomic_store(&workers->waiting, false);
  pthread_mutex_unlock(&workers->lock);
  if (workers->next == UINT64_MAX) return;
  workers->engaged = false;
  workers->next = read_clock(CLOCK_MONOTONIC) + DISENGAGED;
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

/* Half of the cores are left to the kernel, which spends as much time on each packet, and to other
 * programs.  Where both ends of a link shared 2 cores, 1 worker made it 5 to 10 % slower and took 10 %
 * more processor time a gigabyte. */
unsigned sw_workers_default(void) {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof(cores), &cores) < 0) return 0;
  const unsigned half = (unsigned)CPU_COUNT(&cores) / 2;
  if (half < 2) return 0;
  return half - 1 < SW_WORKERS_MAX ? half - 1 : SW_WORKERS_MAX;
}

/* Starts one more worker.  Signals are the loop's: it blocks all of them. */
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
  /* the C library's system calls at the start of a thread must be over before a filter is set */
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
