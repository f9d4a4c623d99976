/*
 * Compares coalescing with GRO in Linux, for random flows with faults.  The rules are implemented
 * again here, after inet_gro_receive, ipv6_gro_receive, tcp_gro_receive and
 * udp_gro_receive_segment.  In addition, segments of TCP with CWR or CE stay alone.  Each super-packet, segmented by simple arithmetic, must give the
 * packets that were coalesced.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "packet/checksum.h"
#include "packet/gro.h"

#define PACKET_MAX 1600
#define STREAM_MAX 90

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32, ECE = 64, CWR = 128 };

struct packet {
  size_t length;
  uint8_t bytes[PACKET_MAX];
};

static bool is_v4(const struct packet *p) {
  return p->bytes[0] >> 4 == 4;
}

static size_t ip_header(const struct packet *p) {
  return is_v4(p) ? 20 : 40;
}

static uint8_t protocol(const struct packet *p) {
  return p->bytes[is_v4(p) ? 9 : 6];
}

static const uint8_t *transport(const struct packet *p) {
  return p->bytes + ip_header(p);
}

static uint8_t flags(const struct packet *p) {
  return transport(p)[13];
}

static uint8_t tos(const struct packet *p) {
  return is_v4(p) ? p->bytes[1] : (uint8_t)(sw_get16(p->bytes) >> 4);
}

static size_t headers(const struct packet *p) {
  return ip_header(p) + (protocol(p) == 6 ? (size_t)(transport(p)[12] >> 4) * 4 : 8);
}

/* ---- the kernel's rules ---- */

/* Returns whether a packet can be part of a super-packet at all, as its first segment or a later
 * one. */
static bool can_be_held(const struct packet *p) {
  if (is_v4(p)) {
    if ((p->bytes[0] & 15) != 5 || sw_get16(p->bytes + 2) != p->length ||
        sw_get16(p->bytes + 6) & 0x3fff || sw_checksum_add(0, p->bytes, 20) != 0xffff)
      return false;
  } else if (sw_get16(p->bytes + 4) != p->length - 40) {
    return false;
  }
  if (protocol(p) == 6) {
    if (transport(p)[12] >> 4 < 5 || headers(p) >= p->length) return false;
    if (flags(p) & CWR || (tos(p) & 3) == 3) return false; /* not the kernel's: see above */
  } else if (protocol(p) == 17) {
    if (sw_get16(transport(p) + 4) != p->length - ip_header(p) || headers(p) >= p->length)
      return false;
    if (sw_get16(transport(p) + 6) == 0) return false;
  } else {
    return false;
  }
  return sw_checksum_verify(p->bytes, p->length, ip_header(p), protocol(p));
}

/* Returns whether no segment may follow this one. */
static bool closes(const struct packet *first, const struct packet *p) {
  if (p->length < first->length) return true;
  return protocol(p) == 6 && flags(p) & (URG | PSH | RST | SYN | FIN);
}

static bool same_flow_ip(const struct packet *first, unsigned held, const struct packet *p,
                         bool *fixed) {
  const uint8_t *a = first->bytes, *b = p->bytes;
  if (!is_v4(p)) /* version, class, label; next header, hops, addresses */
    return sw_get32(a) == sw_get32(b) && a[6] == b[6] && a[7] == b[7] &&
           memcmp(a + 8, b + 8, 32) == 0;
  if (a[1] != b[1] || a[8] != b[8] || a[9] != b[9] || memcmp(a + 12, b + 12, 8) != 0) return false;
  if (a[6] != b[6]) return false; /* DF */
  const uint16_t step = (uint16_t)(sw_get16(b + 4) - sw_get16(a + 4));
  if (held == 1) *fixed = a[6] & 0x40 && step == 0;
  return step == (*fixed ? 0 : held);
}

static bool merges(const struct packet *first, unsigned held, size_t payload,
                   const struct packet *last, const struct packet *p, bool *fixed) {
  if (is_v4(first) != is_v4(p) || !can_be_held(first) || !can_be_held(p) || closes(first, last))
    return false;
  if (!same_flow_ip(first, held, p, fixed)) return false;
  const uint8_t *a = transport(first), *b = transport(p);
  const size_t more = p->length - headers(p), size = first->length - headers(first);
  if (memcmp(a, b, 4) != 0 || more > size || headers(first) + payload + more > 65535) return false;
  if (protocol(p) == 17) return held < 64;
  if (a[12] != b[12] || memcmp(a + 20, b + 20, headers(p) - ip_header(p) - 20) != 0) return false;
  if ((a[13] ^ b[13]) & ~(FIN | PSH)) return false;
  return sw_get32(a + 8) == sw_get32(b + 8) && sw_get16(a + 14) == sw_get16(b + 14) &&
         sw_get32(b + 4) == (uint32_t)(sw_get32(a + 4) + payload);
}

