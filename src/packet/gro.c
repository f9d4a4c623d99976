#include "packet/gro.h"

#include <assert.h>

#include "packet/checksum.h"
#include "packet/gso.h"

void sw_gro_start(struct sw_gro *gro, uint8_t *buffer, bool udp) {
  *gro = (struct sw_gro){.buffer = buffer, .udp = udp};
}

uint8_t *sw_gro_room(struct sw_gro *gro) {
  if (!gro->packet) return gro->buffer + SW_GRO_HEADROOM;
  return gro->packet + gro->length + SW_GRO_HEADROOM;
}

/* Where a packet is when it is the first of what is glued: moved to the buffer's beginning if it
 * lies so far behind that there would not be room after it. */
static uint8_t *settle(const struct sw_gro *gro, uint8_t *packet, size_t length) {
  uint8_t *start = gro->buffer + SW_GRO_HEADROOM;
  if (packet <= start + SW_GRO_ROOM) return packet;
  memmove(start, packet, length);
  return start;
}

struct headers {
  uint8_t protocol;
  size_t transport, header;
};

/* Whether it is not a fragment, has no options, and its sum, which would be made anew, is right. */
static bool is_plain_ip4(const uint8_t *packet) {
  return (packet[0] & 15) == 5 && (sw_get16(packet + 6) & 0x3fff) == 0 &&
         sw_checksum_add(0, packet, SW_IP4_HEADER) == 0xffff;
}

/* Finds TCP or UDP right behind a plain IP header, in a packet that is not a fragment. */
static bool find_headers(const uint8_t *packet, size_t length, struct headers *found) {
  const bool v4 = packet[0] >> 4 == 4;
  if (v4 && !is_plain_ip4(packet)) return false;
  found->protocol = v4 ? packet[9] : packet[6];
  found->transport = v4 ? SW_IP4_HEADER : SW_IP6_HEADER;
  if (found->protocol == SW_PROTOCOL_TCP) {
    if (length < found->transport + SW_TCP_HEADER) return false;
    const size_t tcp = (size_t)(packet[found->transport + 12] >> 4) * 4;
    found->header = found->transport + tcp;
    return tcp >= SW_TCP_HEADER && found->header <= length;
  }
  if (found->protocol == SW_PROTOCOL_UDP) {
    found->header = found->transport + SW_UDP_HEADER;
    return found->header <= length &&
           sw_get16(packet + found->transport + 4) == length - found->transport;
  }
  return false;
}

static size_t checksum_offset(uint8_t protocol) {
  return protocol == SW_PROTOCOL_TCP ? SW_TCP_CHECKSUM : SW_UDP_CHECKSUM;
}

bool sw_gro_partial_valid(const uint8_t *packet, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  const size_t header = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  const uint8_t protocol = v4 ? packet[9] : packet[6];
  if (v4 && (sw_get16(packet + 6) & 0x3fff) != 0) return false;
  return sw_gso_partial_travels(packet, length, header, checksum_offset(protocol));
}

void sw_gro_complete(uint8_t *packet, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  const size_t header = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  sw_checksum_complete(packet, length, header, checksum_offset(v4 ? packet[9] : packet[6]));
}

/* Whether a segment of this kind may be glued to at all, or to something. */
static bool gluable(const struct sw_gro *gro, const uint8_t *packet, size_t length,
                    const struct headers *at, bool partial, bool first) {
  if (length == at->header) return false; /* no payload: a bare ack stays what it is */
  if (at->protocol == SW_PROTOCOL_UDP) {
    if (!gro->udp) return false;
    if (sw_get16(packet + at->transport + 6) == 0) return false; /* without a checksum */
  } else {
    const uint8_t flags = packet[at->transport + 13];
    if (flags & (SW_TCP_SYN | SW_TCP_RST | SW_TCP_URG) || !(flags & SW_TCP_ACK)) return false;
    if (!first && flags & SW_TCP_CWR) return false;
  }
  return partial || sw_checksum_verify(packet, length, at->transport, at->protocol);
}

/* Begins a super-packet. */
static void begin(struct sw_gro *gro, uint8_t *packet, size_t length, bool partial) {
  struct headers at = {0};
  const bool found = find_headers(packet, length, &at);
  gro->packet = packet;
  gro->length = length;
  gro->partial = partial;
  gro->protocol = at.protocol;
  gro->transport = at.transport;
  gro->header = at.header;
  gro->segments = 1;
  gro->size = length - at.header;
  gro->open = found && gluable(gro, packet, length, &at, partial, true);
  if (!gro->open || at.protocol != SW_PROTOCOL_TCP) return;
  if (packet[at.transport + 13] & (SW_TCP_PSH | SW_TCP_FIN)) gro->open = false;
}

