/*
 * Segmentation of a super-packet, as the kernel hands it over with TSO or USO.
 *
 * Nothing is copied: the header of each segment is written into the bytes just before its payload,
 * which belong to the segment before.  So a segment is valid until the next one is asked for, and
 * the buffer is used up.
 *
 * Several threads may segment one super-packet.  Each has its own copy of what sw_gso_start made,
 * and its own share of the segments.  The first segment of a share is made elsewhere
 * (sw_gso_next_apart), because its header would overwrite the end of another share.
 */
#ifndef SALTWAY_PACKET_GSO_H
#define SALTWAY_PACKET_GSO_H

#include "packet/packet.h"
#include "saltway/offload.h"

/** Longest packet or super-packet. */
#define SW_GSO_PACKET_MAX 65535

/** Most segments of a super-packet: those of the longest one if each carries 32 bytes.  The smallest
 * MSS that Linux accepts leaves 36 beside timestamps (net.ipv4.tcp_min_snd_mss). */
#define SW_GSO_SEGMENTS_MAX (SW_GSO_PACKET_MAX / 32)

/** Most bytes of all segments of a super-packet together. */
#define SW_GSO_BYTES_MAX (SW_GSO_PACKET_MAX + SW_GSO_SEGMENTS_MAX * SW_HEADERS_MAX)

struct sw_gso {
  uint8_t *packet;
  struct sw_view view; /* of the whole */
  struct sw_offload offload;
  size_t transport; /* offset of the transport header, behind IPv6 extension headers */
  size_t header;    /* offset of the payload */
  size_t at;        /* bytes of payload in the segments so far */
  unsigned index;   /* segments so far */
  bool partial;     /* segments have a partial checksum, else a full one */
  uint16_t pseudo;  /* sum of the pseudo-header without its length */
  uint8_t template[SW_HEADERS_MAX];
};

struct sw_segment {
  uint8_t *packet;
  size_t length;
  bool partial; /* its checksum is partial, and sw_view_may_be_partial holds for it */
};

/** Starts with a packet of `length` bytes and the kernel's description of it.  Returns 0, or
 * -EINVAL if that does not fit the packet or exceeds a limit above: then the packet is to be
 * dropped. */
int sw_gso_start(struct sw_gso *gso, uint8_t *packet, size_t length,
                 const struct sw_offload *offload);

/** Gives the next segment.  Returns whether there was one. */
bool sw_gso_next(struct sw_gso *gso, struct sw_segment *segment);

/** Returns how many segments are left. */
unsigned sw_gso_count(const struct sw_gso *gso);

/** Skips `count` segments.  At least one more must be left. */
void sw_gso_skip(struct sw_gso *gso, unsigned count);

/** Writes the headers of the next segments to `packet`: a packet with a partial checksum, or a
 * smaller super-packet, that carries the next `payload` bytes.  Those are whole segments, or all that
 * is left.  The caller puts them behind the headers, and skips the segments. */
void sw_gso_headers(const struct sw_gso *gso, uint8_t *packet, size_t payload);

/** As sw_gso_next, but copies the segment to `room` and leaves the bytes in front of it alone. */
bool sw_gso_next_apart(struct sw_gso *gso, uint8_t *room, struct sw_segment *segment);

#endif
