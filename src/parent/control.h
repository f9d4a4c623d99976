/*
 * The control socket, through which `status`, `reload` and `down` talk to a running link.  A client sends a
 * command in one line and gets the answer; then the connection is closed.  The socket has mode 0600:
 * it is for the user who runs the link, and root.  It is served on the parent's loop, with a fixed
 * number of clients, a bounded line and a deadline for each.
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
  bool asks; /* it waits for sw_control_answer */
  char *answer;
};

/** Answers a command; returns false if it is unknown.  `answer` becomes a text from malloc, which is
 * sent and freed, or stays NULL if the client has to wait for sw_control_answer. */
typedef bool sw_control_handler(void *user, const char *command, char **answer);

struct sw_control {
  uv_pipe_t listener;
  bool listening;
  bool waiting; /* a client is connected that is not accepted yet: all places are taken */
  sw_control_handler *handler;
  void *user;
  int lock;   /* a descriptor, locked as long as the link has its name; -1: none */
  bool stale; /* the last parent of this name was killed: its socket was still there */
  struct sw_control_client clients[SW_CONTROL_CLIENTS];
};

/** Takes the link's name in this network namespace and listens at its socket, which replaces that of
 * a killed parent.  Returns 0 or a negative errno with `error` filled: -EADDRINUSE if the link is up
 * already. */
int sw_control_open(struct sw_control *control, uv_loop_t *loop, const char *name,
                    sw_control_handler *handler, void *user, struct sw_error *error);

/** Whether a client waits for the answer to this command. */
bool sw_control_asked(const struct sw_control *control, const char *command);

/** Sends `text` to all clients that wait for the answer to this command. */
void sw_control_answer(struct sw_control *control, const char *command, const char *text);

/** Stops listening, removes the socket and gives up the name.  Clients are closed as the loop runs. */
void sw_control_close(struct sw_control *control);

#endif
