/*
 * Segmentation and coalescing.  The segments must be those that the kernel would send, made here by
 * independent code that copies.  Coalescing them must give the super-packet again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "packet/checksum.h"
#include "packet/gro.h"
#include "packet/gso.h"

#define ROOM 70000

struct shape {
  bool v6, udp, ecn;
  size_t options;   /* of TCP */
  size_t extension; /* IPv6 hop-by-hop options */
  size_t ip_options;
  size_t size, payload;
  uint8_t flags, reserved; /* of TCP; the last reserved bit is AE (RFC 9768) */
  uint8_t tos;
  bool df;
};

static uint8_t pattern(size_t i) {
  return (uint8_t)(i * 31 + i / 251);
}

/* Makes a super-packet as the kernel passes it; returns its length. */
static size_t make(const struct shape *shape, uint8_t *packet, struct sw_offload *offload) {
  const size_t ip =
      (shape->v6 ? SW_IP6_HEADER + shape->extension : SW_IP4_HEADER + shape->ip_options);
  const size_t l4 = shape->udp ? SW_UDP_HEADER : SW_TCP_HEADER + shape->options;
  const size_t length = ip + l4 + shape->payload;
  const uint8_t protocol = shape->udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP;
  memset(packet, 0, ip + l4);
  if (shape->v6) {
    sw_put16(packet, (uint16_t)(0x6000 | shape->tos << 4));
    sw_put16(packet + 4, (uint16_t)(length - SW_IP6_HEADER));
    packet[6] = shape->extension ? 0 : protocol;
    packet[7] = 64;
    for (size_t i = 8; i < 40; i++) packet[i] = (uint8_t)i;
    if (shape->extension) {
      packet[40] = protocol;
      packet[41] = (uint8_t)(shape->extension / 8 - 1);
    }
  } else {
    packet[0] = (uint8_t)(0x40 | ip / 4);
    packet[1] = shape->tos;
    sw_put16(packet + 2, (uint16_t)length);
    sw_put16(packet + 4, 0xfffe);
    if (shape->df) packet[6] = 0x40;
    packet[8] = 64;
    packet[9] = protocol;
    memcpy(packet + 12, "\x0a\x01\x02\x03\x0a\x04\x05\x06", 8);
    memset(packet + 20, 1, shape->ip_options);
    sw_checksum_ip4(packet);
  }
  uint8_t *transport = packet + ip;
  sw_put16(transport, 1234);
  sw_put16(transport + 2, 80);
  if (shape->udp) {
    sw_put16(transport + 4, (uint16_t)(l4 + shape->payload));
  } else {
    sw_put32(transport + 4, 0xffffff00);
    sw_put32(transport + 8, 77);
    transport[12] = (uint8_t)(l4 / 4 << 4 | shape->reserved);
    transport[13] = (uint8_t)(SW_TCP_ACK | shape->flags);
    sw_put16(transport + 14, 500);
    memset(transport + 20, 1, shape->options);
  }
  for (size_t i = 0; i < shape->payload; i++) packet[ip + l4 + i] = pattern(i);
  const size_t offset = shape->udp ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM;
  sw_put16(transport + offset, sw_checksum_pseudo(packet, protocol, l4 + shape->payload));
  const bool super = shape->payload > shape->size;
  *offload = (struct sw_offload){.partial = true,
                                 .csum_start = (uint16_t)ip,
                                 .csum_offset = (uint16_t)offset,
                                 .ecn = shape->ecn};
  if (super) {
    offload->gso = shape->udp ? SW_GSO_UDP : shape->v6 ? SW_GSO_TCP6 : SW_GSO_TCP4;
    offload->size = (uint16_t)shape->size;
    offload->header = (uint16_t)(ip + l4);
  }
  return length;
}

static void assert_segment(const struct shape *shape, const struct sw_segment *segment, size_t at,
                           unsigned index) {
  const size_t ip =
      shape->v6 ? SW_IP6_HEADER + shape->extension : SW_IP4_HEADER + shape->ip_options;
  const size_t l4 = shape->udp ? SW_UDP_HEADER : SW_TCP_HEADER + shape->options;
  const uint8_t protocol = shape->udp ? SW_PROTOCOL_UDP : SW_PROTOCOL_TCP;
  const size_t offset = shape->udp ? SW_UDP_CHECKSUM : SW_TCP_CHECKSUM;
  const size_t left = shape->payload - at;
  const size_t payload = left < shape->size ? left : shape->size;
  const bool last = left <= shape->size;
  assert_int_equal(segment->length, ip + l4 + payload);
  uint8_t packet[ROOM];
  memcpy(packet, segment->packet, segment->length);
  for (size_t i = 0; i < payload; i++) assert_int_equal(packet[ip + l4 + i], pattern(at + i));
  if (shape->v6) {
    assert_int_equal(sw_get16(packet + 4), segment->length - SW_IP6_HEADER);
  } else {
    assert_int_equal(sw_get16(packet + 2), segment->length);
    assert_int_equal(sw_get16(packet + 4), (0xfffe + index) & 0xffff);
    assert_int_equal(sw_checksum_add(0, packet, ip), 0xffff);
  }
  const uint8_t *transport = packet + ip;
  if (shape->udp) {
    assert_int_equal(sw_get16(transport + 4), l4 + payload);
  } else {
    assert_int_equal(sw_get32(transport + 4), (uint32_t)(0xffffff00 + at));
    uint8_t flags = SW_TCP_ACK | shape->flags;
    if (!last) flags &= (uint8_t) ~(SW_TCP_PSH | SW_TCP_FIN);
    if (index && shape->ecn) flags &= (uint8_t)~SW_TCP_CWR;
    assert_int_equal(transport[13], flags);
    assert_int_equal(transport[12] & 15, shape->reserved);
  }
  assert_int_equal(segment->partial, !shape->extension);
  if (segment->partial) {
    assert_int_equal(sw_get16(transport + offset),
                     sw_checksum_pseudo(packet, protocol, l4 + payload));
    sw_checksum_complete(packet, segment->length, ip, offset);
  }
  assert_true(sw_checksum_verify(packet, segment->length, ip, protocol));
}

