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

bool sw_cut_partial_travels(const uint8_t *packet, size_t length, size_t csum_start,
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

static int start_whole(struct sw_cut *cut) {
  const struct sw_offload *offload = &cut->offload;
  if (!offload->partial) return 0;
  if ((size_t)offload->csum_start + offload->csum_offset + 2 > cut->length) return -EINVAL;
  cut->partial =
      sw_cut_partial_travels(cut->packet, cut->length, offload->csum_start, offload->csum_offset);
  if (!cut->partial)
    sw_checksum_complete(cut->packet, cut->length, offload->csum_start, offload->csum_offset);
  return 0;
}

/* The sum of the pseudo-header but for its length.  Behind options and extension headers it is
 * taken out of the kernel's own, as a source route or routing header may have the address that
 * counts (RFC 1122 §4.1.1, RFC 8200 §8.1). */
static uint16_t pseudo_without_length(const struct sw_cut *cut) {
  const uint8_t *packet = cut->packet;
  const bool udp = cut->offload.gso == SW_GSO_UDP;
  if (cut->transport == (packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER))
    return sw_checksum_pseudo(packet, udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP, 0);
  uint8_t negative[4];
  sw_put32(negative, ~(uint32_t)(cut->length - cut->transport));
  return sw_checksum_add(sw_get16(packet + cut->transport + cut->offload.csum_offset), negative,
                         sizeof(negative));
}

int sw_cut_start(struct sw_cut *cut, uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  cut->packet = packet;
  cut->length = length;
  cut->offload = *offload;
  cut->at = cut->index = 0;
  cut->partial = false;
  if (!is_packet(packet, length)) return -EINVAL;
  if (offload->gso == SW_GSO_NONE) return start_whole(cut);

  const bool udp = offload->gso == SW_GSO_UDP;
  const bool v4 = packet[0] >> 4 == 4;
  if ((offload->gso == SW_GSO_TCP4 && !v4) || (offload->gso == SW_GSO_TCP6 && v4)) return -EINVAL;
  if (!offload->partial || !offload->size) return -EINVAL;
  cut->transport = offload->csum_start; /* behind IPv6 extension headers, if there are any */
  if (cut->transport < ip_header(packet)) return -EINVAL;
  if (offload->csum_offset != (udp ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM)) return -EINVAL;
  if (cut->transport + (udp ? SW_UDP_HEADER : SW_TCP_HEADER) > length) return -EINVAL;
  cut->header =
      cut->transport + (udp ? SW_UDP_HEADER : (size_t)(packet[cut->transport + 12] >> 4) * 4);
  if (!udp && cut->header < cut->transport + SW_TCP_HEADER) return -EINVAL;
  if (cut->header >= length || cut->header > SW_HEADERS_MAX) return -EINVAL;
  cut->partial = sw_cut_partial_travels(packet, length, cut->transport, offload->csum_offset);
  cut->pseudo = pseudo_without_length(cut);
  memcpy(cut->template, packet, cut->header);
  return 0;
}

static void write_ip(const struct sw_cut *cut, uint8_t *packet, size_t length) {
  if (packet[0] >> 4 == 4) {
    sw_put16(packet + 2, (uint16_t)length);
    sw_put16(packet + 4, (uint16_t)(sw_get16(cut->template + 4) + cut->index));
    sw_checksum_ip4(packet);
  } else {
    sw_put16(packet + 4, (uint16_t)(length - SW_IP6_HEADER));
  }
}

static void write_tcp(const struct sw_cut *cut, uint8_t *tcp, bool last) {
  sw_put32(tcp + 4, sw_get32(cut->template + cut->transport + 4) + (uint32_t)cut->at);
  if (!last) tcp[13] &= (uint8_t) ~(SW_TCP_PSH | SW_TCP_FIN);
  if (cut->index > 0) tcp[13] &= (uint8_t)~SW_TCP_CWR;
}

static size_t payload_left(const struct sw_cut *cut) {
  return cut->length - cut->header - cut->at;
}

/* The next segment of a super-packet: in `room`, or where it is if that is NULL. */
static bool next(struct sw_cut *cut, uint8_t *room, struct sw_segment *segment) {
  const size_t left = payload_left(cut);
  if (left == 0) return false;
  const bool last = left <= cut->offload.size;
  const size_t payload = last ? left : cut->offload.size;
  const size_t length = cut->header + payload;
  uint8_t *packet = cut->packet + cut->at;
  if (room) {
    memcpy(room + cut->header, packet + cut->header, payload);
    packet = room;
  }
  uint8_t *transport = packet + cut->transport;
  memcpy(packet, cut->template, cut->header);
  write_ip(cut, packet, length);
  if (cut->offload.gso == SW_GSO_UDP)
    sw_put16(transport + 4, (uint16_t)(length - cut->transport));
  else
    write_tcp(cut, transport, last);
  uint8_t transport_length[4];
  sw_put32(transport_length, (uint32_t)(length - cut->transport));
  sw_put16(transport + cut->offload.csum_offset,
           sw_checksum_add(cut->pseudo, transport_length, sizeof(transport_length)));
  if (!cut->partial) sw_checksum_complete(packet, length, cut->transport, cut->offload.csum_offset);
  cut->at += payload;
  cut->index++;
  *segment = (struct sw_segment){packet, length, cut->partial};
  return true;
}

bool sw_cut_next(struct sw_cut *cut, struct sw_segment *segment) {
  if (cut->offload.gso != SW_GSO_NONE) return next(cut, NULL, segment);
  *segment = (struct sw_segment){cut->packet, cut->length, cut->partial};
  return cut->index++ == 0;
}

unsigned sw_cut_count(const struct sw_cut *cut) {
  if (cut->offload.gso == SW_GSO_NONE) return cut->index == 0;
  return (unsigned)((payload_left(cut) + cut->offload.size - 1) / cut->offload.size);
}

void sw_cut_skip(struct sw_cut *cut, unsigned count) {
  assert(count < sw_cut_count(cut));
  cut->at += (size_t)count * cut->offload.size;
  cut->index += count;
}

bool sw_cut_next_apart(struct sw_cut *cut, uint8_t *room, struct sw_segment *segment) {
  assert(cut->offload.gso != SW_GSO_NONE);
  return next(cut, room, segment);
}
