/*
 * What parent and engine say to each other: messages of one fixed size over a socket pair that
 * keeps their bounds.  The parent asks and tells; the engine answers, and tells what befell it.
 *
 * The engine may be in an enemy's hands: what comes from it is validated before the parent looks at
 * it, no number in it is a length, an index or an address of the parent's, and one message that
 * could not have been sent ends the link.
 */
#ifndef SALTWAY_CHANNEL_CHANNEL_H
#define SALTWAY_CHANNEL_CHANNEL_H

#include <stdint.h>

#include "saltway/link.h"

#define SW_CHANNEL_TEXT 512

enum sw_channel_kind {
  /* from the parent */
  SW_CHANNEL_ENDPOINTS = 1, /* where the peer may be found */
  SW_CHANNEL_ASK,           /* for a snapshot */
  SW_CHANNEL_STOP,          /* say goodbye and end */
  /* from the engine */
  SW_CHANNEL_STARTED,  /* confined, and carrying */
  SW_CHANNEL_SNAPSHOT, /* asked for, or the link's state changed */
  SW_CHANNEL_FAILED,   /* and ends */
};

struct sw_channel_endpoints {
  uint32_t count;
  struct sw_address addresses[SW_ENDPOINTS_MAX];
};

/* What the engine knows of the link. */
struct sw_snapshot {
  struct sw_link_status link;
  uint64_t unreachable_time;
  int32_t unreachable; /* the latest errno the network or the kernel gave about sending; 0: none */
};

struct sw_channel_message {
  uint32_t kind;
  union {
    struct sw_channel_endpoints endpoints;
    struct sw_snapshot snapshot;
    char text[SW_CHANNEL_TEXT]; /* why it failed */
  };
};

/** Makes the two ends, non-blocking and closed on exec.  Returns 0 or a negative errno. */
int sw_channel_open(int ends[2]);

/** Sends the message.  Returns 0 or a negative errno: -EAGAIN if the other side does not read. */
int sw_channel_send(int fd, const struct sw_channel_message *message);

/** Receives a message.  Returns its kind, 0 if the other side is gone, -EAGAIN if there is none, or
 * -EPROTO if the bytes are no message. */
int sw_channel_receive(int fd, struct sw_channel_message *message);

/** Whether the message is one that an engine may send, so that whatever it says can be used;
 * what is not text in a text is replaced. */
bool sw_channel_from_engine(struct sw_channel_message *message);

#endif