static bool add(struct sw_gro *gro, uint8_t *packet, size_t length, bool partial) {
  struct sw_view view;
  assert_true(sw_view_parse(&view, packet, length));
  return sw_gro_add(gro, packet, &view, partial);
}

static void complete_checksum(uint8_t *packet, size_t length) {
  struct sw_view view;
  assert_true(sw_view_parse(&view, packet, length));
  sw_checksum_partial_complete(packet, &view);
}

/* Segments the shape, checks every segment, and coalesces them.  Returns the number of resulting
 * packets.  The last one is in `merged`, and copied to `whole`. */
static unsigned segment_and_coalesce(const struct shape *shape, struct sw_gro_packet *merged,
                                     uint8_t *whole, bool complete) {
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  struct sw_offload offload;
  const size_t length = make(shape, packet, &offload);
  struct sw_gso gso;
  struct sw_segment segment;
  struct sw_gro gro;
  unsigned pieces = 0;
  size_t at = 0;
  sw_gro_start(&gro, buffer, true);
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
  for (unsigned index = 0; sw_gso_next(&gso, &segment); index++) {
    assert_segment(shape, &segment, at, index);
    at += shape->size;
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, segment.packet, segment.length);
    if (complete && segment.partial) complete_checksum(room, segment.length);
    while (add(&gro, room, segment.length, segment.partial && !complete)) {
      assert_true(sw_gro_take(&gro, merged));
      pieces++;
    }
  }
  assert_true(at >= shape->payload);
  if (sw_gro_take(&gro, merged)) {
    memcpy(whole, merged->packet, merged->length);
    pieces++;
  }
  assert_false(sw_gro_take(&gro, merged));
  return pieces;
}

static struct shape random_shape(void) {
  struct shape shape = {.v6 = rand() % 2,
                        .udp = rand() % 3 == 0,
                        .df = rand() % 2,
                        .size = 500 + (size_t)rand() % 1000};
  shape.payload = 1 + (size_t)rand() % (rand() % 4 ? 60000 : 3000);
  if (shape.udp) {
    if (shape.payload > shape.size * 60) shape.payload = shape.size * 60;
  } else {
    shape.options = (size_t)(rand() % 4) * 12 % 40;
    if (rand() % 2) shape.flags |= SW_TCP_PSH;
    if (rand() % 5 == 0) shape.flags |= SW_TCP_FIN;
    if (rand() % 5 == 0) shape.flags |= SW_TCP_ECE;
    shape.reserved = rand() % 5 == 0;
  }
  shape.tos = (uint8_t)rand();
  if (!shape.udp && (shape.tos & 3) == 3) shape.tos--; /* CE */
  return shape;
}

static void packet_is_unchanged_after_segmentation_and_coalescing(void **state) {
  (void)state;
  static uint8_t packet[ROOM], whole[ROOM];
  srand(2);
  for (unsigned round = 0; round < 3000; round++) {
    const struct shape shape = random_shape();
    struct sw_offload offload;
    const size_t length = make(&shape, packet, &offload);
    struct sw_gro_packet merged;
    assert_int_equal(segment_and_coalesce(&shape, &merged, whole, rand() % 2), 1);
    if (offload.gso == SW_GSO_NONE) continue;
    assert_int_equal(merged.length, length);
    assert_memory_equal(whole, packet, length);
    assert_int_equal(merged.offload.gso, offload.gso);
    assert_int_equal(merged.offload.size, offload.size);
    assert_int_equal(merged.offload.header, offload.header);
    assert_int_equal(merged.offload.csum_start, offload.csum_start);
    assert_int_equal(merged.offload.csum_offset, offload.csum_offset);
    assert_true(merged.offload.partial);
  }
}

static void
behind_extension_headers_segments_have_full_checksums_and_are_not_coalesced(void **state) {
  (void)state;
  static uint8_t whole[ROOM];
  const struct shape shape = {.v6 = true, .extension = 8, .size = 1000, .payload = 5000};
  struct sw_gro_packet merged;
  assert_int_equal(segment_and_coalesce(&shape, &merged, whole, false), 5);
  assert_false(merged.offload.partial);
}

static void segments_with_ip_options_are_not_coalesced(void **state) {
  (void)state;
  static uint8_t whole[ROOM];
  const struct shape shape = {.ip_options = 8, .size = 1000, .payload = 5000};
  struct sw_gro_packet merged;
  assert_int_equal(segment_and_coalesce(&shape, &merged, whole, false), 5);
  assert_int_equal(merged.offload.gso, SW_GSO_NONE);
  assert_true(merged.offload.partial);
  assert_int_equal(merged.offload.csum_start, 28);
}

/* With a source route, the header has the address of the next router, but the checksum covers the
 * last address of the route (RFC 1122 §4.1.1, RFC 9293 §3.1). */
