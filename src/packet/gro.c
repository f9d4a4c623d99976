#include "packet/gro.h"

#include <assert.h>

#include "packet/checksum.h"
#include "packet/gso.h"

void sw_glue_start(struct sw_glue *glue, uint8_t *buffer, bool udp) {
  *glue = (struct sw_glue){.buffer = buffer, .udp = udp};
}

uint8_t *sw_glue_room(struct sw_glue *glue) {
  if (!glue->packet) return glue->buffer + SW_GLUE_HEADROOM;
  return glue->packet + glue->length + SW_GLUE_HEADROOM;
}

/* Where a packet is when it is the first of what is glued: moved to the buffer's beginning if it
 * lies so far behind that there would not be room after it. */
static uint8_t *settle(const struct sw_glue *glue, uint8_t *packet, size_t length) {
  uint8_t *start = glue->buffer + SW_GLUE_HEADROOM;
  if (packet <= start + SW_GLUE_ROOM) return packet;
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

bool sw_glue_partial_valid(const uint8_t *packet, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  const size_t header = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  const uint8_t protocol = v4 ? packet[9] : packet[6];
  if (v4 && (sw_get16(packet + 6) & 0x3fff) != 0) return false;
  return sw_cut_partial_travels(packet, length, header, checksum_offset(protocol));
}

void sw_glue_complete(uint8_t *packet, size_t length) {
  const bool v4 = packet[0] >> 4 == 4;
  const size_t header = v4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
  sw_checksum_complete(packet, length, header, checksum_offset(v4 ? packet[9] : packet[6]));
}

/* Whether a segment of this kind may be glued to at all, or to something. */
static bool gluable(const struct sw_glue *glue, const uint8_t *packet, size_t length,
                    const struct headers *at, bool partial, bool first) {
  if (length == at->header) return false; /* no payload: a bare ack stays what it is */
  if (at->protocol == SW_PROTOCOL_UDP) {
    if (!glue->udp) return false;
    if (sw_get16(packet + at->transport + 6) == 0) return false; /* without a checksum */
  } else {
    const uint8_t flags = packet[at->transport + 13];
    if (flags & (SW_TCP_SYN | SW_TCP_RST | SW_TCP_URG) || !(flags & SW_TCP_ACK)) return false;
    if (!first && flags & SW_TCP_CWR) return false;
  }
  return partial || sw_checksum_verify(packet, length, at->transport, at->protocol);
}

/* Begins a super-packet. */
static void begin(struct sw_glue *glue, uint8_t *packet, size_t length, bool partial) {
  struct headers at = {0};
  const bool found = find_headers(packet, length, &at);
  glue->packet = packet;
  glue->length = length;
  glue->partial = partial;
  glue->protocol = at.protocol;
  glue->transport = at.transport;
  glue->header = at.header;
  glue->segments = 1;
  glue->size = length - at.header;
  glue->open = found && gluable(glue, packet, length, &at, partial, true);
  if (!glue->open || at.protocol != SW_PROTOCOL_TCP) return;
  if (packet[at.transport + 13] & (SW_TCP_PSH | SW_TCP_FIN)) glue->open = false;
}

/* Whether two packets of a flow differ only in what differs from segment to segment. */
static bool same_ip(const struct sw_glue *glue, const uint8_t *next) {
  const uint8_t *first = glue->packet;
  if (first[0] >> 4 == 4) {
    /* the identification counts; or, where it means nothing (DF, RFC 6864), stays the same */
    const uint16_t id = (uint16_t)(sw_get16(next + 4) - sw_get16(first + 4));
    const bool same = first[6] & 0x40 && (glue->segments == 1 ? id == 0 : glue->same_id);
    return memcmp(first, next, 2) == 0 && memcmp(first + 6, next + 6, 4) == 0 &&
           memcmp(first + 12, next + 12, 8) == 0 && id == (same ? 0 : glue->segments);
  }
  return memcmp(first, next, 4) == 0 && memcmp(first + 6, next + 6, 34) == 0;
}

static bool same_tcp(const struct sw_glue *glue, const uint8_t *next) {
  const uint8_t *a = glue->packet + glue->transport;
  const uint8_t *b = next + glue->transport;
  const uint8_t closing = SW_TCP_PSH | SW_TCP_FIN | SW_TCP_CWR;
  const size_t options = glue->header - glue->transport - SW_TCP_HEADER;
  return memcmp(a, b, 4) == 0 &&
         sw_get32(b + 4) == sw_get32(a + 4) + (uint32_t)(glue->length - glue->header) &&
         memcmp(a + 8, b + 8, 5) == 0 && ((a[13] ^ b[13]) & ~closing) == 0 &&
         memcmp(a + 14, b + 14, 2) == 0 && memcmp(a + 18, b + 18, 2 + options) == 0;
}

static bool fits(const struct sw_glue *glue, const uint8_t *packet, size_t length, bool partial) {
  struct headers at;
  if (!glue->open || packet[0] >> 4 != glue->packet[0] >> 4) return false;
  if (!find_headers(packet, length, &at)) return false;
  if (at.protocol != glue->protocol || at.header != glue->header) return false;
  const size_t payload = length - at.header;
  if (payload > glue->size || glue->length + payload > 65535) return false;
  if (at.protocol == SW_PROTOCOL_UDP) {
    if (glue->segments == SW_GLUE_UDP_SEGMENTS ||
        memcmp(glue->packet + at.transport, packet + at.transport, 4) != 0)
      return false;
  } else if (!same_tcp(glue, packet)) {
    return false;
  }
  return same_ip(glue, packet) && gluable(glue, packet, length, &at, partial, false);
}

bool sw_glue_add(struct sw_glue *glue, uint8_t *packet, size_t length, bool partial) {
  if (!glue->packet) {
    begin(glue, settle(glue, packet, length), length, partial);
    return false;
  }
  assert(packet >= sw_glue_room(glue));
  if (!fits(glue, packet, length, partial)) return true;
  const size_t payload = length - glue->header;
  if (glue->segments == 1) glue->same_id = memcmp(glue->packet + 4, packet + 4, 2) == 0;
  if (glue->protocol == SW_PROTOCOL_TCP) {
    const uint8_t closing = packet[glue->transport + 13] & (SW_TCP_PSH | SW_TCP_FIN);
    glue->packet[glue->transport + 13] |= closing;
    if (closing) glue->open = false;
  }
  if (payload < glue->size) glue->open = false;
  memmove(glue->packet + glue->length, packet + glue->header, payload);
  glue->length += payload;
  glue->segments++;
  return false;
}

static enum sw_gso gso_of(const struct sw_glue *glue) {
  if (glue->protocol == SW_PROTOCOL_UDP) return SW_GSO_UDP;
  return glue->packet[0] >> 4 == 4 ? SW_GSO_TCP4 : SW_GSO_TCP6;
}

/* Writes the lengths and sums of the whole into its first segment's header. */
static void write_header(struct sw_glue *glue) {
  uint8_t *packet = glue->packet;
  const size_t transport_length = glue->length - glue->transport;
  if (packet[0] >> 4 == 4) {
    sw_put16(packet + 2, (uint16_t)glue->length);
    sw_checksum_ip4(packet);
  } else {
    sw_put16(packet + 4, (uint16_t)transport_length);
  }
  if (glue->protocol == SW_PROTOCOL_UDP)
    sw_put16(packet + glue->transport + 4, (uint16_t)transport_length);
  sw_put16(packet + glue->transport + checksum_offset(glue->protocol),
           sw_checksum_pseudo(packet, glue->protocol, transport_length));
}

bool sw_glue_take(struct sw_glue *glue, struct sw_glued *glued) {
  if (!glue->packet) return false;
  *glued = (struct sw_glued){.packet = glue->packet, .length = glue->length};
  struct sw_offload *offload = &glued->offload;
  if (glue->segments > 1) {
    write_header(glue);
    offload->gso = gso_of(glue);
    offload->ecn =
        glue->protocol == SW_PROTOCOL_TCP && glue->packet[glue->transport + 13] & SW_TCP_CWR;
    offload->size = (uint16_t)glue->size;
    offload->header = (uint16_t)glue->header;
  }
  if (glue->segments > 1 || glue->partial) {
    const bool v4 = glue->packet[0] >> 4 == 4;
    offload->partial = true;
    offload->csum_start = (uint16_t)(v4 ? (glue->packet[0] & 15) * 4 : SW_IP6_HEADER);
    offload->csum_offset = (uint16_t)checksum_offset(v4 ? glue->packet[9] : glue->packet[6]);
  }
  glue->packet = NULL;
  return true;
}
