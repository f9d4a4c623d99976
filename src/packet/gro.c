#include "packet/gro.h"

#include <assert.h>

#include "packet/checksum.h"
#include "packet/ecn.h"

void sw_gro_start(struct sw_gro *gro, uint8_t *buffer, bool udp) {
  *gro = (struct sw_gro){.buffer = buffer, .udp = udp};
}

uint8_t *sw_gro_room(struct sw_gro *gro) {
  if (!gro->packet) return gro->buffer + SW_GRO_HEADROOM;
  return gro->packet + gro->length + SW_GRO_HEADROOM;
}

/* Moves a first segment to the start of the buffer if too little room would be left behind it. */
static uint8_t *make_room(const struct sw_gro *gro, uint8_t *packet, size_t length) {
  uint8_t *start = gro->buffer + SW_GRO_HEADROOM;
  if (packet <= start + SW_GRO_ROOM) return packet;
  memmove(start, packet, length);
  return start;
}

/* Whether an IPv4 header has no options and a right checksum, which coalescing would replace. */
static bool is_plain_ip4(const struct sw_view *view, const uint8_t *packet) {
  return view->transport == SW_IP4_HEADER && sw_checksum_add(0, packet, SW_IP4_HEADER) == 0xffff;
}

/* The offset of the payload of TCP or UDP behind a plain IP header; 0 if there is no payload. */
static size_t find_payload(const struct sw_view *view, const uint8_t *packet) {
  if (!sw_view_may_be_partial(view)) return 0; /* nor could the super-packet be */
  if (view->v4 && !is_plain_ip4(view, packet)) return 0;
  const uint8_t *transport = packet + view->transport;
  size_t header = SW_UDP_HEADER;
  if (view->protocol == SW_PROTOCOL_UDP) {
    if (sw_get16(transport + 4) != view->length - view->transport) return 0;
  } else {
    header = (size_t)(transport[12] >> 4) * 4;
    if (header < SW_TCP_HEADER) return 0;
  }
  return view->transport + header < view->length ? view->transport + header : 0;
}

/* Whether a packet may be part of a super-packet.
 *
 * The kernel would clear CWR in all segments but the first (RFC 3168), but where it is part of a
 * counter (AccECN, RFC 9768) all of them have it.  And it counts a super-packet with CE as one
 * packet, but AccECN reports how many were marked.  Both are rare: such segments stay alone. */
static bool may_coalesce(const struct sw_gro *gro, const uint8_t *packet,
                         const struct sw_view *view, bool partial) {
  const uint8_t *transport = packet + view->transport;
  if (view->protocol == SW_PROTOCOL_UDP) {
    if (!gro->udp) return false;
    if (sw_get16(transport + SW_UDP_CHECKSUM) == 0) return false; /* without a checksum */
  } else {
    const uint8_t flags = transport[13];
    if (flags & (SW_TCP_SYN | SW_TCP_RST | SW_TCP_URG | SW_TCP_CWR)) return false;
    if (!(flags & SW_TCP_ACK)) return false;
    if ((sw_view_tos(view, packet) & SW_ECN_MASK) == SW_ECN_CE) return false;
  }
  return partial || sw_checksum_verify(packet, view->length, view->transport, view->protocol);
}

/* Holds a packet as the first segment of a super-packet. */
static void hold(struct sw_gro *gro, uint8_t *packet, const struct sw_view *view, bool partial) {
  const size_t header = find_payload(view, packet);
  gro->packet = packet;
  gro->view = *view;
  gro->length = view->length;
  gro->header = header;
  gro->size = view->length - header;
  gro->segments = 1;
  gro->partial = partial;
  gro->open = header && may_coalesce(gro, packet, view, partial);
  if (!gro->open || view->protocol != SW_PROTOCOL_TCP) return;
  if (packet[view->transport + 13] & (SW_TCP_PSH | SW_TCP_FIN)) gro->open = false;
}

/* Whether two IP headers differ only where segments of one flow do. */
static bool same_ip(const struct sw_gro *gro, const uint8_t *next) {
  const uint8_t *first = gro->packet;
  if (gro->view.v4) {
    /* The identification counts up.  With DF, where it means nothing (RFC 6864), it may also stay
     * the same. */
    const uint16_t id = (uint16_t)(sw_get16(next + 4) - sw_get16(first + 4));
    const bool same = first[6] & 0x40 && (gro->segments == 1 ? id == 0 : gro->same_id);
    return memcmp(first, next, 2) == 0 && memcmp(first + 6, next + 6, 4) == 0 &&
           memcmp(first + 12, next + 12, 8) == 0 && id == (same ? 0 : gro->segments);
  }
  return memcmp(first, next, 4) == 0 && memcmp(first + 6, next + 6, 34) == 0;
}

