/*
 * Coalesces the segments of flows and segments the super-packets.  Every segment must come back in
 * order and unchanged, except for the identification of IPv4 packets that may not be fragmented
 * (RFC 6864 §4.1).
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "packet/checksum.h"
#include "packet/gro.h"
#include "packet/gso.h"

#define SEGMENTS 80
#define SEGMENT_MAX 2048

struct segment {
  size_t length;
  bool partial;
  uint8_t bytes[SEGMENT_MAX];
};

static struct segment segments[SEGMENTS];
static unsigned made, come;

struct flow {
  uint8_t header[SW_HEADERS_MAX];
  size_t transport, length;
  uint8_t protocol;
};

static void flow_make(struct flow *flow, unsigned how, unsigned options) {
  memset(flow, 0, sizeof(*flow));
  const bool v4 = how & 1, udp = how & 2;
  flow->transport = v4 ? SW_IP4_HEADER : SW_IP6_HEADER;
  flow->protocol = udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP;
  const size_t tcp = SW_TCP_HEADER + options % 11 * 4;
  flow->length = flow->transport + (udp ? SW_UDP_HEADER : tcp);
  flow->header[0] = v4 ? 0x45 : 0x60;
  if (v4)
    flow->header[6] = how & 4 ? 0x40 : 0, flow->header[8] = 64, flow->header[9] = flow->protocol;
  else
    flow->header[6] = flow->protocol, flow->header[7] = 64;
  if (udp) return;
  flow->header[flow->transport + 12] = (uint8_t)(tcp / 4 << 4);
  flow->header[flow->transport + 13] = SW_TCP_ACK;
}

/* Advances the fields that differ from segment to segment. */
static void flow_advance(struct flow *flow, size_t payload) {
  if (flow->transport == SW_IP4_HEADER)
    sw_put16(flow->header + 4, (uint16_t)(sw_get16(flow->header + 4) + 1));
  if (flow->protocol != SW_PROTOCOL_TCP) return;
  uint8_t *sequence = flow->header + flow->transport + 4;
  sw_put32(sequence, sw_get32(sequence) + (uint32_t)payload);
}

static struct sw_view parse(const uint8_t *packet, size_t length) {
  struct sw_view view;
  assert(sw_view_parse(&view, packet, length));
  return view;
}

/* Writes lengths and checksums that match the rest of the patched packet. */
static void complete(struct segment *segment, size_t transport_at, bool sum) {
  uint8_t *packet = segment->bytes, *transport = packet + transport_at;
  const size_t length = segment->length - transport_at;
  const bool v4 = transport_at == SW_IP4_HEADER;
  const uint8_t protocol = packet[v4 ? 9 : 6];
  packet[0] = v4 ? 0x45 : 0x60;
  if (v4) {
    sw_put16(packet + 2, (uint16_t)segment->length);
    sw_checksum_ip4(packet);
  } else {
    sw_put16(packet + 4, (uint16_t)length);
  }
  if (protocol == SW_PROTOCOL_UDP) sw_put16(transport + 4, (uint16_t)length);
  const struct sw_view view = parse(packet, segment->length);
  segment->partial = segment->partial && sw_view_may_be_partial(&view);
  if (!segment->partial && (!sum || !sw_view_may_be_partial(&view))) return;
  const size_t at = protocol == SW_PROTOCOL_UDP ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM;
  sw_put16(transport + at, sw_checksum_pseudo(packet, protocol, length));
  if (!segment->partial) sw_checksum_complete(packet, segment->length, transport_at, at);
}

/* Zero has two representations in ones' complement (RFC 1071 §2), which are equal to TCP. */
static void write_zero_one_way(uint8_t *packet, size_t length) {
  const size_t transport = packet[0] >> 4 == 4 ? SW_IP4_HEADER : SW_IP6_HEADER;
  if (packet[packet[0] >> 4 == 4 ? 9 : 6] != SW_PROTOCOL_TCP) return;
  if (length < transport + SW_TCP_HEADER) return;
  if (sw_get16(packet + transport + SW_TCP_CHECKSUM) == 0)
    sw_put16(packet + transport + SW_TCP_CHECKSUM, 0xffff);
}

static void assert_come_back(const uint8_t *packet, size_t length, bool partial) {
  static uint8_t copy[65536];
  assert(come < made);
  struct segment *expected = &segments[come++];
  assert(length == expected->length);
  memcpy(copy, packet, length);
  const struct sw_view view = parse(copy, length);
  if (partial) sw_checksum_partial_complete(copy, &view);
  if (expected->partial) sw_checksum_partial_complete(expected->bytes, &view);
  if (copy[0] >> 4 == 4 && copy[6] & 0x40) {
    sw_put16(copy + 4, sw_get16(expected->bytes + 4));
    sw_checksum_ip4(copy);
  }
  write_zero_one_way(copy, length);
  write_zero_one_way(expected->bytes, length);
  assert(memcmp(copy, expected->bytes, length) == 0);
}

static void take(struct sw_gro *gro) {
  struct sw_gro_packet merged;
  if (!sw_gro_take(gro, &merged)) return;
  if (merged.offload.gso == SW_GSO_NONE) {
    assert_come_back(merged.packet, merged.length, merged.offload.partial);
    return;
  }
  struct sw_gso gso;
  struct sw_segment segment;
  assert(merged.length <= 65535);
  uint8_t *packet = malloc(merged.length);
  memcpy(packet, merged.packet, merged.length);
  assert(sw_gso_start(&gso, packet, merged.length, &merged.offload) == 0);
  while (sw_gso_next(&gso, &segment))
    assert_come_back(segment.packet, segment.length, segment.partial);
  free(packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t buffer[SW_GRO_BUFFER];
  struct flow flow;
  struct sw_gro gro;
  if (size < 2) return 0;
  made = come = 0;
  sw_gro_start(&gro, buffer, data[0] & 8);
  flow_make(&flow, data[0], data[1]);
  data += 2;
  size -= 2;
  while (size >= 2 && made < SEGMENTS) {
    const unsigned how = data[0];
    const size_t payload = data[1] * 7U;
    data += 2;
    size -= 2;
    struct segment *segment = &segments[made++];
    segment->length = flow.length + payload;
    segment->partial = how & 1;
    memcpy(segment->bytes, flow.header, flow.length);
    memset(segment->bytes + flow.length, (int)made, payload);
    if (how & 2 && flow.protocol == SW_PROTOCOL_TCP)
      segment->bytes[flow.transport + 13] |= SW_TCP_PSH;
    for (unsigned i = how >> 6; i > 0 && size >= 2; i--, data += 2, size -= 2)
      segment->bytes[data[0] % flow.length] = data[1];
    complete(segment, flow.transport, !(how & 32));
    if (how & 4)
      flow_make(&flow, how >> 3 & 7, (unsigned)payload);
    else
      flow_advance(&flow, payload);
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, segment->bytes, segment->length);
    const struct sw_view view = parse(room, segment->length);
    while (sw_gro_add(&gro, room, &view, segment->partial)) take(&gro);
  }
  while (gro.packet) take(&gro);
  assert(come == made);
  return 0;
}