static void checksum_covers_the_last_address_of_a_source_route(void **state) {
  (void)state;
  static uint8_t routed[ROOM];
  const struct shape shape = {.ip_options = 8, .size = 1000, .payload = 2500};
  static const uint8_t option[8] = {131, 7, 4, 10, 9, 8, 7, 0}, end[4] = {10, 9, 8, 7};
  struct sw_offload offload;
  const size_t length = make(&shape, routed, &offload);
  memcpy(routed + 20, option, sizeof(option));
  uint8_t to_the_end[28];
  memcpy(to_the_end, routed, sizeof(to_the_end));
  memcpy(to_the_end + 16, end, sizeof(end));
  sw_put16(routed + 28 + SW_TCP_CHECKSUM,
           sw_checksum_pseudo(to_the_end, SW_PROTOCOL_TCP, length - 28));
  struct sw_gso gso;
  struct sw_segment segment;
  assert_int_equal(sw_gso_start(&gso, routed, length, &offload), 0);
  for (unsigned i = 0; i < 3; i++) {
    assert_true(sw_gso_next(&gso, &segment));
    const uint16_t sum = sw_get16(segment.packet + 28 + SW_TCP_CHECKSUM);
    const uint16_t right = sw_checksum_pseudo(to_the_end, SW_PROTOCOL_TCP, segment.length - 28);
    assert_int_equal(sum % 0xffff, right % 0xffff);
  }
}

static void impossible_super_packet_is_refused(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  const struct shape shape = {.size = 1000, .payload = 5000};
  struct sw_offload good;
  const size_t length = make(&shape, packet, &good);
  struct sw_gso gso;
  assert_int_equal(sw_gso_start(&gso, packet, length, &good), 0);
  struct sw_offload bad[10];
  for (unsigned i = 0; i < 10; i++) bad[i] = good;
  bad[0].size = 0;
  bad[1].partial = false;
  bad[2].gso = SW_GSO_TCP6;
  bad[3].csum_start = 19;
  bad[4].csum_start = (uint16_t)(length - 19);
  bad[5].csum_offset = SW_UDP_CHECKSUM;
  bad[6].csum_start = 65535;
  bad[7].gso = SW_GSO_UDP;
  bad[8] =
      (struct sw_offload){.partial = true, .csum_start = (uint16_t)length - 1, .csum_offset = 0};
  bad[9].csum_start = 400; /* the headers are too long */
  for (unsigned i = 0; i < 10; i++)
    assert_int_equal(sw_gso_start(&gso, packet, length, &bad[i]), -22);
  for (size_t shorter = 0; shorter < 41; shorter++)
    assert_int_equal(sw_gso_start(&gso, packet, shorter, &good), -22);
  packet[32] = 0x40; /* a TCP header length below the minimum */
  assert_int_equal(sw_gso_start(&gso, packet, length, &good), -22);
}

/* A checksum that starts inside the IP header is refused, whatever bytes follow. */
static void super_packet_with_a_tcp_header_inside_the_ip_header_is_refused(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  for (unsigned v6 = 0; v6 < 2; v6++) {
    const struct shape shape = {.v6 = v6, .size = 1000, .payload = 5000};
    struct sw_offload offload;
    struct sw_gso gso;
    size_t length = make(&shape, packet, &offload);
    const uint16_t ip = offload.csum_start;
    assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
    for (offload.csum_start = 0; offload.csum_start < ip; offload.csum_start++) {
      struct sw_offload unused;
      length = make(&shape, packet, &unused);
      packet[offload.csum_start + 12] = 0x50;
      assert_int_equal(sw_gso_start(&gso, packet, length, &offload), -22);
    }
  }
}

/* The packet ends where its memory mapping does. */
static void tcp_header_past_the_end_of_the_packet_is_not_read(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  const struct shape shape = {.size = 100, .payload = 300};
  struct sw_offload offload;
  struct sw_gso gso;
  const size_t length = make(&shape, packet, &offload);
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *memory =
      mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_ptr_not_equal(memory, MAP_FAILED);
  assert_int_equal(mprotect(memory + page, page, PROT_NONE), 0);
  uint8_t *at_end = memory + page - length;
  memcpy(at_end, packet, length);
  assert_int_equal(sw_gso_start(&gso, at_end, length, &offload), 0);
  for (size_t left = 0; left < SW_TCP_HEADER; left++) {
    offload.csum_start = (uint16_t)(length - left);
    assert_int_equal(sw_gso_start(&gso, at_end, length, &offload), -22);
  }
  munmap(memory, 2 * page);
}

/* Coalesces two segments after changing one byte of the second.  Returns the number of resulting
 * packets. */
static unsigned pieces_of_two(const struct shape *shape, size_t at, uint8_t change) {
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  struct sw_offload offload;
  const size_t length = make(shape, packet, &offload);
  struct sw_gso gso;
  struct sw_segment segment;
  struct sw_gro gro;
  struct sw_gro_packet merged;
  sw_gro_start(&gro, buffer, true);
  sw_gso_start(&gso, packet, length, &offload);
  unsigned pieces = 0;
  for (unsigned i = 0; sw_gso_next(&gso, &segment); i++) {
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, segment.packet, segment.length);
    if (i == 1) room[at] ^= change;
    if (i == 1 && !shape->v6 && at < 20 && at / 2 != 5)
      sw_checksum_ip4(room); /* valid for the changed header */
    while (add(&gro, room, segment.length, true)) {
      sw_gro_take(&gro, &merged);
      pieces++;
    }
  }
  while (sw_gro_take(&gro, &merged)) pieces++;
  return pieces;
}

