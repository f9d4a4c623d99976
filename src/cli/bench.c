/*
 * saltway bench: what the cipher and the data path of this machine can carry.  It seals and opens
 * with the functions that an engine calls, and sends through loopback sockets as an engine does.  It
 * needs neither root nor a link.
 */
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/bench_links.h"
#include "cli/cli.h"
#include "cli/units.h"
#include "linux/udp.h"
#include "packet/packet.h"
#include "protocol/secretbox.h"

#define NS 1e9
#define PART_NS UINT64_C(300000000) /* of processor time of each thread, for a measurement */
#define LONG 1440                   /* bytes of a packet */
#define SHORT 64
#define BATCH 44    /* packets: their datagrams fit in a run */
#define RUNS 4      /* that are received at once */
#define LATE_MS 100 /* a datagram is lost after this long */
#define THREADS_MAX 1024
#define RESULTS 12

/* A measurement; rates are sums over the threads. */
struct result {
  const char *what;
  unsigned bytes, threads;
  double packets; /* a second */
};

struct bench {
  struct result results[RESULTS];
  unsigned count, cores;
  bool gso, gro;
};

/* What one thread works on. */
struct work {
  struct sw_bench_links links;
  unsigned bytes;
  pthread_t thread;
  bool failed;
  double seal, open, path; /* packets a second */
  struct sw_udp from, into;
  uint8_t packet[SW_HEADROOM + LONG + SW_SLACK];
  uint8_t opened[SW_HEADROOM + LONG + SW_SLACK];
  uint8_t datagrams[SW_HEADROOM + BATCH * (LONG + SW_OVERHEAD) + SW_SLACK];
  uint8_t arrived[RUNS][SW_HEADROOM + SW_UDP_BUFFER + SW_SLACK];
};

/* Processor time of this thread, kernel and all: what others do on the machine does not count. */
static uint64_t used(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

/* ---- the cipher ---- */

/* An IPv4 packet, which nothing that is measured here looks into. */
static void make_packet(struct work *work) {
  uint8_t *ip = work->packet + SW_HEADROOM;
  memset(ip, 0, work->bytes);
  ip[0] = 0x45;
  sw_put16(ip + 2, (uint16_t)work->bytes);
  ip[9] = 0xfd; /* for experiments: RFC 3692 */
}

/* Returns the bytes of the datagrams, which are back to back; 0: it failed. */
static size_t seal_batch(struct work *work) {
  uint8_t *datagram = work->datagrams + SW_HEADROOM;
  for (unsigned i = 0; i < BATCH; i++) {
    const int64_t length = sw_link_seal(work->links.left, SW_BENCH_NOW, work->packet + SW_HEADROOM,
                                        work->bytes, false, datagram);
    if (length < 0) return 0;
    datagram += length;
  }
  return (size_t)(datagram - work->datagrams) - SW_HEADROOM;
}

static bool open_all(struct work *work, const uint8_t *datagrams, size_t length) {
  const size_t each = work->bytes + SW_OVERHEAD;
  struct sw_opened opened;
  for (; length >= each; datagrams += each, length -= each)
    if (sw_link_open(work->links.right, SW_BENCH_NOW, &work->links.path, datagrams, each,
                     work->opened + SW_HEADROOM, &opened) != SW_RECEIVED_PACKET)
      return false;
  return length == 0;
}

static void *run_cipher(void *argument) {
  struct work *work = argument;
  uint64_t sealing = 0, opening = 0, batches = 0, before = used();
  make_packet(work);
  for (const uint64_t end = before + PART_NS; before < end; batches++) {
    const size_t length = seal_batch(work);
    const uint64_t sealed = used();
    work->failed |= length == 0 || !open_all(work, work->datagrams + SW_HEADROOM, length);
    if (work->failed) return NULL;
    sealing += sealed - before;
    before = used();
    opening += before - sealed;
  }
  work->seal = NS * BATCH * (double)batches / (double)sealing;
  work->open = NS * BATCH * (double)batches / (double)opening;
  return NULL;
}

/* ---- the data path ---- */

/* Receives and opens what was sent.  Returns the packets that were opened, or -1. */
static int receive_batch(struct work *work, size_t expected) {
  const size_t each = work->bytes + SW_OVERHEAD;
  size_t received = 0;
  while (received < expected) {
    struct sw_run runs[RUNS];
    uint32_t overflows;
    struct pollfd wait = {.fd = work->into.fd, .events = POLLIN};
    for (unsigned i = 0; i < RUNS; i++)
      runs[i] = (struct sw_run){.bytes = work->arrived[i] + SW_HEADROOM, .length = SW_UDP_BUFFER};
    const int count = sw_udp_receive(&work->into, runs, RUNS, &overflows);
    if (count == -EAGAIN && poll(&wait, 1, LATE_MS) != 1) break;
    for (int i = 0; i < count; i++) {
      if (!open_all(work, runs[i].bytes, runs[i].length)) return -1;
      received += runs[i].length;
    }
  }
  return (int)(received / each);
}

static bool run_path(struct work *work) {
  struct sw_run run = {.bytes = work->datagrams + SW_HEADROOM,
                       .segment = work->bytes + SW_OVERHEAD,
                       .path.peer = {.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}}};
  uint64_t packets = 0;
  size_t refused;
  const uint64_t start = used();
  run.path.peer.port = work->into.port;
  make_packet(work);
  while (used() < start + PART_NS) {
    run.sent = 0;
    run.length = seal_batch(work);
    const int failed = run.length ? sw_udp_send(&work->from, &run, 1, &refused) : -EIO;
    const int got =
        !failed || failed == -EAGAIN ? receive_batch(work, failed ? run.sent : run.length) : -1;
    if (got < 0) return false;
    packets += (uint64_t)got;
  }
  work->path = NS * (double)packets / (double)(used() - start);
  return packets > 0;
}

