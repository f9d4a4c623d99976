/*
 * Gluing consecutive segments of a flow to one super-packet, which the kernel takes in one write
 * and handles as one: the inverse of cutting, as the kernel's own GRO does it on a network card.
 *
 * Segments come in order; one that does not fit what is being glued closes it first, so order
 * holds. The caller opens each packet into the room that sw_glue_room gives, or several, one behind
 * the other, anywhere in the buffer while nothing is being glued; gives them to sw_glue_add, and
 * writes what sw_glue_take gives.
 */
#ifndef SALTWAY_PACKET_GRO_H
#define SALTWAY_PACKET_GRO_H

#include "packet/packet.h"
#include "saltway/offload.h"

/* bytes in front of a packet that whoever writes it may use, e.g. for a virtio header */
#define SW_GLUE_HEADROOM 64

/* a packet and what lies behind it that a cipher may use */
#define SW_GLUE_ROOM (65536 + 512)

#define SW_GLUE_BUFFER (SW_GLUE_HEADROOM + 3 * SW_GLUE_ROOM)

#define SW_GLUE_UDP_SEGMENTS 64

struct sw_glue {
  uint8_t *buffer; /* SW_GLUE_BUFFER bytes of the caller's */
  uint8_t *packet; /* what is being glued; NULL: nothing */
  size_t length;
  bool partial; /* the packet's checksum is */
  bool open;    /* more may be glued to it */
  uint8_t protocol;
  size_t transport, header; /* as in struct sw_cut */
  size_t size;              /* payload of its first segment */
  unsigned segments;
  bool same_id; /* its second segment has the first one's IPv4 identification */
  bool udp;     /* UDP may be glued too: the kernel takes UDP super-packets */
};

struct sw_glued {
  uint8_t *packet;
  size_t length;
  struct sw_offload offload;
};

void sw_glue_start(struct sw_glue *glue, uint8_t *buffer, bool udp);

/** Where to open the next packet: SW_GLUE_ROOM bytes. */
uint8_t *sw_glue_room(struct sw_glue *glue);

/** Takes a packet that lies in the buffer behind what is being glued, SW_GLUE_HEADROOM apart, whole
 * and with its IP header checked; `partial`: its checksum is.  Returns whether something is
 * complete by it: take it with sw_glue_take, use it, then call sw_glue_add again for the same
 * packet. */
bool sw_glue_add(struct sw_glue *glue, uint8_t *packet, size_t length, bool partial);

/** Gives what has been glued, and forgets it.  Returns whether there was something; it is good
 * until the next call. */
bool sw_glue_take(struct sw_glue *glue, struct sw_glued *glued);

/** Whether a packet that says its checksum is partial has one, where it is looked for. */
bool sw_glue_partial_valid(const uint8_t *packet, size_t length);

/** Completes the checksum of such a packet. */
void sw_glue_complete(uint8_t *packet, size_t length);

#endif