static bool same_tcp(const struct sw_gro *gro, const uint8_t *next) {
  const uint8_t *a = gro->packet + gro->view.transport;
  const uint8_t *b = next + gro->view.transport;
  const uint8_t closing = SW_TCP_PSH | SW_TCP_FIN;
  const size_t options = gro->header - gro->view.transport - SW_TCP_HEADER;
  return memcmp(a, b, 4) == 0 &&
         sw_get32(b + 4) == sw_get32(a + 4) + (uint32_t)(gro->length - gro->header) &&
         memcmp(a + 8, b + 8, 5) == 0 && ((a[13] ^ b[13]) & ~closing) == 0 &&
         memcmp(a + 14, b + 14, 2) == 0 && memcmp(a + 18, b + 18, 2 + options) == 0;
}

static bool same_udp(const struct sw_gro *gro, const uint8_t *next) {
  const size_t at = gro->view.transport;
  return gro->segments < SW_GRO_UDP_SEGMENTS && memcmp(gro->packet + at, next + at, 4) == 0;
}

/* Whether a packet continues the one that is held. */
static bool continues(const struct sw_gro *gro, const uint8_t *packet, const struct sw_view *view,
                      bool partial) {
  if (!gro->open || view->v4 != gro->view.v4 || view->protocol != gro->view.protocol) return false;
  if (find_payload(view, packet) != gro->header) return false;
  const size_t payload = view->length - gro->header;
  if (payload > gro->size || gro->length + payload > 65535) return false;
  const bool same =
      view->protocol == SW_PROTOCOL_UDP ? same_udp(gro, packet) : same_tcp(gro, packet);
  return same && same_ip(gro, packet) && may_coalesce(gro, packet, view, partial);
}

bool sw_gro_add(struct sw_gro *gro, uint8_t *packet, const struct sw_view *view, bool partial) {
  if (!gro->packet) {
    hold(gro, make_room(gro, packet, view->length), view, partial);
    return false;
  }
  assert(packet >= sw_gro_room(gro));
  if (!continues(gro, packet, view, partial)) return true;
  const size_t payload = view->length - gro->header, flags = gro->view.transport + 13U;
  gro->same_id = sw_get16(gro->packet + 4) == sw_get16(packet + 4);
  if (view->protocol == SW_PROTOCOL_TCP) {
    const uint8_t closing = packet[flags] & (SW_TCP_PSH | SW_TCP_FIN);
    gro->packet[flags] |= closing;
    if (closing) gro->open = false;
  }
  if (payload < gro->size) gro->open = false;
  memmove(gro->packet + gro->length, packet + gro->header, payload);
  gro->length += payload;
  gro->segments++;
  return false;
}

static enum sw_gso_type gso_type(const struct sw_view *view) {
  if (view->protocol == SW_PROTOCOL_UDP) return SW_GSO_UDP;
  return view->v4 ? SW_GSO_TCP4 : SW_GSO_TCP6;
}

/* Writes the lengths and sums of the super-packet into the header of its first segment. */
static void write_header(struct sw_gro *gro) {
  const struct sw_view *view = &gro->view;
  uint8_t *packet = gro->packet, *transport = packet + view->transport;
  const size_t length = gro->length - view->transport;
  if (view->v4) {
    sw_put16(packet + 2, (uint16_t)gro->length);
    sw_checksum_ip4(packet);
  } else {
    sw_put16(packet + 4, (uint16_t)length);
  }
  if (view->protocol == SW_PROTOCOL_UDP) sw_put16(transport + 4, (uint16_t)length);
  sw_put16(transport + sw_view_checksum(view), sw_checksum_pseudo(packet, view->protocol, length));
}

bool sw_gro_take(struct sw_gro *gro, struct sw_gro_packet *merged) {
  if (!gro->packet) return false;
  const struct sw_view *view = &gro->view;
  *merged = (struct sw_gro_packet){.packet = gro->packet, .length = gro->length};
  struct sw_offload *offload = &merged->offload;
  if (gro->segments > 1) {
    write_header(gro);
    offload->gso = gso_type(view);
    offload->size = (uint16_t)gro->size;
    offload->header = (uint16_t)gro->header;
  }
  if (gro->segments > 1 || gro->partial) {
    offload->partial = true;
    offload->csum_start = view->transport;
    offload->csum_offset = (uint16_t)sw_view_checksum(view);
  }
  gro->packet = NULL;
  return true;
}
