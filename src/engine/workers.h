/*
 * Threads that help with a batch: work in shares that don't depend on each other, handed out one by
 * one to whoever is free, the caller among them.  A worker that is late finds less to do, or
 * nothing; nobody waits for one to wake up.
 *
 * That takes longer than a batch does, so workers help only while the owner's thread is busy
 * without a pause, and then look out for the next batch instead of sleeping; they give way to
 * whoever wants their core.  Where they lose it with a share in hand, they are left alone for a
 * while.
 *
 * One thread owns the workers and calls everything here.  The threads block every signal, touch
 * nothing but what `work` does, and until they are stopped make no system calls but futex,
 * sched_yield and, where it is one, clock_gettime.
 */
#ifndef SALTWAY_ENGINE_WORKERS_H
#define SALTWAY_ENGINE_WORKERS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SW_WORKERS_MAX 8

struct sw_workers {
  unsigned count;
  pthread_t threads[SW_WORKERS_MAX];
  atomic_uint present; /* threads that have begun */

  bool engaged;             /* they help */
  uint64_t next;            /* when to look next whether they shall; UINT64_MAX: never */
  uint64_t looked, busy_ns; /* the latest look: when, and the owner's thread's time by then */

  /* written before the shares are offered, and not before all are done */
  void (*work)(void *context, unsigned share);
  void *context;
  atomic_uint offered; /* shares that nobody has taken */
  atomic_uint undone;  /* shares that are not done */

  atomic_uint resting; /* workers that wait for `more` */
  atomic_bool waiting; /* the owner waits for `done` */
  bool stopping;
  pthread_mutex_t lock; /* for going to sleep and waking up only */
  pthread_cond_t more, done;
};

/** How many workers are of use on this machine. */
unsigned sw_workers_default(void);

/** Starts `count` workers, at most SW_WORKERS_MAX.  Returns 0 or a negative errno, with none. */
int sw_workers_start(struct sw_workers *workers, unsigned count);

/** Whether they help with a large batch that comes now.  Fine if there are none. */
bool sw_workers_engaged(struct sw_workers *workers);

/** Decides whether they help from now on, by how much of the time since the last look the owner's
 * thread was busy: `busy_ns` of its own, at the time `now`. */
void sw_workers_look(struct sw_workers *workers, uint64_t now, uint64_t busy_ns);

/** Does `work` for the shares 0 to `shares` - 1, in any order, and returns when all are done. */
void sw_workers_run(struct sw_workers *workers, void (*work)(void *context, unsigned share),
                    void *context, unsigned shares);

/** Ends the threads and waits for them.  Fine if they were not started, and all is zero. */
void sw_workers_stop(struct sw_workers *workers);

#endif
