/*
 * The channel between parent and engine: messages of one fixed size over a socket pair that keeps
 * message boundaries.  The parent sends orders and requests; the engine sends answers and events.
 *
 * An attacker may control the engine.  The parent validates each message before it uses anything in
 * it, and ends the link at the first one that no engine would send.  The only number in a message
 * that the parent uses as a length is checked against the size of its array; none is used as an
 * index or an address.
 */
#ifndef SALTWAY_CHANNEL_CHANNEL_H
#define SALTWAY_CHANNEL_CHANNEL_H

#include <stdint.h>

#include "saltway/link.h"

#define SW_CHANNEL_TEXT 512

enum sw_channel_kind {
  /* from the parent */
  SW_CHANNEL_ENDPOINTS = 1, /* the peer's addresses */
  SW_CHANNEL_ASK,           /* request for a snapshot */
  SW_CHANNEL_STOP,          /* send the farewell and exit */
  /* from the engine */
  SW_CHANNEL_STARTED,  /* confined, and ready for packets */
  SW_CHANNEL_SNAPSHOT, /* answer to a request, or the link's state changed */
  SW_CHANNEL_FAILED,   /* the engine exits; the text says why */
};

struct sw_channel_endpoints {
  uint32_t count;
  struct sw_address addresses[SW_ENDPOINTS_MAX];
};

/** What the engine knows about the link. */
struct sw_snapshot {
  struct sw_link_status link;
};

struct sw_channel_message {
  uint32_t kind;
  union {
    struct sw_channel_endpoints endpoints;
    struct sw_snapshot snapshot;
    char text[SW_CHANNEL_TEXT];
  };
};

/** Makes the two ends, non-blocking and close-on-exec.  Returns 0 or a negative errno. */
int sw_channel_open(int ends[2]);

/** Sends a message.  Returns 0 or a negative errno: -EAGAIN if the channel is full. */
int sw_channel_send(int fd, const struct sw_channel_message *message);

/** Receives a message.  Returns its kind, 0 if the other end is closed, -EAGAIN if there is no
 * message, or -EPROTO for one of the wrong size or kind. */
int sw_channel_receive(int fd, struct sw_channel_message *message);

/** Validates a message from the engine.  Returns true if everything in it can be used.  Characters
 * that are not printable are replaced in its text. */
bool sw_channel_from_engine(struct sw_channel_message *message);

#endif
