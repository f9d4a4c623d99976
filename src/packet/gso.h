/*
 * Cutting a super-packet, as the kernel hands it over with TSO or USO, into the segments it stands
 * for.
 *
 * Nothing is copied: each segment's header is written into the bytes just before its payload, which
 * belong to the segment before.  So a segment is good until the next one is asked for, and the
 * buffer is used up.
 */
#ifndef SALTWAY_PACKET_GSO_H
#define SALTWAY_PACKET_GSO_H

#include "packet/packet.h"
#include "saltway/offload.h"

struct sw_gso {
  uint8_t *packet;
  size_t length; /* of the whole */
  struct sw_offload offload;
  size_t transport; /* where the transport header begins */
  size_t header;    /* where the payload does */
  size_t at;        /* payload cut so far */
  unsigned index;   /* segments cut so far */
  bool partial;     /* segments leave with a partial checksum, else with a full one */
  uint16_t pseudo;  /* sum of the pseudo-header without its length */
  uint8_t template[SW_HEADERS_MAX];
};

struct sw_segment {
  uint8_t *packet;
  size_t length;
  bool partial; /* its checksum is partial, and is where sw_gro and the protocol expect it */
};

/** Takes a packet and what was said of it.  Returns 0; or -EINVAL if what is said can't be true of
 * the packet (it is from the kernel, so this is not expected, and is to be dropped). */
int sw_gso_start(struct sw_gso *gso, uint8_t *packet, size_t length,
                 const struct sw_offload *offload);

/** Gives the next segment.  Returns whether there was one. */
bool sw_gso_next(struct sw_gso *gso, struct sw_segment *segment);

/*
 * Several threads may cut a super-packet, each with its own copy of what sw_gso_start made and a
 * share of the segments.  The first segment of a share is cut apart, as its header would be written
 * over the end of another's.
 */

/** How many segments are left. */
unsigned sw_gso_count(const struct sw_gso *gso);

/** Passes over `count` segments; there is at least one more. */
void sw_gso_skip(struct sw_gso *gso, unsigned count);

/** As sw_gso_next, but copies the segment to `room` and leaves what is in front of it alone. */
bool sw_gso_next_apart(struct sw_gso *gso, uint8_t *room, struct sw_segment *segment);

/** Whether a packet's partial checksum may travel as it is: at the end of the plain IP header,
 * where a receiver finds it without being told. */
bool sw_gso_partial_travels(const uint8_t *packet, size_t length, size_t csum_start,
                            size_t csum_offset);

#endif