static void segments_that_differ_in_their_headers_are_not_coalesced(void **state) {
  (void)state;
  const struct shape v4 = {.size = 1000, .payload = 2000, .options = 12};
  assert_int_equal(pieces_of_two(&v4, 0, 0), 1);
  /* all of IP but length; ports, seq, ack, offset, flags, window, urgent, options */
  static const uint8_t not_v4[] = {2, 3, 36, 37}; /* lengths and the checksum of TCP */
  for (size_t at = 1; at < 52; at++) {
    if (memchr(not_v4, (int)at, sizeof(not_v4)) || at == 33) continue;
    assert_int_equal(pieces_of_two(&v4, at, 0x04), 2);
  }
  for (unsigned bit = 0; bit < 8; bit++) { /* flags: only PSH and FIN may differ */
    const uint8_t flag = (uint8_t)(1 << bit);
    assert_int_equal(pieces_of_two(&v4, 33, flag), flag & (SW_TCP_PSH | SW_TCP_FIN) ? 1 : 2);
  }
  const struct shape v6 = {.v6 = true, .size = 1000, .payload = 2000};
  assert_int_equal(pieces_of_two(&v6, 0, 0), 1);
  for (size_t at = 1; at < 60; at++) {
    if (at == 4 || at == 5 || at == 53 || at == 56 || at == 57) continue;
    assert_int_equal(pieces_of_two(&v6, at, 0x04), 2);
  }
  const struct shape udp = {.udp = true, .size = 1000, .payload = 2000};
  assert_int_equal(pieces_of_two(&udp, 0, 0), 1);
  for (size_t at = 20; at < 26; at++) assert_int_equal(pieces_of_two(&udp, at, 0x04), 2);
}

/* The kernel sets the ECN bit where CWR belongs to the first segment (RFC 3168).  Without it CWR is
 * part of a counter, as AE and ECE are (RFC 9768), and the same in all segments.  assert_segment
 * looks at each. */
static void segments_with_cwr_stay_alone(void **state) {
  (void)state;
  static uint8_t whole[ROOM];
  struct sw_gro_packet merged;
  for (unsigned v6 = 0; v6 < 2; v6++) {
    struct shape shape = {
        .v6 = v6, .size = 1000, .payload = 4500, .flags = SW_TCP_CWR, .ecn = true};
    assert_int_equal(segment_and_coalesce(&shape, &merged, whole, false), 2);
    assert_int_equal(merged.offload.gso, v6 ? SW_GSO_TCP6 : SW_GSO_TCP4); /* all but the first */
    assert_false(merged.offload.ecn);
    shape.ecn = false;
    for (unsigned ace = 0; ace < 8; ace++) {
      const bool ae = ace & 4, cwr = ace & 2, ece = ace & 1;
      shape.reserved = ae;
      shape.flags = (uint8_t)((cwr ? SW_TCP_CWR : 0) | (ece ? SW_TCP_ECE : 0));
      assert_int_equal(segment_and_coalesce(&shape, &merged, whole, false), cwr ? 5 : 1);
      assert_false(merged.offload.ecn);
    }
  }
}

/* The kernel would count a marked super-packet of TCP as one marked packet.  Of a UDP super-packet,
 * a receiver sees every datagram. */
static void marked_segments_of_tcp_stay_alone(void **state) {
  (void)state;
  static uint8_t whole[ROOM];
  struct sw_gro_packet merged;
  for (unsigned how = 0; how < 4; how++) {
    struct shape shape = {.v6 = how & 1, .udp = how & 2, .size = 1000, .payload = 4500};
    for (unsigned tos = 0; tos < 256; tos++) {
      shape.tos = (uint8_t)tos;
      const bool marked = !shape.udp && (tos & 3) == 3;
      assert_int_equal(segment_and_coalesce(&shape, &merged, whole, false), marked ? 5 : 1);
    }
  }
}

static void ip_id_may_stay_the_same_with_df(void **state) {
  (void)state;
  const struct shape df = {.size = 1000, .payload = 2000, .df = true};
  assert_int_equal(pieces_of_two(&df, 5, 0xff ^ 0xfe), 1); /* the identification is 0xfffe again */
  assert_int_equal(pieces_of_two(&df, 5, 0x04), 2);
  assert_int_equal(pieces_of_two(&df, 6, 0x20), 2); /* more fragments */
}

static void psh_and_fin_close_a_super_packet(void **state) {
  (void)state;
  const struct shape shape = {.size = 1000, .payload = 3000};
  assert_int_equal(pieces_of_two(&shape, 33, 0), 1);
  assert_int_equal(pieces_of_two(&shape, 33, SW_TCP_PSH), 2);
  assert_int_equal(pieces_of_two(&shape, 33, SW_TCP_FIN), 2);
}

