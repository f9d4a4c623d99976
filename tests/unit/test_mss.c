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
#include "packet/mss.h"

#define ROOM 256

/* A TCP segment: an IP header of `ip` bytes, options padded with zeros, `payload` bytes, and a full
 * or partial checksum.  It ends where its memory mapping does.  There is one at a time. */
struct segment {
  uint8_t *packet;
  size_t ip, length;
  bool partial;
};

static uint8_t *memory_end;

static int make_memory(void **state) {
  (void)state;
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uint8_t *memory =
      mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return -1;
  memory_end = memory + page;
  return mprotect(memory_end, page, PROT_NONE);
}

static void sum(struct segment *segment) {
  uint8_t *packet = segment->packet;
  sw_put16(packet + segment->ip + SW_TCP_CHECKSUM,
           sw_checksum_pseudo(packet, SW_PROTOCOL_TCP, segment->length - segment->ip));
  if (segment->partial) return;
  sw_checksum_complete(packet, segment->length, segment->ip, SW_TCP_CHECKSUM);
}

static struct segment segment(size_t ip, uint8_t flags, const uint8_t *options, size_t count,
                              size_t payload, bool partial) {
  const size_t header = SW_TCP_HEADER + (count + 3) / 4 * 4;
  const size_t length = ip + header + payload;
  struct segment made = {memory_end - length, ip, length, partial};
  uint8_t *packet = made.packet, *tcp = packet + ip;
  for (size_t i = 0; i < made.length; i++) packet[i] = (uint8_t)(i * 77 + count);
  /* values greater than any MSS, should an option be searched for here */
  memset(tcp, 0xfd, SW_TCP_HEADER);
  memset(tcp + SW_TCP_HEADER, 0, header - SW_TCP_HEADER);
  if (ip == SW_IP6_HEADER) {
    packet[0] = 0x60;
    packet[6] = SW_PROTOCOL_TCP;
    sw_put16(packet + 4, (uint16_t)(made.length - ip));
  } else {
    packet[0] = (uint8_t)(0x40 | ip / 4);
    packet[6] = 0x40;
    packet[7] = 0;
    packet[9] = SW_PROTOCOL_TCP;
    sw_put16(packet + 2, (uint16_t)made.length);
    sw_checksum_ip4(packet);
  }
  tcp[12] = (uint8_t)(header / 4 << 4);
  tcp[13] = flags;
  memcpy(tcp + SW_TCP_HEADER, options, count);
  sum(&made);
  return made;
}

static void clamp_mss(struct segment *segment, unsigned mtu) {
  struct sw_view view;
  assert_true(sw_view_parse(&view, segment->packet, segment->length));
  sw_mss_clamp(segment->packet, &view, segment->partial, mtu);
}

/* Clamps the segment.  Only the two bytes at offset `value` of the options and the checksum may
 * change.  If `value` < 0, nothing may change. */
static void clamp(struct segment *segment, unsigned mtu, int value, unsigned mss) {
  uint8_t expected[ROOM];
  assert_true(segment->length <= ROOM);
  memcpy(expected, segment->packet, segment->length);
  struct segment want = *segment;
  want.packet = expected;
  if (value >= 0) {
    sw_put16(expected + segment->ip + SW_TCP_HEADER + value, (uint16_t)mss);
    sum(&want);
  }
  clamp_mss(segment, mtu);
  assert_memory_equal(segment->packet, expected, segment->length);
}

#define OPTIONS(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define MSS(value) 2, 4, (uint8_t)((value) >> 8), (uint8_t)(value)

static void mss_is_lowered_to_the_mtu_less_both_headers(void **state) {
  (void)state;
  static const struct {
    size_t ip;
    unsigned headers;
  } kinds[] = {{20, 40}, {24, 40}, {60, 40}, {40, 60}}; /* 40 bytes: IPv6, see segment() */
  for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
    for (unsigned how = 0; how < 8; how++) {
      const bool partial = how & 1;
      const size_t payload = how & 2 ? 33 : 0;
      const uint8_t flags = how & 4 ? SW_TCP_SYN | SW_TCP_ACK | SW_TCP_ECE : SW_TCP_SYN;
      const size_t ip = kinds[k].ip;
      const unsigned most = 1376 - kinds[k].headers;
      struct segment s = segment(ip, flags, OPTIONS(MSS(1460)), payload, partial);
      clamp(&s, 1376, 2, most);
      s = segment(ip, flags, OPTIONS(MSS(65535)), payload, partial);
      clamp(&s, 1376, 2, most);
      s = segment(ip, flags, OPTIONS(MSS(most + 1)), payload, partial);
      clamp(&s, 1376, 2, most);
      s = segment(ip, flags, OPTIONS(MSS(most)), payload, partial);
      clamp(&s, 1376, -1, 0);
      s = segment(ip, flags, OPTIONS(MSS(0)), payload, partial);
      clamp(&s, 1376, -1, 0);
      s = segment(ip, flags, OPTIONS(MSS(1460)), payload, partial);
      clamp(&s, SW_MSS_MTU_MIN, 2, SW_MSS_MTU_MIN - kinds[k].headers);
      s = segment(ip, flags, OPTIONS(MSS(65535)), payload, partial);
      clamp(&s, 65535, 2, 65535 - kinds[k].headers);
    }
}