/* Whether two packets of a flow differ only in what differs from segment to segment. */
static bool same_ip(const struct sw_gro *gro, const uint8_t *next) {
  const uint8_t *first = gro->packet;
  if (first[0] >> 4 == 4) {
    /* the identification counts; or, where it means nothing (DF, RFC 6864), stays the same */
    const uint16_t id = (uint16_t)(sw_get16(next + 4) - sw_get16(first + 4));
    const bool same = first[6] & 0x40 && (gro->segments == 1 ? id == 0 : gro->same_id);
    return memcmp(first, next, 2) == 0 && memcmp(first + 6, next + 6, 4) == 0 &&
           memcmp(first + 12, next + 12, 8) == 0 && id == (same ? 0 : gro->segments);
  }
  return memcmp(first, next, 4) == 0 && memcmp(first + 6, next + 6, 34) == 0;
}

static bool same_tcp(const struct sw_gro *gro, const uint8_t *next) {
  const uint8_t *a = gro->packet + gro->transport;
  const uint8_t *b = next + gro->transport;
  const uint8_t closing = SW_TCP_PSH | SW_TCP_FIN | SW_TCP_CWR;
  const size_t options = gro->header - gro->transport - SW_TCP_HEADER;
  return memcmp(a, b, 4) == 0 &&
         sw_get32(b + 4) == sw_get32(a + 4) + (uint32_t)(gro->length - gro->header) &&
         memcmp(a + 8, b + 8, 5) == 0 && ((a[13] ^ b[13]) & ~closing) == 0 &&
         memcmp(a + 14, b + 14, 2) == 0 && memcmp(a + 18, b + 18, 2 + options) == 0;
}

static bool fits(const struct sw_gro *gro, const uint8_t *packet, size_t length, bool partial) {
  struct headers at;
  if (!gro->open || packet[0] >> 4 != gro->packet[0] >> 4) return false;
  if (!find_headers(packet, length, &at)) return false;
  if (at.protocol != gro->protocol || at.header != gro->header) return false;
  const size_t payload = length - at.header;
  if (payload > gro->size || gro->length + payload > 65535) return false;
  if (at.protocol == SW_PROTOCOL_UDP) {
    if (gro->segments == SW_GRO_UDP_SEGMENTS ||
        memcmp(gro->packet + at.transport, packet + at.transport, 4) != 0)
      return false;
  } else if (!same_tcp(gro, packet)) {
    return false;
  }
  return same_ip(gro, packet) && gluable(gro, packet, length, &at, partial, false);
}

bool sw_gro_add(struct sw_gro *gro, uint8_t *packet, size_t length, bool partial) {
  if (!gro->packet) {
    begin(gro, settle(gro, packet, length), length, partial);
    return false;
  }
  assert(packet >= sw_gro_room(gro));
  if (!fits(gro, packet, length, partial)) return true;
  const size_t payload = length - gro->header;
  if (gro->segments == 1) gro->same_id = memcmp(gro->packet + 4, packet + 4, 2) == 0;
  if (gro->protocol == SW_PROTOCOL_TCP) {
    const uint8_t closing = packet[gro->transport + 13] & (SW_TCP_PSH | SW_TCP_FIN);
    gro->packet[gro->transport + 13] |= closing;
    if (closing) gro->open = false;
  }
  if (payload < gro->size) gro->open = false;
  memmove(gro->packet + gro->length, packet + gro->header, payload);
  gro->length += payload;
  gro->segments++;
  return false;
}

static enum sw_gso_type gso_of(const struct sw_gro *gro) {
  if (gro->protocol == SW_PROTOCOL_UDP) return SW_GSO_UDP;
  return gro->packet[0] >> 4 == 4 ? SW_GSO_TCP4 : SW_GSO_TCP6;
}

/* Writes the lengths and sums of the whole into its first segment's header. */
static void write_header(struct sw_gro *gro) {
  uint8_t *packet = gro->packet;
  const size_t transport_length = gro->length - gro->transport;
  if (packet[0] >> 4 == 4) {
    sw_put16(packet + 2, (uint16_t)gro->length);
    sw_checksum_ip4(packet);
  } else {
    sw_put16(packet + 4, (uint16_t)transport_length);
  }
  if (gro->protocol == SW_PROTOCOL_UDP)
    sw_put16(packet + gro->transport + 4, (uint16_t)transport_length);
  sw_put16(packet + gro->transport + checksum_offset(gro->protocol),
           sw_checksum_pseudo(packet, gro->protocol, transport_length));
}

bool sw_gro_take(struct sw_gro *gro, struct sw_gro_packet *merged) {
  if (!gro->packet) return false;
  *merged = (struct sw_gro_packet){.packet = gro->packet, .length = gro->length};
  struct sw_offload *offload = &merged->offload;
  if (gro->segments > 1) {
    write_header(gro);
    offload->gso = gso_of(gro);
    offload->ecn =
        gro->protocol == SW_PROTOCOL_TCP && gro->packet[gro->transport + 13] & SW_TCP_CWR;
    offload->size = (uint16_t)gro->size;
    offload->header = (uint16_t)gro->header;
  }
  if (gro->segments > 1 || gro->partial) {
    const bool v4 = gro->packet[0] >> 4 == 4;
    offload->partial = true;
    offload->csum_start = (uint16_t)(v4 ? (gro->packet[0] & 15) * 4 : SW_IP6_HEADER);
    offload->csum_offset = (uint16_t)checksum_offset(v4 ? gro->packet[9] : gro->packet[6]);
  }
  gro->packet = NULL;
  return true;
}
