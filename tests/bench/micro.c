/*
 * Cost of each step of the data path, in nanoseconds of processor time per packet: medians of
 * several rounds.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "packet/checksum.h"
#include "packet/gro.h"
#include "packet/gso.h"
#include "protocol/filter.h"
#include "protocol/secretbox.h"
#include "protocol/wire.h"

#define ROUNDS 15
#define REPEATS 20000
#define RANGES 8192

static uint8_t plain[131072], cipher[131072];
static struct sw_secretbox box;
static size_t size;

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_of(unsigned (*work)(void)) {
  double times[ROUNDS];
  for (unsigned i = 0; i < ROUNDS; i++) {
    const double start = now_ns();
    unsigned packets = 0;
    while (packets < REPEATS) packets += work();
    times[i] = (now_ns() - start) / packets;
  }
  qsort(times, ROUNDS, sizeof(times[0]), compare);
  return times[ROUNDS / 2];
}

static unsigned seal_stock(void) {
  sw_secretbox_seal(&box, 7, plain + 64, size, cipher + 48, cipher + 64);
  return 1;
}

static unsigned seal_fast(void) {
  sw_secretbox_seal_fast(&box, 7, plain + 64, size, cipher + 48, cipher + 64);
  return 1;
}

static unsigned open_stock(void) {
  if (!sw_secretbox_open(&box, 7, cipher + 64, size, cipher + 48, plain + 64)) abort();
  return 1;
}

static unsigned open_fast(void) {
  if (!sw_secretbox_open_fast(&box, 7, cipher + 64, size, cipher + 48, plain + 64)) abort();
  return 1;
}

static unsigned mask(void) {
  sw_header_write(box.key, (struct sw_header){1, 2}, cipher);
  return 1;
}

static unsigned checksum(void) {
  static volatile uint16_t sum;
  sum = sw_checksum_add(sum, plain + 64, size);
  return 1;
}

/* 8,192 ranges 10.x.y.0/24, every second one. */
static void filter_make(struct sw_filter *filter) {
  static struct sw_prefix ranges[RANGES];
  for (unsigned i = 0; i < RANGES; i++)
    ranges[i] = (struct sw_prefix){.ip = {[10] = 0xff,
                                          [11] = 0xff,
                                          [12] = 10,
                                          [13] = (uint8_t)(i >> 7),
                                          [14] = (uint8_t)(2 * i)},
                                   .length = 96 + 24};
  if (sw_filter_init(filter) != 0) abort();
  sw_filter_set(filter, ranges, RANGES, NULL, 0);
}

static void filter_look_up(uint32_t source) {
  static struct sw_filter filter;
  uint8_t packet[SW_IP4_HEADER] = {0x45};
  struct sw_view view;
  if (filter.sources.count == 0) filter_make(&filter);
  sw_put32(packet + 12, source);
  if (!sw_view_parse(&view, packet, sizeof(packet)) || !sw_filter_allows(&filter, packet, &view))
    abort();
}

static unsigned filter_random(void) {
  static uint32_t random = 1;
  random = random * 1664525 + 1013904223;
  filter_look_up(10U << 24 | ((random >> 9 & (RANGES - 1)) << 9) | 5);
  return 1;
}

static unsigned filter_same(void) {
  filter_look_up(10U << 24 | 5);
  return 1;
}

/* A TCP super-packet of 45 segments. */
static size_t super_packet(uint8_t *packet, struct sw_offload *offload) {
  const size_t length = 40 + 45 * (size - 40);
  memset(packet, 0, 40);
  packet[0] = 0x45;
  sw_put16(packet + 2, (uint16_t)length);
  packet[9] = SW_PROTOCOL_TCP;
  packet[32] = 0x50;
  packet[33] = SW_TCP_ACK;
  *offload = (struct sw_offload){.gso = SW_GSO_TCP4,
                                 .partial = true,
                                 .header = 40,
                                 .size = (uint16_t)(size - 40),
                                 .csum_start = 20,
                                 .csum_offset = SW_TCP_CHECKSUM};
  return length;
}

static unsigned segment_all(void) {
  struct sw_offload offload;
  struct sw_gso gso;
  struct sw_segment segment;
  unsigned packets = 0;
  const size_t length = super_packet(plain + 64, &offload);
  if (sw_gso_start(&gso, plain + 64, length, &offload)) abort();
  while (sw_gso_next(&gso, &segment)) packets++;
  return packets;
}

static unsigned segment_and_coalesce(void) {
  static uint8_t buffer[SW_GRO_BUFFER];
  struct sw_offload offload;
  struct sw_gso gso;
  struct sw_segment segment;
  struct sw_gro gro;
  struct sw_gro_packet merged;
  unsigned packets = 0;
  sw_gro_start(&gro, buffer, true);
  const size_t length = super_packet(plain + 64, &offload);
  if (sw_gso_start(&gso, plain + 64, length, &offload)) abort();
  for (; sw_gso_next(&gso, &segment); packets++) {
    uint8_t *room = sw_gro_room(&gro);
    memcpy(room, segment.packet, segment.length); /* instead of opening it there */
    struct sw_view view;
    if (!sw_view_parse(&view, room, segment.length)) abort();
    while (sw_gro_add(&gro, room, &view, true)) sw_gro_take(&gro, &merged);
  }
  if (!sw_gro_take(&gro, &merged) || merged.length != length) abort();
  return packets;
}

int main(void) {
  if (sodium_init() < 0 || !sw_secretbox_self_test()) return 1;
  randombytes_buf(&box, sizeof(box));
  sw_secretbox_prepare(&box);
  static const size_t sizes[] = {64, 576, 1376, 1420, 1440};
  printf("ns per packet of (bytes) %8s %8s %8s %8s %8s\n", "64", "576", "1376", "1420", "1440");
  static const struct {
    const char *name;
    unsigned (*work)(void);
  } works[] = {
      {"seal, crypto_secretbox", seal_stock},
      {"seal", seal_fast},
      {"open, crypto_secretbox", open_stock},
      {"open", open_fast},
      {"mask", mask},
      {"checksum", checksum},
      {"filter, random source", filter_random},
      {"filter, same source", filter_same},
      {"segment", segment_all},
      {"segment and coalesce", segment_and_coalesce},
  };
  for (size_t w = 0; w < sizeof(works) / sizeof(works[0]); w++) {
    printf("%-22s", works[w].name);
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
      size = sizes[s];
      seal_stock();
      printf(" %8.0f", median_of(works[w].work));
    }
    printf("\n");
  }
  return 0;
}