static void mss_is_found_wherever_it_is_among_the_options(void **state) {
  (void)state;
  for (unsigned partial = 0; partial < 2; partial++) {
    /* an odd offset */
    struct segment s = segment(20, SW_TCP_SYN, OPTIONS(1, MSS(1460), 0), 5, partial);
    clamp(&s, 1400, 3, 1360);
    s = segment(20, SW_TCP_SYN, OPTIONS(1, 1, MSS(1460)), 5, partial);
    clamp(&s, 1400, 4, 1360);
    /* after options of its kind but another length, which the kernel skips too */
    s = segment(20, SW_TCP_SYN, OPTIONS(2, 3, 255, 2, 2, MSS(1460)), 5, partial);
    clamp(&s, 1400, 7, 1360);
    s = segment(40, SW_TCP_SYN, OPTIONS(4, 2, 3, 3, 7, MSS(1460)), 0, partial);
    clamp(&s, 1400, 7, 1340);
    s = segment(40, SW_TCP_SYN, OPTIONS(8, 10, 1, 2, 3, 4, 5, 6, 7, 8, MSS(1460)), 0, partial);
    clamp(&s, 1400, 12, 1340);
    s = segment(20, SW_TCP_SYN,
                OPTIONS(34, 8, 2, 4, 5, 6, 7, 8, MSS(9000), 34, 28, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
                1, partial);
    clamp(&s, 1400, 10, 1360);
    /* the last one counts */
    s = segment(20, SW_TCP_SYN, OPTIONS(MSS(512), 1, MSS(1460)), 0, partial);
    clamp(&s, 1400, 7, 1360);
    s = segment(20, SW_TCP_SYN, OPTIONS(MSS(1460), 5, 2, MSS(0)), 0, partial);
    clamp(&s, 1400, 2, 1360);
    /* at the very end of the longest header, and of the packet; at even and odd offsets */
    uint8_t nops[40];
    memset(nops, 1, sizeof(nops));
    memcpy(nops + 36, (const uint8_t[]){MSS(1460)}, 4);
    s = segment(20, SW_TCP_SYN, nops, 40, 0, partial);
    clamp(&s, 1400, 38, 1360);
    memcpy(nops + 35, (const uint8_t[]){MSS(1460), 0}, 5);
    s = segment(20, SW_TCP_SYN, nops, 40, 0, partial);
    clamp(&s, 1400, 37, 1360);
  }
}

static void right_checksum_stays_right_and_wrong_one_wrong(void **state) {
  (void)state;
  srand(1);
  for (unsigned round = 0; round < 20000; round++) {
    const size_t odd = round & 1;
    uint8_t options[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const unsigned mss = (unsigned)rand() % 65536;
    memcpy(options + odd, (const uint8_t[]){2, 4, (uint8_t)(mss >> 8), (uint8_t)mss}, 4);
    struct segment s = segment(20, SW_TCP_SYN, options, 8, (size_t)rand() % 30, false);
    for (size_t i = s.ip + 40; i < s.length; i++) s.packet[i] = (uint8_t)rand();
    sum(&s);
    const bool wrong = round & 2;
    if (wrong) s.packet[s.ip + 5] ^= 1;
    clamp_mss(&s, 68 + (unsigned)rand() % 1500);
    assert_int_equal(sw_checksum_verify(s.packet, s.length, s.ip, SW_PROTOCOL_TCP), !wrong);
  }
}

/* Zero has two representations in ones' complement. */
static void small_mss_leaves_even_a_zero_checksum_unchanged(void **state) {
  (void)state;
  struct segment s = segment(20, SW_TCP_SYN, OPTIONS(MSS(1336)), 0, false);
  uint8_t *tcp = s.packet + s.ip;
  for (unsigned i = 0; i < 65536 && sw_get16(tcp + SW_TCP_CHECKSUM) != 0xffff; i++) {
    sw_put16(tcp + 4, (uint16_t)i);
    sum(&s);
  }
  assert_int_equal(sw_get16(tcp + SW_TCP_CHECKSUM), 0xffff);
  clamp(&s, 1376, -1, 0);
}

static void authenticated_options_are_unchanged(void **state) {
  (void)state;
  struct segment s = segment(20, SW_TCP_SYN, OPTIONS(MSS(1460), 29, 4, 1, 1), 0, false);
  clamp(&s, 1376, -1, 0);
  s = segment(20, SW_TCP_SYN, OPTIONS(MSS(1460), 1, 1, 29, 2), 0, false); /* at the very end */
  clamp(&s, 1376, -1, 0);
  s = segment(40, SW_TCP_SYN, OPTIONS(1, 29, 3, 7, MSS(1460)), 0, true);
  clamp(&s, 1376, -1, 0);
  /* MD5 does not cover the options */
  s = segment(20, SW_TCP_SYN, OPTIONS(19, 3, 29, MSS(1460)), 0, false);
  clamp(&s, 1376, 5, 1336);
}

static void other_segments_are_unchanged(void **state) {
  (void)state;
  static const uint8_t others[] = {
      0, SW_TCP_ACK, SW_TCP_FIN, SW_TCP_RST, SW_TCP_PSH | SW_TCP_ACK, (uint8_t)~SW_TCP_SYN};
  for (size_t i = 0; i < sizeof(others); i++) {
    struct segment s = segment(20, others[i], OPTIONS(MSS(1460)), 9, false);
    clamp(&s, 1376, -1, 0);
  }
  static const struct {
    uint8_t options[8], count;
  } malformed[] = {
      {{0}, 0},
      {{1, 1, 1, 1}, 4},
      {{0, 2, 4, 5, 180}, 5},
      {{0, 2, 2, 4, 5, 180}, 6}, /* after the end of the options */
      {{0, 1, 1, 1, 2, 4, 5, 180}, 8},
      {{2, 3, 255}, 3}, /* an MSS option of another length */
      {{2, 5, 255, 255, 255}, 5},
      {{8, 0, 2, 4, 5, 180}, 6}, /* an option without an end */
      {{8, 1, 2, 4, 5, 180}, 6},
      {{8, 1, 1, 1, 2, 4, 5, 180}, 8},
      {{8, 9, 2, 4, 5, 180}, 6}, /* an option that extends past the end */
      {{1, 1, 2, 4}, 4},         /* an MSS option that does */
      {{1, 2, 4, 255}, 4},
      {{1, 1, 1, 2}, 4},
      {{1, 1, 1, 8}, 4},
  };
  for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++)
    for (size_t payload = 0; payload < 8; payload++) {
      struct segment s =
          segment(20, SW_TCP_SYN, malformed[i].options, malformed[i].count, payload, false);
      clamp(&s, 100, -1, 0);
    }
}

static void incomplete_tcp_headers_are_unchanged(void **state) {
  (void)state;
  for (unsigned v6 = 0; v6 < 2; v6++) {
    const size_t ip = v6 ? 40 : 24;
    struct segment s = segment(ip, SW_TCP_SYN, OPTIONS(MSS(1460)), 0, false);
    const size_t whole = s.length;
    for (size_t length = 1; length < ip; length++) { /* less than an IP header */
      struct sw_view view;
      assert_false(sw_view_parse(&view, s.packet, length));
    }
    for (size_t length = ip; length < whole; length++) {
      s = segment(ip, SW_TCP_SYN, OPTIONS(MSS(1460)), 0, false);
      memmove(memory_end - length, s.packet, length);
      s.packet = memory_end - length;
      s.length = length;
      clamp(&s, 1376, -1, 0);
    }
    s = segment(ip, SW_TCP_SYN, OPTIONS(MSS(1460)), 0, false);
    s.packet[v6 ? 6 : 9] = SW_PROTOCOL_UDP;
    clamp(&s, 1376, -1, 0);
    s = segment(ip, SW_TCP_SYN, OPTIONS(MSS(1460)), 0, false);
    s.packet[ip + 12] = 0x40; /* shorter than a TCP header */
    clamp(&s, 1376, -1, 0);
    s = segment(ip, SW_TCP_SYN, OPTIONS(MSS(1460)), 0, false);
    s.packet[ip + 12] = 0x70; /* longer than the packet */
    clamp(&s, 1376, -1, 0);
  }
}

/* Later fragments have data where the first has the TCP header. */
static void later_fragments_are_unchanged(void **state) {
  (void)state;
  for (unsigned bit = 0; bit < 16; bit++) {
    struct segment s = segment(20, SW_TCP_SYN, OPTIONS(MSS(1460)), 0, false);
    sw_put16(s.packet + 6, (uint16_t)(1U << bit));
    if (bit >= 13) /* flags; the first fragment is among these */
      clamp(&s, 1376, 2, 1336);
    else
      clamp(&s, 1376, -1, 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mss_is_lowered_to_the_mtu_less_both_headers),
      cmocka_unit_test(mss_is_found_wherever_it_is_among_the_options),
      cmocka_unit_test(right_checksum_stays_right_and_wrong_one_wrong),
      cmocka_unit_test(small_mss_leaves_even_a_zero_checksum_unchanged),
      cmocka_unit_test(authenticated_options_are_unchanged),
      cmocka_unit_test(other_segments_are_unchanged),
      cmocka_unit_test(incomplete_tcp_headers_are_unchanged),
      cmocka_unit_test(later_fragments_are_unchanged),
  };
  return cmocka_run_group_tests(tests, make_memory, NULL);
}
