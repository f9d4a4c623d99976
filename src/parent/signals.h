/*
 * The signals that a link obeys: SIGINT and SIGTERM end it.  SIGHUP reloads it, or ends it if the
 * terminal that it was started from is gone; it is ignored if it was at the start, as under nohup(1).
 * The struct is its owner's and must outlive the loop's run.
 */
#ifndef SALTWAY_PARENT_SIGNALS_H
#define SALTWAY_PARENT_SIGNALS_H

#include <stdbool.h>
#include <uv.h>

#define SW_SIGNALS 3

struct sw_signals {
  uv_signal_t handles[SW_SIGNALS];
  bool terminal; /* there was one at the start */
  void (*received)(void *user, int signal);
  void *user;
};

/** Has `received` called, on the loop, for each signal. */
void sw_signals_open(struct sw_signals *signals, uv_loop_t *loop,
                     void (*received)(void *user, int signal), void *user);

/** Whether the process had a controlling terminal at the start, and has none now. */
bool sw_signals_terminal_lost(const struct sw_signals *signals);

/** Blocks all signals for the rest of the process's life, and closes the handles.  If signals were
 * not blocked, one would then kill a process that is about to end in order. */
void sw_signals_close(struct sw_signals *signals);

#endif
