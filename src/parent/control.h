/*
 * The control socket, by which `status` and `down` speak to a running link: a client sends one line
 * with a command, gets the answer, and the connection is closed.  Mode 0600: the user who runs the
 * link, and root.  On the main loop; a fixed number of clients, a bounded line, a deadline.
 */
#ifndef SALTWAY_PARENT_CONTROL_H
#define SALTWAY_PARENT_CONTROL_H

#include <stdbool.h>
#include <uv.h>

#include "base/error.h"

#define SW_CONTROL_CLIENTS 8
#define SW_CONTROL_LINE 64
#define SW_CONTROL_PATIENCE_MS 5000

struct sw_control;

struct sw_control_client {
  struct sw_control *control;
  uv_pipe_t pipe;
  uv_timer_t timer;
  uv_write_t write;
  unsigned open_handles; /* 0: free */
  char line[SW_CONTROL_LINE];
  size_t length;
  bool asks; /* and waits for sw_control_answer */
  char *answer;
};

/** Answers a command.  Returns false for an unknown one.  `answer` is text from malloc, which is
 * sent and freed; or NULL if the client has to wait for sw_control_answer. */
typedef bool sw_control_handler(void *user, const char *command, char **answer);

struct sw_control {
  uv_pipe_t listener;
  bool listening;
  bool waiting; /* a client has connected and there is no place for it yet */
  sw_control_handler *handler;
  void *user;
  int lock;   /* held as long as the link has its name; -1: none */
  bool stale; /* the link's last process was killed: it left its socket behind */
  struct sw_control_client clients[SW_CONTROL_CLIENTS];
};

/** Listens at the link's socket.  A socket that nobody listens at any more is replaced.  Returns 0
 * or a negative errno with `error` filled: -EADDRINUSE if the link is up already. */
int sw_control_open(struct sw_control *control, uv_loop_t *loop, const char *name,
                    sw_control_handler *handler, void *user, struct sw_error *error);

/** Whether a client waits for sw_control_answer. */
bool sw_control_asked(const struct sw_control *control);

/** Answers all clients that wait for an answer. */
void sw_control_answer(struct sw_control *control, const char *text);

/** Stops listening and removes the socket; clients end when the loop closes. */
void sw_control_close(struct sw_control *control);

#endif
