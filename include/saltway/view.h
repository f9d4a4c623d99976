/*
 * The parsed view of an IP packet: what it is and where its parts are.
 *
 * A packet is parsed once (sw_view_parse in src/packet/packet.h).  Segmentation, coalescing, MSS
 * clamping, checksums and the source filter read the view.  It holds no pointers, so it stays valid
 * when the packet is moved.
 */
#ifndef SALTWAY_VIEW_H
#define SALTWAY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

struct sw_view {
  uint32_t length;    /* bytes of the whole packet */
  uint16_t transport; /* bytes of the IP header: 20 to 60 for IPv4, always 40 for IPv6 */
  uint16_t fragment;  /* IPv4: the more-fragments bit and the offset; 0: not a fragment */
  uint8_t protocol;   /* of what follows the IP header: for IPv6 this may be an extension header */
  bool v4;            /* IPv4, else IPv6 */
};

#endif