static void segment_with_a_wrong_full_checksum_is_neither_coalesced_nor_changed(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER], second[ROOM];
  const struct shape shape = {.size = 1000, .payload = 2000};
  struct sw_offload offload;
  const size_t length = make(&shape, packet, &offload);
  struct sw_gso gso;
  struct sw_segment segment;
  struct sw_gro gro;
  struct sw_gro_packet merged;
  sw_gro_start(&gro, buffer, true);
  sw_gso_start(&gso, packet, length, &offload);
  sw_gso_next(&gso, &segment);
  uint8_t *room = sw_gro_room(&gro);
  memcpy(room, segment.packet, segment.length);
  complete_checksum(room, segment.length);
  assert_false(add(&gro, room, segment.length, false));
  sw_gso_next(&gso, &segment);
  room = sw_gro_room(&gro);
  memcpy(room, segment.packet, segment.length);
  complete_checksum(room, segment.length);
  room[500] ^= 1;
  memcpy(second, room, segment.length);
  assert_true(add(&gro, room, segment.length, false));
  assert_true(sw_gro_take(&gro, &merged));
  assert_false(merged.offload.partial);
  assert_false(add(&gro, room, segment.length, false));
  assert_true(sw_gro_take(&gro, &merged));
  assert_int_equal(merged.length, segment.length);
  assert_memory_equal(merged.packet, second, merged.length);
  assert_false(merged.offload.partial);
}

static void udp_is_not_coalesced_where_the_kernel_does_not_take_it(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  const struct shape shape = {.udp = true, .size = 1000, .payload = 3000};
  struct sw_offload offload;
  const size_t length = make(&shape, packet, &offload);
  struct sw_gso gso;
  struct sw_segment segment;
  struct sw_gro gro;
  struct sw_gro_packet merged;
  unsigned pieces = 0;
  sw_gro_start(&gro, buffer, false);
  sw_gso_start(&gso, packet, length, &offload);
  while (sw_gso_next(&gso, &segment)) {
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, segment.packet, segment.length);
    while (add(&gro, room, segment.length, true)) {
      sw_gro_take(&gro, &merged);
      pieces++;
    }
  }
  assert_int_equal(pieces, 2);
}

static void order_is_kept_within_the_buffer(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER + 64];
  memset(buffer + SW_GRO_BUFFER, 0xa5, 64);
  struct sw_gro gro;
  struct sw_gro_packet merged;
  sw_gro_start(&gro, buffer, true);
  srand(3);
  uint32_t sent = 0, taken = 0;
  for (unsigned round = 0; round < 20000; round++) {
    /* single packets of any size with different ports: none continues another */
    const struct shape shape = {
        .udp = true, .size = 65535, .payload = 4 + (size_t)rand() % (rand() % 10 ? 1400 : 65000)};
    struct sw_offload offload;
    const size_t length = make(&shape, packet, &offload);
    sw_put32(packet + 20, sent++);
    assert_true(sw_gro_room(&gro) >= buffer + SW_GRO_HEADROOM);
    assert_true(sw_gro_room(&gro) + SW_GRO_ROOM <= buffer + SW_GRO_BUFFER);
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, packet, length);
    memset(room + length, 0, 256);
    while (add(&gro, room, length, true)) {
      assert_true(sw_gro_take(&gro, &merged));
      assert_int_equal(sw_get32(merged.packet + 20), taken++);
    }
    if (rand() % 50) continue;
    assert_true(sw_gro_take(&gro, &merged));
    assert_int_equal(sw_get32(merged.packet + 20), taken++);
  }
  for (unsigned i = 0; i < 64; i++) assert_int_equal(buffer[SW_GRO_BUFFER + i], 0xa5);
}

/* 64 segments of 40 bytes, most of which are headers, and the largest number of segments. */
static void super_packets_of_small_segments_are_segmented(void **state) {
  (void)state;
  static uint8_t whole[ROOM];
  static const struct shape shapes[] = {
      {.size = 40, .payload = 64 * 40},
      {.size = 1, .payload = 64},
      {.udp = true, .size = 1, .payload = 64},
      {.v6 = true, .options = 12, .size = 36, .payload = 1800 * 36},
      {.size = 7, .payload = SW_GSO_SEGMENTS_MAX * 7},
  };
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    struct sw_gro_packet merged;
    assert_int_equal(segment_and_coalesce(&shapes[i], &merged, whole, false), 1);
    assert_int_equal(merged.offload.size, shapes[i].size);
  }
}

/* Returns whether a super-packet of the shape is segmented.  `bytes`: the total of its segments. */
static bool starts(const struct shape *shape, size_t *bytes) {
  static uint8_t packet[ROOM];
  struct sw_offload offload;
  struct sw_gso gso;
  struct sw_segment segment;
  const size_t length = make(shape, packet, &offload);
  if (sw_gso_start(&gso, packet, length, &offload) != 0) return false;
  *bytes = 0;
  while (sw_gso_next(&gso, &segment)) *bytes += segment.length;
  return true;
}

static void limits_of_super_packets_hold(void **state) {
  (void)state;
  size_t bytes;
  struct shape shape = {.size = 1, .payload = SW_GSO_SEGMENTS_MAX};
  assert_true(starts(&shape, &bytes));
  shape.payload++;
  assert_false(starts(&shape, &bytes));
  shape = (struct shape){.size = 1000, .payload = SW_GSO_PACKET_MAX - 40};
  assert_true(starts(&shape, &bytes));
  shape.payload++;
  assert_false(starts(&shape, &bytes));
  /* the longest headers, and as many segments as fit with them */
  shape = (struct shape){.v6 = true, .extension = SW_HEADERS_MAX - 60, .size = 32};
  shape.payload = SW_GSO_PACKET_MAX - SW_HEADERS_MAX;
  shape.extension -= shape.extension % 8;
  assert_true(starts(&shape, &bytes));
  assert_in_range(bytes, SW_GSO_BYTES_MAX / 100 * 95, SW_GSO_BYTES_MAX);
  shape.extension += 8;
  assert_false(starts(&shape, &bytes));
}

