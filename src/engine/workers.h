/*
 * Workers: threads that share the work of a batch with the thread that owns them.  A batch is divided
 * into independent shares, and each thread takes the next share when it is free.  The owner never
 * waits for a worker to wake up: one that is late finds fewer shares, or none.
 *
 * Waking a thread takes longer than a batch.  So workers are engaged only while the owner's thread is
 * busy almost all the time, and then spin between batches instead of sleeping; sched_yield lets
 * others have their core.  When a worker loses its core in the middle of a share, the workers are
 * disengaged for a while.
 *
 * One thread owns the workers and calls everything here.  Workers block all signals and use only what
 * `work` uses.  Until they are stopped they make no system calls but futex, sched_yield and, where it
 * is a system call, clock_gettime.
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
  atomic_uint present; /* threads that run */

  bool engaged;
  uint64_t next;    /* when to measure the owner's load next; UINT64_MAX: never */
  uint64_t looked;  /* when it was measured last ... */
  uint64_t busy_ns; /* ... and the processor time of the owner's thread then */

  /* Not written between the moment when shares are offered and that when all are done. */
  void (*work)(void *context, unsigned share);
  void *context;
  atomic_uint offered; /* shares that no thread has taken */
  atomic_uint undone;  /* shares that are not done */

  atomic_uint resting; /* workers that wait for `more` */
  atomic_bool waiting; /* the owner waits for `done` */
  bool stopping;
  pthread_mutex_t lock; /* protects going to sleep and waking up only */
  pthread_cond_t more, done;
};

/** The number of workers that makes sense on this machine. */
unsigned sw_workers_default(void);

/** Starts `count` workers, at most SW_WORKERS_MAX.  Returns 0 or a negative errno, with none. */
int sw_workers_start(struct sw_workers *workers, unsigned count);

/** Whether the workers are engaged now.  `workers` may be NULL, and may have no threads. */
bool sw_workers_engaged(struct sw_workers *workers);

/** Measures the load of the owner's thread since the last call, and engages or disengages the workers
 * by it: its processor time is `busy_ns` at the time `now`, both in nanoseconds. */
void sw_workers_look(struct sw_workers *workers, uint64_t now, uint64_t busy_ns);

/** Calls `work` once for each share from 0 to `shares` - 1, in any order and on any thread, the
 * caller's included.  Returns when all are done. */
void sw_workers_run(struct sw_workers *workers, void (*work)(void *context, unsigned share),
                    void *context, unsigned shares);

/** Ends the threads and waits for them.  Does nothing to workers that are all zero. */
void sw_workers_stop(struct sw_workers *workers);

#endif