/* ---- flows ---- */

static struct packet stream[STREAM_MAX];

static unsigned below(unsigned limit) {
  return (unsigned)rand() % limit;
}

static void finish(struct packet *p) {
  uint8_t *l4 = p->bytes + ip_header(p);
  if (is_v4(p)) {
    sw_put16(p->bytes + 2, (uint16_t)p->length);
    sw_checksum_ip4(p->bytes);
  } else {
    sw_put16(p->bytes + 4, (uint16_t)(p->length - 40));
  }
  if (protocol(p) == 17) sw_put16(l4 + 4, (uint16_t)(p->length - ip_header(p)));
  const size_t offset = protocol(p) == 6 ? 16 : 6;
  sw_put16(l4 + offset, 0);
  sw_put16(l4 + offset,
           sw_checksum_pseudo(p->bytes, protocol(p), (uint16_t)(p->length - ip_header(p))));
  sw_checksum_complete(p->bytes, p->length, ip_header(p), offset);
}

/* Makes a fault: changes a byte of the headers, with or without correcting the checksums. */
static void spoil(struct packet *p) {
  static const uint8_t odd_flags[] = {FIN, SYN, RST, PSH, URG, ECE, CWR};
  uint8_t *l4 = p->bytes + ip_header(p);
  const unsigned at = 6 + below((unsigned)headers(p) - 6); /* version and lengths stay valid */
  switch (below(6)) {
  case 0:
    p->bytes[at] ^= (uint8_t)(1 << below(8));
    return;
  case 1:
    if (protocol(p) == 6) l4[13] ^= odd_flags[below(sizeof(odd_flags))];
    break;
  case 2:
    if (p->length > headers(p) + 1) p->length -= 1 + below((unsigned)(p->length - headers(p)));
    break;
  case 3:
    if (is_v4(p)) p->bytes[5] += (uint8_t)(1 + below(3));
    break;
  case 4:
    if (protocol(p) == 17) {
      sw_put16(l4 + 6, 0);
      return;
    }
    sw_put32(l4 + 4, sw_get32(l4 + 4) + below(3000) - 1500);
    break;
  default:
    l4[below((unsigned)(headers(p) - ip_header(p)))] ^= (uint8_t)(1 << below(8));
    if (protocol(p) == 6) l4[12] = (uint8_t)((l4[12] & 15) | 0x80); /* the length stays valid */
  }
  finish(p);
}

/* Makes a flow of up to STREAM_MAX packets; returns their number. */
static unsigned make_stream(void) {
  const bool v4 = below(2), tcp = below(3), df = below(2), fixed = below(4) == 0;
  const size_t ip = v4 ? 20 : 40, l4 = tcp ? 32 : 8;
  const size_t size = 1 + below(below(4) ? 1400 : 40);
  const unsigned count = 2 + below(below(4) ? 10 : STREAM_MAX - 2);
  uint32_t sequence = (uint32_t)0 - below(20000);
  uint16_t id = (uint16_t)(0 - below(20));
  const uint8_t ae = below(4) == 0, ace = below(9) == 0 ? CWR : below(4) == 0 ? ECE : 0;
  const uint8_t ect = below(2) ? 2 : 0;
  for (unsigned i = 0; i < count; i++) {
    struct packet *p = &stream[i];
    memset(p->bytes, 0, ip + l4);
    p->length = ip + l4 + size;
    const uint8_t field = below(20) || !ect ? ect : 3;
    if (v4) {
      p->bytes[0] = 0x45;
      p->bytes[1] = field;
      sw_put16(p->bytes + 4, id);
      p->bytes[6] = df ? 0x40 : 0;
      p->bytes[8] = 64;
      p->bytes[9] = tcp ? 6 : 17;
      memcpy(p->bytes + 12, "\x0a\x01\x02\x03\x0a\x04\x05\x06", 8);
    } else {
      p->bytes[0] = 0x60;
      p->bytes[1] = (uint8_t)(field << 4);
      p->bytes[6] = tcp ? 6 : 17;
      p->bytes[7] = 64;
      for (size_t k = 8; k < 40; k++) p->bytes[k] = (uint8_t)k;
    }
    uint8_t *header = p->bytes + ip;
    sw_put16(header, 1000);
    sw_put16(header + 2, 80);
    if (tcp) {
      sw_put32(header + 4, sequence);
      sw_put32(header + 8, 7);
      header[12] = 0x80;
      header[12] |= ae;
      header[13] = (uint8_t)(ACK | (i == 0 && below(9) == 0 ? CWR : 0) | ace);
      sw_put16(header + 14, 500);
      memcpy(header + 20, "\x01\x01\x08\x0a\0\0\0\1\0\0\0\2", 12);
    }
    for (size_t k = ip + l4; k < p->length; k++) p->bytes[k] = (uint8_t)rand();
    finish(p);
    if (below(8) == 0) spoil(p);
    sequence += (uint32_t)size;
    id = (uint16_t)(id + !fixed);
  }
  return count;
}

