/*
 * The offload header of a packet: how to segment it, if it is larger than a packet on the wire, and
 * how to complete its checksum.  These are the fields of struct virtio_net_hdr (linux/virtio_net.h;
 * virtio 1.2 §5.1.6) in host byte order.
 */
#ifndef SALTWAY_OFFLOAD_H
#define SALTWAY_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

enum sw_gso_type { SW_GSO_NONE, SW_GSO_TCP4, SW_GSO_TCP6, SW_GSO_UDP };

struct sw_offload {
  enum sw_gso_type gso; /* not NONE: a super-packet, which has to be segmented */
  bool ecn;             /* TCP: CWR is for the first segment only (RFC 3168) */
  bool partial;         /* the transport checksum is the sum of the pseudo-header only */
  uint16_t header;      /* bytes of the headers in front of the payload */
  uint16_t size;        /* payload of each segment but the last */
  uint16_t csum_start;  /* if partial: where the sum starts ... */
  uint16_t csum_offset; /* ... and where it goes, counted from there */
};

#endif
