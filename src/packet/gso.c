#include "packet/gso.h"

#include <assert.h>
#include <errno.h>

#include "packet/checksum.h"

/* Whether the checksum may stay partial where the kernel says it is. */
static bool stays_partial(const struct sw_gso *gso) {
  const struct sw_offload *offload = &gso->offload;
  return sw_view_may_be_partial(&gso->view) && offload->csum_start == gso->view.transport &&
         offload->csum_offset == sw_view_checksum(&gso->view);
}

static int start_whole(struct sw_gso *gso) {
  const struct sw_offload *offload = &gso->offload;
  const size_t length = gso->view.length;
  if (!offload->partial) return 0;
  if (offload->csum_start < gso->view.transport) return -EINVAL; /* inside the IP header */
  if ((size_t)offload->csum_start + offload->csum_offset + 2 > length) return -EINVAL;
  gso->partial = stays_partial(gso);
  if (!gso->partial)
    sw_checksum_complete(gso->packet, length, offload->csum_start, offload->csum_offset);
  return 0;
}

/* Finds where the transport header and the payload begin.  Returns whether the packet can be what
 * the kernel says. */
static bool find_headers(struct sw_gso *gso) {
  const struct sw_offload *offload = &gso->offload;
  const size_t length = gso->view.length;
  const bool udp = offload->gso == SW_GSO_UDP;
  if (offload->gso == (gso->view.v4 ? SW_GSO_TCP6 : SW_GSO_TCP4)) return false;
  if (!offload->partial) return false;
  if (offload->csum_offset != (udp ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM)) return false;
  gso->transport = offload->csum_start;
  if (gso->transport < gso->view.transport) return false;
  size_t transport_header = SW_UDP_HEADER;
  if (!udp) {
    if (gso->transport + SW_TCP_HEADER > length) return false;
    transport_header = (size_t)(gso->packet[gso->transport + 12] >> 4) * 4;
    if (transport_header < SW_TCP_HEADER) return false;
  }
  gso->header = gso->transport + transport_header;
  return gso->header < length && gso->header <= SW_HEADERS_MAX;
}

/* The sum of the pseudo-header without its length.  Behind options and extension headers it is
 * taken from the sum of the kernel: a source route or routing header may hold the address that
 * counts (RFC 1122 §4.1.1, RFC 8200 §8.1). */
static uint16_t pseudo_without_length(const struct sw_gso *gso) {
  const uint8_t *packet = gso->packet;
  const bool udp = gso->offload.gso == SW_GSO_UDP;
  if (gso->transport == (gso->view.v4 ? SW_IP4_HEADER : SW_IP6_HEADER))
    return sw_checksum_pseudo(packet, udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP, 0);
  uint8_t negative[4];
  sw_put32(negative, ~(uint32_t)(gso->view.length - gso->transport));
  return sw_checksum_add(sw_get16(packet + gso->transport + gso->offload.csum_offset), negative,
                         sizeof(negative));
}

int sw_gso_start(struct sw_gso *gso, uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  gso->packet = packet;
  gso->offload = *offload;
  gso->at = gso->index = 0;
  gso->partial = false;
  if (length > SW_GSO_PACKET_MAX || !sw_view_parse(&gso->view, packet, length)) return -EINVAL;
  if (offload->gso == SW_GSO_NONE) return start_whole(gso);

  if (!offload->size || !find_headers(gso)) return -EINVAL;
  if (sw_gso_count(gso) > SW_GSO_SEGMENTS_MAX) return -EINVAL;
  gso->partial = stays_partial(gso);
  gso->pseudo = pseudo_without_length(gso);
  memcpy(gso->template, packet, gso->header);
  return 0;
}

static void write_ip(const struct sw_gso *gso, uint8_t *packet, size_t length) {
  if (gso->view.v4) {
    sw_put16(packet + 2, (uint16_t)length);
    sw_put16(packet + 4, (uint16_t)(sw_get16(gso->template + 4) + gso->index));
    sw_checksum_ip4(packet);
  } else {
    sw_put16(packet + 4, (uint16_t)(length - SW_IP6_HEADER));
  }
}

static void write_tcp(const struct sw_gso *gso, uint8_t *tcp, bool last) {
  sw_put32(tcp + 4, sw_get32(gso->template + gso->transport + 4) + (uint32_t)gso->at);
  if (!last) tcp[13] &= (uint8_t) ~(SW_TCP_PSH | SW_TCP_FIN);
  if (gso->index > 0 && gso->offload.ecn) tcp[13] &= (uint8_t)~SW_TCP_CWR;
}

static size_t payload_left(const struct sw_gso *gso) {
  return gso->view.length - gso->header - gso->at;
}

void sw_gso_headers(const struct sw_gso *gso, uint8_t *packet, size_t payload) {
  const size_t length = gso->header + payload;
  uint8_t *transport = packet + gso->transport;
  memcpy(packet, gso->template, gso->header);
  write_ip(gso, packet, length);
  if (gso->offload.gso == SW_GSO_UDP)
    sw_put16(transport + 4, (uint16_t)(length - gso->transport));
  else
    write_tcp(gso, transport, payload == payload_left(gso));
  uint8_t transport_length[4];
  sw_put32(transport_length, (uint32_t)(length - gso->transport));
  sw_put16(transport + gso->offload.csum_offset,
           sw_checksum_add(gso->pseudo, transport_length, sizeof(transport_length)));
}

/* The next segment of a super-packet: in `room`, or in place if that is NULL. */
static bool next(struct sw_gso *gso, uint8_t *room, struct sw_segment *segment) {
  const size_t left = payload_left(gso);
  if (left == 0) return false;
  const size_t payload = left < gso->offload.size ? left : gso->offload.size;
  const size_t length = gso->header + payload;
  uint8_t *packet = gso->packet + gso->at;
  if (room) {
    memcpy(room + gso->header, packet + gso->header, payload);
    packet = room;
  }
  sw_gso_headers(gso, packet, payload);
  if (!gso->partial) sw_checksum_complete(packet, length, gso->transport, gso->offload.csum_offset);
  gso->at += payload;
  gso->index++;
  *segment = (struct sw_segment){packet, length, gso->partial};
  return true;
}

bool sw_gso_next(struct sw_gso *gso, struct sw_segment *segment) {
  if (gso->offload.gso != SW_GSO_NONE) return next(gso, NULL, segment);
  *segment = (struct sw_segment){gso->packet, gso->view.length, gso->partial};
  return gso->index++ == 0;
}

unsigned sw_gso_count(const struct sw_gso *gso) {
  if (gso->offload.gso == SW_GSO_NONE) return gso->index == 0;
  return (unsigned)((payload_left(gso) + gso->offload.size - 1) / gso->offload.size);
}

void sw_gso_skip(struct sw_gso *gso, unsigned count) {
  assert(count < sw_gso_count(gso));
  gso->at += (size_t)count * gso->offload.size;
  gso->index += count;
}

bool sw_gso_next_apart(struct sw_gso *gso, uint8_t *room, struct sw_segment *segment) {
  assert(gso->offload.gso != SW_GSO_NONE);
  return next(gso, room, segment);
}
