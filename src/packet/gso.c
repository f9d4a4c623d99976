#include "packet/gso.h"

#include <assert.h>
#include <errno.h>

#include "packet/checksum.h"

static size_t ip_header(const uint8_t *packet) {
  return packet[0] >> 4 == 4 ? (size_t)(packet[0] & 15) * 4 : SW_IP6_HEADER;
}

static uint8_t ip_protocol(const uint8_t *packet) {
  return packet[0] >> 4 == 4 ? packet[9] : packet[6];
}

bool sw_gso_partial_travels(const uint8_t *packet, size_t length, size_t csum_start,
                            size_t csum_offset) {
  const size_t header = ip_header(packet);
  if (csum_start != header || csum_start + csum_offset + 2 > length) return false;
  const uint8_t protocol = ip_protocol(packet);
  return (protocol == SW_PROTOCOL_TCP && csum_offset == SW_TCP_CHECKSUM &&
          length >= header + SW_TCP_HEADER) ||
         (protocol == SW_PROTOCOL_UDP && csum_offset == SW_UDP_CHECKSUM &&
          length >= header + SW_UDP_HEADER);
}

static bool is_packet(const uint8_t *packet, size_t length) {
  if (length >= SW_IP4_HEADER && packet[0] >> 4 == 4)
    return ip_header(packet) >= SW_IP4_HEADER && ip_header(packet) <= length;
  return length >= SW_IP6_HEADER && packet[0] >> 4 == 6;
}

static int start_whole(struct sw_gso *gso) {
  const struct sw_offload *offload = &gso->offload;
  if (!offload->partial) return 0;
  if ((size_t)offload->csum_start + offload->csum_offset + 2 > gso->length) return -EINVAL;
  gso->partial =
      sw_gso_partial_travels(gso->packet, gso->length, offload->csum_start, offload->csum_offset);
  if (!gso->partial)
    sw_checksum_complete(gso->packet, gso->length, offload->csum_start, offload->csum_offset);
  return 0;
}

/* The sum of the pseudo-header but for its length.  Behind options and extension headers it is
 * taken out of the kernel's own, as a source route or routing header may have the address that
 * counts (RFC 1122 §4.1.1, RFC 8200 §8.1). */
static uint16_t pseudo_without_length(const struct sw_gso *gso) {
  const uint8_t *packet = gso->packet;
  const bool udp = gso->offload.gso == SW_GSO_UDP;
  if (gso->transport == (packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER))
    return sw_checksum_pseudo(packet, udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP, 0);
  uint8_t negative[4];
  sw_put32(negative, ~(uint32_t)(gso->length - gso->transport));
  return sw_checksum_add(sw_get16(packet + gso->transport + gso->offload.csum_offset), negative,
                         sizeof(negative));
}

int sw_gso_start(struct sw_gso *gso, uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  gso->packet = packet;
  gso->length = length;
  gso->offload = *offload;
  gso->at = gso->index = 0;
  gso->partial = false;
  if (!is_packet(packet, length)) return -EINVAL;
  if (offload->gso == SW_GSO_NONE) return start_whole(gso);

  const bool udp = offload->gso == SW_GSO_UDP;
  const bool v4 = packet[0] >> 4 == 4;
  if ((offload->gso == SW_GSO_TCP4 && !v4) || (offload->gso == SW_GSO_TCP6 && v4)) return -EINVAL;
  if (!offload->partial || !offload->size) return -EINVAL;
  gso->transport = offload->csum_start; /* behind IPv6 extension headers, if there are any */
  if (gso->transport < ip_header(packet)) return -EINVAL;
  if (offload->csum_offset != (udp ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM)) return -EINVAL;
  if (gso->transport + (udp ? SW_UDP_HEADER : SW_TCP_HEADER) > length) return -EINVAL;
  gso->header =
      gso->transport + (udp ? SW_UDP_HEADER : (size_t)(packet[gso->transport + 12] >> 4) * 4);
  if (!udp && gso->header < gso->transport + SW_TCP_HEADER) return -EINVAL;
  if (gso->header >= length || gso->header > SW_HEADERS_MAX) return -EINVAL;
  gso->partial = sw_gso_partial_travels(packet, length, gso->transport, offload->csum_offset);
  gso->pseudo = pseudo_without_length(gso);
  memcpy(gso->template, packet, gso->header);
  return 0;
}

static void write_ip(const struct sw_gso *gso, uint8_t *packet, size_t length) {
  if (packet[0] >> 4 == 4) {
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
  if (gso->index > 0) tcp[13] &= (uint8_t)~SW_TCP_CWR;
}

static size_t payload_left(const struct sw_gso *gso) {
  return gso->length - gso->header - gso->at;
}

/* The next segment of a super-packet: in `room`, or where it is if that is NULL. */
static bool next(struct sw_gso *gso, uint8_t *room, struct sw_segment *segment) {
  const size_t left = payload_left(gso);
  if (left == 0) return false;
  const bool last = left <= gso->offload.size;
  const size_t payload = last ? left : gso->offload.size;
  const size_t length = gso->header + payload;
  uint8_t *packet = gso->packet + gso->at;
  if (room) {
    memcpy(room + gso->header, packet + gso->header, payload);
    packet = room;
  }
  uint8_t *transport = packet + gso->transport;
  memcpy(packet, gso->template, gso->header);
  write_ip(gso, packet, length);
  if (gso->offload.gso == SW_GSO_UDP)
    sw_put16(transport + 4, (uint16_t)(length - gso->transport));
  else
    write_tcp(gso, transport, last);
  uint8_t transport_length[4];
  sw_put32(transport_length, (uint32_t)(length - gso->transport));
  sw_put16(transport + gso->offload.csum_offset,
           sw_checksum_add(gso->pseudo, transport_length, sizeof(transport_length)));
  if (!gso->partial) sw_checksum_complete(packet, length, gso->transport, gso->offload.csum_offset);
  gso->at += payload;
  gso->index++;
  *segment = (struct sw_segment){packet, length, gso->partial};
  return true;
}

bool sw_gso_next(struct sw_gso *gso, struct sw_segment *segment) {
  if (gso->offload.gso != SW_GSO_NONE) return next(gso, NULL, segment);
  *segment = (struct sw_segment){gso->packet, gso->length, gso->partial};
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