/* Headers one byte longer than the longest are refused. */
static void limit_of_headers_is_exact(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  const struct shape shape = {
      .v6 = true, .extension = 320, .options = 4, .size = 100, .payload = 900};
  struct sw_offload offload;
  struct sw_gso gso;
  const size_t length = make(&shape, packet, &offload);
  assert_int_equal(offload.header, SW_HEADERS_MAX);
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
  offload.csum_start++;
  packet[offload.csum_start + 12] = 0x60;
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), -22);
}

/* For plain headers the kernel's partial sum is not used. */
static void pseudo_header_of_a_plain_packet_is_summed_again(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  for (unsigned v6 = 0; v6 < 2; v6++) {
    const struct shape shape = {.v6 = v6, .size = 1000, .payload = 3000};
    struct sw_offload offload;
    struct sw_gso gso;
    struct sw_segment segment;
    const size_t length = make(&shape, packet, &offload);
    packet[offload.csum_start + SW_TCP_CHECKSUM] ^= 0x55;
    assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
    for (unsigned i = 0; i < 3; i++) {
      assert_true(sw_gso_next(&gso, &segment));
      assert_segment(&shape, &segment, i * 1000, i);
    }
  }
}

/* The description of one packet must not affect the next. */
static void packet_without_a_partial_checksum_is_unchanged(void **state) {
  (void)state;
  static uint8_t packet[ROOM], copy[ROOM];
  const struct shape shape = {.size = 1000, .payload = 500};
  struct sw_offload offload, none = {0};
  struct sw_gso gso;
  struct sw_segment segment;
  const size_t length = make(&shape, packet, &offload);
  memcpy(copy, packet, length);
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
  assert_true(sw_gso_next(&gso, &segment));
  assert_true(segment.partial);
  assert_int_equal(sw_gso_start(&gso, packet, length, &none), 0);
  assert_true(sw_gso_next(&gso, &segment));
  assert_false(segment.partial);
  assert_memory_equal(packet, copy, length);
  /* a checksum field at the very end */
  offload = (struct sw_offload){.partial = true, .csum_start = (uint16_t)(length - 2)};
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
  offload.csum_start++;
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), -22);
  offload =
      (struct sw_offload){.partial = true, .csum_start = (uint16_t)(length - 4), .csum_offset = 3};
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), -22);
  offload.csum_offset = 2;
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
  /* one inside the IP header */
  offload = (struct sw_offload){.partial = true, .csum_start = 19};
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), -22);
  offload.csum_start = 20;
  assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
}

/* An SRv6 header of 17 segments, and TCP with all options. */
static void long_ipv6_headers_are_segmented(void **state) {
  (void)state;
  static uint8_t whole[ROOM];
  const struct shape shape = {
      .v6 = true, .extension = 8 + 17 * 16, .options = 40, .size = 1000, .payload = 3000};
  struct sw_gro_packet merged;
  assert_int_equal(segment_and_coalesce(&shape, &merged, whole, false), 3);
}

/* A checksum stays partial only where the receiver finds it by itself.  The sender completes every
 * other one, such as that of a fragment. */
static void checksum_stays_partial_only_where_the_receiver_finds_it(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  const struct shape shape = {.size = 1000, .payload = 500};
  const struct shape udp = {.udp = true, .size = 1000, .payload = 500};
  for (unsigned i = 0; i < 10; i++) {
    struct sw_offload offload;
    size_t length = make(i == 8 ? &udp : &shape, packet, &offload);
    const bool expected = i == 0 || i == 8;
    switch (i) {
    case 1:
      packet[6] = 0x20;
      break; /* first fragment */
    case 2:
      packet[7] = 1;
      break; /* later fragments */
    case 3:
      packet[6] = 0x10;
      break;
    case 4:
      packet[9] = SW_PROTOCOL_UDP;
      break;
    case 5:
      packet[9] = 1;
      break;
    case 6:
      offload.csum_start += 2;
      break;
    case 7:
      offload.csum_offset -= 2;
      break;
    case 9:
      packet[9] = 1;
      offload.csum_offset = SW_UDP_CHECKSUM;
      break;
    }
    uint8_t *sum = packet + offload.csum_start + offload.csum_offset;
    const uint16_t before = sw_get16(sum);
    struct sw_gso gso;
    struct sw_segment segment;
    assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
    assert_int_equal(sw_gso_count(&gso), 1);
    assert_true(sw_gso_next(&gso, &segment));
    assert_int_equal(segment.partial, expected);
    assert_int_equal(segment.length, length);
    assert_int_equal(sw_get16(sum) == before, expected);
    assert_int_equal(sw_gso_count(&gso), 0);
    assert_false(sw_gso_next(&gso, &segment));
  }
}

/* The former contents of the view must not matter. */
static void checksum_is_partial_from_the_shortest_whole_header_on(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  struct sw_gso gso;
  for (unsigned kind = 0; kind < 4; kind++) {
    const struct shape shape = {.v6 = kind & 1, .udp = kind & 2, .size = 1000};
    struct sw_offload offload;
    struct sw_segment segment;
    const size_t length = make(&shape, packet, &offload);
    memset(&gso, 0xff, sizeof(gso));
    assert_int_equal(sw_gso_start(&gso, packet, length, &offload), 0);
    assert_true(sw_gso_next(&gso, &segment));
    assert_true(segment.partial);
    if (shape.udp) continue; /* its checksum would be incomplete */
    assert_int_equal(sw_gso_start(&gso, packet, length - 1, &offload), 0);
    assert_true(sw_gso_next(&gso, &segment));
    assert_false(segment.partial);
  }
}

