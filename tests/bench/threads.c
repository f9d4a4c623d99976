/*
 * Cost of sealing and opening 64 KiB batches, in nanoseconds per packet, on one thread and with
 * workers. The rounds of both alternate, so that noise of the machine affects both alike.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/bench_links.h"
#include "engine/batch.h"
#include "protocol/link_state.h"

#define ROUNDS 61
#define BATCHES 100 /* per round */
#define SEGMENT 1400
#define SEGMENTS 45
#define HEADER 40
#define LENGTH (HEADER + SEGMENTS * SEGMENT)

static struct sw_bench_links links;
static uint8_t packet[SW_HEADROOM + 65536 + SW_SLACK], datagrams[SW_HEADROOM + 131072 + SW_SLACK];
static uint8_t room[SW_GRO_BUFFER];
static const uint64_t now = SW_BENCH_NOW;

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* Makes the TCP super-packet again: sealing overwrites it. */
static void make(struct sw_gso *gso) {
  uint8_t *ip = packet + SW_HEADROOM;
  memset(ip, 0, HEADER);
  ip[0] = 0x45;
  sw_put16(ip + 2, LENGTH);
  ip[9] = SW_PROTOCOL_TCP;
  ip[32] = 0x50;
  ip[33] = SW_TCP_ACK;
  const struct sw_offload offload = {.gso = SW_GSO_TCP4,
                                     .partial = true,
                                     .header = HEADER,
                                     .size = SEGMENT,
                                     .csum_start = SW_IP4_HEADER,
                                     .csum_offset = SW_TCP_CHECKSUM};
  if (sw_gso_start(gso, ip, LENGTH, &offload) != 0) abort();
}

static void seal_batch(struct sw_batch *batch) {
  struct sw_gso gso;
  struct sw_segment segment;
  uint8_t *datagram = datagrams + SW_HEADROOM;
  size_t each;
  make(&gso);
  if (sw_batch_seal(batch, links.left, now, &gso, datagram, &each) > 0) return;
  while (sw_gso_next(&gso, &segment)) {
    const int64_t length =
        sw_link_seal(links.left, now, segment.packet, segment.length, segment.partial, datagram);
    if (length < 0) abort();
    datagram += length;
  }
}

static void open_batch(struct sw_batch *batch) {
  const size_t each = SW_OVERHEAD + HEADER + SEGMENT;
  struct sw_opened opened;
  memset(&links.right->sessions.rows[0].replay, 0,
         sizeof(links.right->sessions.rows[0].replay)); /* the counters repeat */
  const struct sw_run run = {.path = links.path};
  const bool spread = sw_batch_opens(batch, SEGMENTS * each);
  for (unsigned i = 0; i < SEGMENTS; i++) {
    const uint8_t *datagram = datagrams + SW_HEADROOM + i * each;
    if (spread) {
      if (!sw_batch_add(batch, links.right, now, &run, datagram, each)) abort();
    } else if (sw_link_open(links.right, now, &run.path, datagram, each, room + SW_HEADROOM,
                            &opened) != SW_RECEIVED_PACKET) {
      abort();
    }
  }
  const unsigned count = sw_batch_open(batch);
  for (unsigned i = 0; i < count; i++)
    if (sw_link_open_finish(links.right, &batch->openings[i], &opened) != SW_RECEIVED_PACKET)
      abort();
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double time_of(void (*work)(struct sw_batch *batch), struct sw_batch *batch) {
  const double start = now_ns();
  for (unsigned i = 0; i < BATCHES; i++) work(batch);
  return (now_ns() - start) / (BATCHES * SEGMENTS);
}

static void compare_threads(const char *name, void (*work)(struct sw_batch *batch),
                            struct sw_batch *alone, struct sw_batch *helped) {
  double one[ROUNDS], more[ROUNDS];
  for (unsigned i = 0; i < ROUNDS; i++) {
    one[i] = time_of(work, alone);
    more[i] = time_of(work, helped);
  }
  qsort(one, ROUNDS, sizeof(*one), compare);
  qsort(more, ROUNDS, sizeof(*more), compare);
  printf("%-6s", name);
  for (unsigned i = ROUNDS / 2;; i = 0) {
    printf("%10.0f %8.0f  x %.2f", one[i], more[i], one[i] / more[i]);
    if (i == 0) break;
  }
  printf("\n");
}

int main(int argc, char **argv) {
  if (sodium_init() < 0 || !sw_secretbox_self_test()) return 1;
  const unsigned count = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
  struct sw_workers workers;
  struct sw_batch alone, helped;
  if (count > SW_WORKERS_MAX || sw_workers_start(&workers, count) != 0 ||
      sw_batch_start(&alone, NULL, room) != 0 || sw_batch_start(&helped, &workers, room) != 0)
    return 1;
  workers.engaged = true; /* for the whole run */
  workers.next = UINT64_MAX;
  if (!sw_bench_links_make(&links)) return 1;
  printf("ns per packet of %u bytes, %u per batch, on 1 and on %u threads\n", HEADER + SEGMENT,
         SEGMENTS, count + 1);
  compare_threads("seal", seal_batch, &alone, &helped);
  compare_threads("open", open_batch, &alone, &helped);
  sw_workers_stop(&workers);
  sw_batch_stop(&alone);
  sw_batch_stop(&helped);
  sw_bench_links_free(&links);
  return 0;
}