/* ---- what is measured ---- */

static void add(struct bench *bench, const char *what, unsigned bytes, unsigned threads,
                double packets) {
  bench->results[bench->count++] = (struct result){what, bytes, threads, packets};
}

static bool measure_cipher(struct bench *bench, struct work *works, unsigned bytes,
                           unsigned threads) {
  double seal = 0, open = 0;
  bool failed = false;
  unsigned started = 0;
  for (; started < threads; started++) {
    works[started].bytes = bytes;
    if (pthread_create(&works[started].thread, NULL, run_cipher, &works[started]) != 0) break;
  }
  for (unsigned i = 0; i < started; i++) {
    pthread_join(works[i].thread, NULL);
    failed |= works[i].failed;
    seal += works[i].seal;
    open += works[i].open;
  }
  add(bench, "seal", bytes, threads, seal);
  add(bench, "open", bytes, threads, open);
  return !failed && started == threads;
}

static bool measure_path(struct bench *bench, struct work *work, unsigned bytes) {
  struct sw_error error;
  work->bytes = bytes;
  if (sw_udp_open(&work->from, 0, 0, true, &error) != 0) return false;
  bool done = false;
  if (sw_udp_open(&work->into, 0, 0, true, &error) == 0) {
    done = run_path(work);
    bench->gso = work->from.gso;
    bench->gro = work->into.gro;
    sw_udp_close(&work->into);
  }
  sw_udp_close(&work->from);
  add(bench, "path", bytes, 1, work->path);
  return done;
}

static unsigned count_cores(void) {
  cpu_set_t cores;
  const int count = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
  return count < THREADS_MAX ? (unsigned)count : THREADS_MAX;
}

static bool measure(struct bench *bench) {
  static const unsigned sizes[] = {LONG, SHORT};
  struct work *works = calloc(bench->cores, sizeof(*works));
  bool good = works != NULL;
  for (unsigned i = 0; good && i < bench->cores; i++) good = sw_bench_links_make(&works[i].links);
  for (unsigned i = 0; good && i < 2; i++) {
    good = measure_cipher(bench, works, sizes[i], 1) &&
           (bench->cores == 1 || measure_cipher(bench, works, sizes[i], bench->cores)) &&
           measure_path(bench, works, sizes[i]);
  }
  for (unsigned i = 0; works && i < bench->cores; i++) sw_bench_links_free(&works[i].links);
  free(works);
  return good;
}

/* ---- the output ---- */

static double rate(const struct result *result) {
  return 8 * result->bytes * result->packets;
}

static void print_text(const struct bench *bench) {
  for (unsigned i = 0; i < bench->count; i++) {
    const struct result *result = &bench->results[i];
    char text[SW_UNITS_TEXT];
    printf("%s  %4u bytes  %4u %-7s %12s %10.0f kpps\n", result->what, result->bytes,
           result->threads, result->threads == 1 ? "core" : "cores",
           sw_units_rate(rate(result), text), result->packets / 1000);
  }
  printf("path: sealed, sent over loopback, received and opened%s%s\n", bench->gso ? ", GSO" : "",
         bench->gro ? ", GRO" : "");
}

static void print_json(const struct bench *bench) {
  json_t *list = json_array();
  for (unsigned i = 0; i < bench->count; i++) {
    const struct result *result = &bench->results[i];
    json_array_append_new(list, json_pack("{s:s, s:i, s:i, s:f, s:f}", "what", result->what,
                                          "bytes", (int)result->bytes, "cores",
                                          (int)result->threads, "bits_per_second", rate(result),
                                          "packets_per_second", result->packets));
  }
  json_t *root =
      json_pack("{s:b, s:b, s:o}", "gso", bench->gso, "gro", bench->gro, "results", list);
  json_dumpf(root, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
  printf("\n");
  json_decref(root);
}

int sw_cli_bench(int argc, char **argv) {
  struct bench bench = {.cores = count_cores()};
  const bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
  if (argc > 2 || (argc == 2 && !json)) {
    sw_cli_usage(stderr, argv[0]);
    return 2;
  }
  if (!sw_secretbox_self_test())
    fprintf(stderr, "saltway: the fast cipher is not used: this libsodium needs another one\n");
  if (!measure(&bench)) {
    fprintf(stderr,
            "saltway: bench: cannot measure (no memory, no thread, or no loopback interface?)\n");
    return 1;
  }
  if (json)
    print_json(&bench);
  else
    print_text(&bench);
  return fflush(stdout) == 0 ? 0 : 1;
}