/* A packet may end with its IP header, but not in it. */
static void packet_has_a_whole_ip_header(void **state) {
  (void)state;
  static uint8_t packet[ROOM];
  const struct sw_offload none = {0};
  struct sw_gso gso;
  for (unsigned first = 0; first < 256; first++)
    for (size_t length = 0; length < 80; length++) {
      const unsigned version = first >> 4;
      const size_t header = version == 4 ? (first & 15) * 4 : 40;
      const bool right = (version == 4 || version == 6) && header >= 20 && header <= length;
      packet[0] = (uint8_t)first;
      assert_int_equal(sw_gso_start(&gso, packet, length, &none), right ? 0 : -22);
    }
}

/* A truncated header has no payload to coalesce. */
static void packets_with_a_part_of_a_udp_header_are_not_coalesced(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  const struct shape shape = {.v6 = true, .udp = true, .size = 1000};
  struct sw_offload offload;
  struct sw_gro gro;
  struct sw_gro_packet merged;
  const size_t length = make(&shape, packet, &offload) - 1;
  sw_put16(packet + 40 + 4, 7);
  sw_gro_start(&gro, buffer, true);
  memcpy(sw_gro_room(&gro), packet, length);
  assert_false(add(&gro, sw_gro_room(&gro), length, true));
  uint8_t *room = sw_gro_room(&gro);
  memcpy(room, packet, length);
  assert_true(add(&gro, room, length, true));
  assert_true(sw_gro_take(&gro, &merged));
  assert_int_equal(merged.length, length);
}

static void longest_super_packet_is_as_long_as_ip_allows(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  for (unsigned more = 0; more < 2; more++) {
    struct sw_gro gro;
    struct sw_gro_packet merged;
    sw_gro_start(&gro, buffer, true);
    for (unsigned i = 0; i < 5; i++) {
      const size_t payload = i < 4 ? 13100 : 65535 - 40 - 4 * 13100 + more;
      const struct shape shape = {.size = payload, .payload = payload};
      struct sw_offload offload;
      const size_t length = make(&shape, packet, &offload);
      sw_put16(packet + 4, (uint16_t)(7 + i));
      sw_checksum_ip4(packet);
      sw_put32(packet + 24, 5 + i * 13100);
      uint8_t *room = sw_gro_room(&gro);
      memcpy(room, packet, length);
      assert_int_equal(add(&gro, room, length, true), i == 4 && more);
    }
    assert_true(sw_gro_take(&gro, &merged));
    assert_int_equal(merged.length, more ? 40 + 4 * 13100 : 65535);
  }
}

/* A super-packet would give it one, even where its bytes sum to all ones by chance. */
static void udp_without_a_checksum_is_not_coalesced(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  const struct shape shape = {.udp = true, .df = true, .size = 1000, .payload = 1000};
  for (unsigned none = 0; none < 2; none++) {
    struct sw_offload offload;
    struct sw_gro gro;
    const size_t length = make(&shape, packet, &offload);
    sw_put16(packet + 26, none ? 0 : 0xffff);
    sw_put16(packet + length - 2, 0);
    const uint16_t rest = sw_checksum_add(sw_checksum_pseudo(packet, SW_PROTOCOL_UDP, length - 20),
                                          packet + 20, length - 20);
    sw_put16(packet + length - 2, (uint16_t)~rest);
    assert_true(sw_checksum_verify(packet, length, 20, SW_PROTOCOL_UDP));
    sw_gro_start(&gro, buffer, true);
    for (unsigned i = 0; i < 2; i++) {
      uint8_t *room = sw_gro_room(&gro);
      memcpy(room, packet, length);
      assert_int_equal(add(&gro, room, length, false), i == 1 && none);
    }
  }
}

/* They are refused even where the bytes of a TCP header follow the IP header. */
static void fragments_and_other_protocols_are_not_coalesced(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  static const struct {
    size_t at;
    uint8_t value;
  } changes[] = {{9, SW_PROTOCOL_TCP}, {6, 0x20}, {7, 1}, {9, 1}};
  for (size_t c = 0; c < sizeof(changes) / sizeof(*changes); c++) {
    struct sw_gro gro;
    sw_gro_start(&gro, buffer, true);
    for (unsigned i = 0; i < 2; i++) {
      const struct shape shape = {.size = 1000, .payload = 1000};
      struct sw_offload offload;
      const size_t length = make(&shape, packet, &offload);
      packet[changes[c].at] = changes[c].value;
      sw_put16(packet + 4, (uint16_t)(7 + i));
      sw_checksum_ip4(packet);
      sw_put32(packet + 24, i * 1000);
      sw_put16(packet + 36, sw_checksum_pseudo(packet, packet[9], length - 20));
      sw_checksum_complete(packet, length, 20, SW_TCP_CHECKSUM);
      uint8_t *room = sw_gro_room(&gro);
      memcpy(room, packet, length);
      assert_int_equal(add(&gro, room, length, false), i == 1 && c > 0);
    }
  }
}

