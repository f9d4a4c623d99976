/*
 * Gluing consecutive segments of a flow to one super-packet, which the kernel takes in one write
 * and handles as one: the inverse of cutting, as the kernel's own GRO does it on a network card.
 *
 * Segments come in order; one that does not fit what is being glued closes it first, so order
 * holds. The caller opens each packet into the room that sw_gro_room gives, or several, one behind
 * the other, anywhere in the buffer while nothing is being glued; gives them to sw_gro_add, and
 * writes what sw_gro_take gives.
 */
#ifndef SALTWAY_PACKET_GRO_H
#define SALTWAY_PACKET_GRO_H

#include "packet/packet.h"
#include "saltway/offload.h"

/* bytes in front of a packet that whoever writes it may use, e.g. for a virtio header */
#define SW_GRO_HEADROOM 64

/* a packet and what lies behind it that a cipher may use */
#define SW_GRO_ROOM (65536 + 512)

#define SW_GRO_BUFFER (SW_GRO_HEADROOM + 3 * SW_GRO_ROOM)

#define SW_GRO_UDP_SEGMENTS 64

struct sw_gro {
  uint8_t *buffer; /* SW_GRO_BUFFER bytes of the caller's */
  uint8_t *packet; /* what is being merged; NULL: nothing */
  size_t length;
  bool partial; /* the packet's checksum is */
  bool open;    /* more may be glued to it */
  uint8_t protocol;
  size_t transport, header; /* as in struct sw_gso */
  size_t size;              /* payload of its first segment */
  unsigned segments;
  bool same_id; /* its second segment has the first one's IPv4 identification */
  bool udp;     /* UDP may be glued too: the kernel takes UDP super-packets */
};

struct sw_gro_packet {
  uint8_t *packet;
  size_t length;
  struct sw_offload offload;
};

void sw_gro_start(struct sw_gro *gro, uint8_t *buffer, bool udp);

/** Where to open the next packet: SW_GRO_ROOM bytes. */
uint8_t *sw_gro_room(struct sw_gro *gro);

/** Takes a packet that lies in the buffer behind what is being glued, SW_GRO_HEADROOM apart, whole
 * and with its IP header checked; `partial`: its checksum is.  Returns whether something is
 * complete by it: take it with sw_gro_take, use it, then call sw_gro_add again for the same
 * packet. */
bool sw_gro_add(struct sw_gro *gro, uint8_t *packet, size_t length, bool partial);

/** Gives what has been glued, and forgets it.  Returns whether there was something; it is good
 * until the next call. */
bool sw_gro_take(struct sw_gro *gro, struct sw_gro_packet *merged);

/** Whether a packet that says its checksum is partial has one, where it is looked for. */
bool sw_gro_partial_valid(const uint8_t *packet, size_t length);

/** Completes the checksum of such a packet. */
void sw_gro_complete(uint8_t *packet, size_t length);

#endif
