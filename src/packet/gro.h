/*
 * Coalescing: consecutive segments of a flow become one super-packet, which the kernel takes in one
 * write and handles as one.  It is the inverse of segmentation, and follows the rules of GRO in the
 * Linux kernel.
 *
 * Segments come in order.  One that does not continue the super-packet closes it first, so order
 * holds.  The caller opens each packet into sw_gro_room, gives it to sw_gro_add, and writes what
 * sw_gro_take gives.  While nothing is held it may also open several packets, back to back,
 * anywhere in the buffer.
 *
 * The caller owns the buffer.  One thread at a time.
 */
#ifndef SALTWAY_PACKET_GRO_H
#define SALTWAY_PACKET_GRO_H

#include "packet/packet.h"
#include "saltway/offload.h"

/** Bytes in front of a packet that its writer may use, for example for a virtio header. */
#define SW_GRO_HEADROOM 64

/** A packet and the bytes behind it that a cipher may use. */
#define SW_GRO_ROOM (65536 + 512)

#define SW_GRO_BUFFER (SW_GRO_HEADROOM + 3 * SW_GRO_ROOM)

/** Most segments of a UDP super-packet that the kernel takes. */
#define SW_GRO_UDP_SEGMENTS 64

struct sw_gro {
  uint8_t *buffer;     /* SW_GRO_BUFFER bytes of the caller */
  uint8_t *packet;     /* the packet that is held; NULL: none */
  struct sw_view view; /* of its first segment */
  size_t length;
  size_t header; /* offset of its payload */
  size_t size;   /* payload of its first segment */
  unsigned segments;
  bool partial; /* the checksum of its first segment is */
  bool open;    /* segments may be added to it */
  bool same_id; /* its second segment has the IPv4 identification of the first */
  bool udp;     /* the kernel takes UDP super-packets: UDP may be coalesced too */
};

struct sw_gro_packet {
  uint8_t *packet;
  size_t length;
  struct sw_offload offload;
};

void sw_gro_start(struct sw_gro *gro, uint8_t *buffer, bool udp);

/** Where to open the next packet: SW_GRO_ROOM bytes. */
uint8_t *sw_gro_room(struct sw_gro *gro);

/** Adds a whole packet, which lies in the buffer at least SW_GRO_HEADROOM behind the one that is
 * held.  `partial`: its checksum is, and sw_view_may_be_partial holds.  Returns false if the packet
 * was added.  Returns true if the one that is held is complete: take it with sw_gro_take, use it,
 * and add the same packet again. */
bool sw_gro_add(struct sw_gro *gro, uint8_t *packet, const struct sw_view *view, bool partial);

/** Takes the packet that is held.  Returns whether there was one.  It is valid until the next call.
 */
bool sw_gro_take(struct sw_gro *gro, struct sw_gro_packet *merged);

#endif