/* ---- the properties ---- */

/* Segments a super-packet and compares the segments with the coalesced packets. */
static void assert_is(const struct sw_gro_packet *merged, const struct packet *from, unsigned count,
                      bool fixed) {
  if (count == 1) {
    assert_int_equal(merged->offload.gso, SW_GSO_NONE);
    assert_int_equal(merged->length, from->length);
    assert_memory_equal(merged->packet, from->bytes, from->length);
    return;
  }
  const size_t header = merged->offload.header, size = merged->offload.size;
  assert_int_equal(header, headers(from));
  assert_int_equal((merged->length - header + size - 1) / size, count);
  for (unsigned i = 0; i < count; i++) {
    const size_t at = header + i * size;
    const size_t payload = merged->length - at < size ? merged->length - at : size;
    struct packet gso = {.length = header + payload};
    memcpy(gso.bytes, merged->packet, header);
    memcpy(gso.bytes + header, merged->packet + at, payload);
    uint8_t *l4 = gso.bytes + ip_header(&gso);
    if (is_v4(&gso) && !fixed) sw_put16(gso.bytes + 4, (uint16_t)(sw_get16(gso.bytes + 4) + i));
    if (protocol(&gso) == 6) {
      sw_put32(l4 + 4, sw_get32(l4 + 4) + (uint32_t)(i * size));
      if (i + 1 < count) l4[13] &= (uint8_t) ~(PSH | FIN);
    }
    finish(&gso);
    assert_int_equal(gso.length, from[i].length);
    assert_memory_equal(gso.bytes, from[i].bytes, gso.length);
  }
}

/* Coalesces the stream.  Returns how many packets were appended to another. */
static unsigned coalesce_stream(unsigned count) {
  static uint8_t buffer[SW_GRO_BUFFER];
  struct sw_gro gro;
  struct sw_gro_packet merged;
  unsigned first = 0, joined = 0;
  size_t payload = 0;
  bool fixed = false;
  sw_gro_start(&gro, buffer, true);
  for (unsigned i = 0; i < count; i++) {
    const struct packet *p = &stream[i];
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, p->bytes, p->length);
    struct sw_view view;
    assert_true(sw_view_parse(&view, room, p->length));
    if (sw_gro_add(&gro, room, &view, false)) {
      assert_true(sw_gro_take(&gro, &merged));
      assert_is(&merged, &stream[first], i - first, fixed);
      assert_false(sw_gro_add(&gro, room, &view, false));
      first = i;
    } else if (i > 0) {
      assert_true(merges(&stream[first], i - first, payload, &stream[i - 1], p, &fixed));
      joined++;
    }
    if (first == i) payload = 0;
    payload += p->length - headers(p);
  }
  assert_true(sw_gro_take(&gro, &merged));
  assert_is(&merged, &stream[first], count - first, fixed);
  return joined;
}

static void only_what_the_kernel_would_merge_is_coalesced(void **state) {
  (void)state;
  srand(4);
  unsigned packets = 0, merged = 0;
  for (unsigned round = 0; round < 20000; round++) {
    const unsigned count = make_stream();
    packets += count;
    merged += coalesce_stream(count);
  }
  assert_true(merged > packets / 3); /* most packets without a fault are */
}

/* Of a TCP header that is too short, the options would end before they begin. */
static void nothing_is_appended_to_a_segment_with_a_short_tcp_header(void **state) {
  (void)state;
  static uint8_t buffer[SW_GRO_BUFFER];
  for (unsigned words = 0; words <= 6; words++) {
    struct packet p = {.length = 144, .bytes = {0x45, [9] = 6}};
    struct sw_view view;
    struct sw_gro gro;
    p.bytes[20 + 12] = (uint8_t)(words << 4);
    p.bytes[20 + 13] = ACK;
    finish(&p);
    sw_gro_start(&gro, buffer, true);
    memcpy(sw_gro_room(&gro), p.bytes, p.length);
    assert_true(sw_view_parse(&view, sw_gro_room(&gro), p.length));
    assert_false(sw_gro_add(&gro, sw_gro_room(&gro), &view, false));
    assert_int_equal(gro.open, words >= 5);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_what_the_kernel_would_merge_is_coalesced),
      cmocka_unit_test(nothing_is_appended_to_a_segment_with_a_short_tcp_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