static void udp_with_ip_options_a_wrong_length_or_no_payload_is_not_coalesced(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  for (unsigned kind = 0; kind < 4; kind++) {
    const size_t options = kind == 1 ? 4 : 0, payload = kind == 3 ? 0 : 1000;
    const struct shape shape = {
        .udp = true, .df = true, .ip_options = options, .size = 1000, .payload = payload};
    struct sw_offload offload;
    struct sw_gro gro;
    const size_t length = make(&shape, packet, &offload);
    if (kind == 2) sw_put16(packet + 24, 1007);
    sw_gro_start(&gro, buffer, true);
    for (unsigned i = 0; i < 2; i++) {
      uint8_t *room = sw_gro_room(&gro);
      memcpy(room, packet, length);
      assert_int_equal(add(&gro, room, length, true), i == 1 && kind > 0);
    }
  }
}

static void tcp_without_ack_or_with_a_header_of_less_than_20_bytes_is_not_coalesced(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  static const struct shape shape = {.df = true, .size = 1000, .payload = 1000};
  for (unsigned kind = 0; kind < 3; kind++) {
    struct sw_offload offload;
    struct sw_gro gro;
    const size_t length = make(&shape, packet, &offload);
    if (kind == 1) packet[20 + 13] &= (uint8_t)~SW_TCP_ACK;
    if (kind == 2) packet[20 + 12] = 4 << 4;
    const uint32_t payload = kind == 2 ? 1004 : 1000, seq = sw_get32(packet + 20 + 4);
    sw_gro_start(&gro, buffer, true);
    for (uint32_t i = 0; i < 2; i++) {
      uint8_t *room = sw_gro_room(&gro);
      memcpy(room, packet, length);
      sw_put32(room + 20 + 4, seq + i * payload);
      assert_int_equal(add(&gro, room, length, true), i == 1 && kind > 0);
    }
  }
}

static void packet_with_enough_room_behind_it_is_not_moved(void **state) {
  (void)state;
  static uint8_t packet[ROOM], buffer[SW_GRO_BUFFER];
  const struct shape shape = {.size = 1000, .payload = 1000};
  struct sw_offload offload;
  const size_t length = make(&shape, packet, &offload);
  uint8_t *start = buffer + SW_GRO_HEADROOM;
  for (unsigned behind = 0; behind < 2; behind++) {
    uint8_t *room = start + SW_GRO_ROOM + behind;
    struct sw_gro gro;
    struct sw_gro_packet merged;
    sw_gro_start(&gro, buffer, true);
    memcpy(room, packet, length);
    assert_false(add(&gro, room, length, true));
    assert_true(sw_gro_take(&gro, &merged));
    assert_ptr_equal(merged.packet, behind ? start : room);
    assert_memory_equal(merged.packet, packet, length);
  }
}

static void flags_are_those_of_the_rfc(void **state) { /* RFC 9293 §3.1 */
  (void)state;
  assert_int_equal(SW_TCP_ACK, 0x10);
  assert_int_equal(SW_TCP_PSH, 0x08);
  assert_int_equal(SW_TCP_SYN, 0x02);
  assert_int_equal(SW_TCP_FIN, 0x01);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flags_are_those_of_the_rfc),
      cmocka_unit_test(packet_is_unchanged_after_segmentation_and_coalescing),
      cmocka_unit_test(behind_extension_headers_segments_have_full_checksums_and_are_not_coalesced),
      cmocka_unit_test(segments_with_ip_options_are_not_coalesced),
      cmocka_unit_test(checksum_covers_the_last_address_of_a_source_route),
      cmocka_unit_test(impossible_super_packet_is_refused),
      cmocka_unit_test(super_packet_with_a_tcp_header_inside_the_ip_header_is_refused),
      cmocka_unit_test(tcp_header_past_the_end_of_the_packet_is_not_read),
      cmocka_unit_test(segments_that_differ_in_their_headers_are_not_coalesced),
      cmocka_unit_test(segments_with_cwr_stay_alone),
      cmocka_unit_test(marked_segments_of_tcp_stay_alone),
      cmocka_unit_test(ip_id_may_stay_the_same_with_df),
      cmocka_unit_test(psh_and_fin_close_a_super_packet),
      cmocka_unit_test(segment_with_a_wrong_full_checksum_is_neither_coalesced_nor_changed),
      cmocka_unit_test(udp_is_not_coalesced_where_the_kernel_does_not_take_it),
      cmocka_unit_test(super_packets_of_small_segments_are_segmented),
      cmocka_unit_test(limits_of_super_packets_hold),
      cmocka_unit_test(limit_of_headers_is_exact),
      cmocka_unit_test(pseudo_header_of_a_plain_packet_is_summed_again),
      cmocka_unit_test(packet_without_a_partial_checksum_is_unchanged),
      cmocka_unit_test(long_ipv6_headers_are_segmented),
      cmocka_unit_test(checksum_stays_partial_only_where_the_receiver_finds_it),
      cmocka_unit_test(checksum_is_partial_from_the_shortest_whole_header_on),
      cmocka_unit_test(packet_has_a_whole_ip_header),
      cmocka_unit_test(packets_with_a_part_of_a_udp_header_are_not_coalesced),
      cmocka_unit_test(longest_super_packet_is_as_long_as_ip_allows),
      cmocka_unit_test(udp_without_a_checksum_is_not_coalesced),
      cmocka_unit_test(fragments_and_other_protocols_are_not_coalesced),
      cmocka_unit_test(udp_with_ip_options_a_wrong_length_or_no_payload_is_not_coalesced),
      cmocka_unit_test(tcp_without_ack_or_with_a_header_of_less_than_20_bytes_is_not_coalesced),
      cmocka_unit_test(packet_with_enough_room_behind_it_is_not_moved),
      cmocka_unit_test(order_is_kept_within_the_buffer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
