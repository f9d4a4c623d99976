/*
 * The outbox: sealed datagrams on their way from the link to the socket.
 *
 * Datagrams lie back to back in a buffer.  Consecutive ones of equal size and TOS on the same
 * path form a run, which the kernel takes as one message.  The outbox is sent, and thereby
 * emptied, before the pump waits for anything.  What the socket has no room for stays in the outbox
 * and leaves in order; until then nothing is sealed.
 *
 * The pump's thread owns it and calls everything here.
 */
#ifndef SALTWAY_ENGINE_OUTBOX_H
#define SALTWAY_ENGINE_OUTBOX_H

#include "linux/udp.h"
#include "packet/gso.h"
#include "saltway/link.h"

/** Bytes and runs after which the outbox is full.  One packet more always fits. */
#define SW_OUTBOX_BYTES 32768
#define SW_OUTBOX_RUNS SW_UDP_BATCH

enum {
  SW_OUTBOX_PACKET_SEALED = SW_GSO_BYTES_MAX + SW_GSO_SEGMENTS_MAX * SW_OVERHEAD,
  SW_OUTBOX_PACKET_RUNS = SW_GSO_SEGMENTS_MAX / SW_UDP_SEGMENTS + 2,
  SW_OUTBOX_BUFFER = SW_HEADROOM + SW_OUTBOX_BYTES + SW_OUTBOX_PACKET_SEALED + SW_SLACK,
};

struct sw_outbox {
  uint8_t *buffer;
  size_t used;
  struct sw_run runs[SW_OUTBOX_RUNS + SW_OUTBOX_PACKET_RUNS];
  unsigned count;
  unsigned segments;  /* datagrams in the last run, */
  unsigned datagrams; /* and in all */
  bool closed;        /* the last run ends with a shorter datagram */
  size_t refused;     /* bytes that the kernel refused in the latest sw_outbox_send */
};

/** Makes an empty outbox in `buffer`, SW_OUTBOX_BUFFER bytes of the caller's. */
void sw_outbox_init(struct sw_outbox *outbox, uint8_t *buffer);

bool sw_outbox_is_empty(const struct sw_outbox *outbox);

/** Whether the outbox is to be sent before anything else is sealed into it. */
bool sw_outbox_is_full(const struct sw_outbox *outbox);

/** Where to seal the next datagram, with room around it as sw_link_seal needs it. */
uint8_t *sw_outbox_room(const struct sw_outbox *outbox);

/** Adds the datagram of `length` bytes that is in the room. */
void sw_outbox_add(struct sw_outbox *outbox, size_t length, const struct sw_path *path,
                   uint8_t tos);

/** The same for one that must not be fragmented on the way.  It is a run of its own. */
void sw_outbox_add_whole(struct sw_outbox *outbox, size_t length, const struct sw_path *path);

/** Sends what the socket takes.  Returns 0 when the outbox is empty, -EAGAIN when the socket is
 * full, or another negative errno when the kernel refuses datagrams: they are tried again by the
 * next call unless sw_outbox_drop drops them. */
int sw_outbox_send(struct sw_outbox *outbox, struct sw_udp *udp);

/** Drops the datagrams that the latest sw_outbox_send was refused.  Returns how many they are; their
 * destination in `peer`, and the length of the longest in `length`. */
unsigned sw_outbox_drop(struct sw_outbox *outbox, struct sw_address *peer, size_t *length);

#endif
