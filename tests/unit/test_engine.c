/*
 * The engine with a TUN and a socket that are played here: what becomes of packets while the socket
 * is full.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/packet.h"
#include "daemon/engine.h"

static unsigned offered; /* packets the TUN still has */
static unsigned reads, sends;
static unsigned full_from, full_until; /* calls of send between which the socket is full */
static size_t sent_bytes, sent_datagrams;
static unsigned spins;

static const struct sw_prefix everywhere[] = {{.length = 0}};

ssize_t sw_tun_read(const struct sw_tun *tun, uint8_t *packet, size_t size,
                    struct sw_offload *offload) {
  (void)tun;
  assert_true(size >= 65535);
  *offload = (struct sw_offload){0};
  if (offered == 0) return -EAGAIN;
  offered--;
  reads++;
  const size_t length = 1000 + reads % 3; /* so that runs stay short */
  memset(packet, 0, length);
  packet[0] = 0x45;
  sw_put16(packet + 2, (uint16_t)length);
  return (ssize_t)length;
}

int sw_tun_write(const struct sw_tun *tun, uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  (void)tun, (void)packet, (void)length, (void)offload;
  return 0;
}

int sw_udp_send(struct sw_udp *udp, struct sw_run *runs, unsigned count) {
  (void)udp;
  assert_in_range(count, 1, SW_UDP_BATCH);
  sends++;
  if (sends >= full_from && sends < full_until) return -EAGAIN;
  for (unsigned i = 0; i < count; i++) {
    sent_bytes += runs[i].length;
    sent_datagrams += (runs[i].length + runs[i].segment - 1) / runs[i].segment;
  }
  return (int)count;
}

int sw_udp_receive(const struct sw_udp *udp, struct sw_run *runs, unsigned count,
                   uint32_t *overflows) {
  (void)udp, (void)runs, (void)count, (void)overflows;
  return -EAGAIN;
}

int sw_udp_error(const struct sw_udp *udp, struct sw_address *about, int *code) {
  (void)udp, (void)about, (void)code;
  return -EAGAIN;
}

static void observe(void *user) {
  (void)user;
  spins++;
}

static void failed(void *user, const char *what) {
  (void)user;
  fail_msg("the engine gave up: %s", what);
}

/* Brings a link up with one that lives here only, so that packets are sealed. */
static struct sw_link *link_up(struct sw_link **other) {
  struct sw_psk psk;
  sw_psk_generate(&psk);
  const struct sw_link_options options = {.psk = &psk, .sources = everywhere, .source_count = 1};
  struct sw_link *link = sw_link_new(&options);
  *other = sw_link_new(&options);
  const struct sw_address address = {.ip = {[15] = 1}, .port = 1};
  uint64_t now = sw_engine_now();
  uint8_t datagram[SW_CONTROL_MAX], packet[SW_CONTROL_MAX];
  struct sw_address to;
  size_t length;
  sw_link_endpoints_set(link, now, &address, 1);
  for (unsigned i = 0; i < 8; i++) {
    struct sw_link *const from = i % 2 ? *other : link, *const into = i % 2 ? link : *other;
    while ((length = sw_link_transmit(from, now, datagram, &to)) > 0)
      sw_link_receive(into, now, &address, datagram, length, packet, &length);
  }
  assert_int_equal(sw_link_status(link)->state, SW_LINK_UP);
  return link;
}

/* Offers packets to an engine whose socket is full for some calls; all of them must leave. */
static void run(unsigned packets, unsigned from, unsigned until) {
  uv_loop_t loop;
  struct sw_link *other;
  struct sw_tun tun = {.fd = eventfd(1, EFD_NONBLOCK)}; /* readable, as long as nobody reads it */
  struct sw_udp udp = {.fd = eventfd(0, EFD_NONBLOCK)}; /* writable */
  struct sw_engine engine = {.loop = &loop,
                             .link = link_up(&other),
                             .tun = &tun,
                             .udp = &udp,
                             .observe = observe,
                             .failed = failed};
  assert_int_equal(uv_loop_init(&loop), 0);
  offered = packets;
  reads = sends = spins = 0;
  sent_bytes = sent_datagrams = 0;
  full_from = from;
  full_until = until;
  assert_int_equal(sw_engine_start(&engine), 0);
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(reads, packets);
  assert_int_equal(sent_datagrams, packets);
  assert_true(uv_is_active((uv_handle_t *)&engine.tun_poll)); /* what comes next will be read */
  assert_true(spins <= until - from + 2); /* nobody turns in circles for a socket that has room */
  sw_engine_stop(&engine);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  sw_engine_free(&engine);
  sw_link_free(engine.link);
  sw_link_free(other);
  close(tun.fd);
  close(udp.fd);
}

static void packets_leave_in_batches(void **state) {
  (void)state;
  run(1000, 0, 0);
  assert_true(sends < 1000 / 20);
}

static void everything_leaves_after_a_full_socket_whenever_that_happens(void **state) {
  (void)state;
  static const unsigned counts[] = {1, 3, 26, 31, 32, 33, 64, 65, 200};
  for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
    for (unsigned from = 1; from < 12; from++)
      for (unsigned length = 1; length < 6; length++) run(counts[c], from, from + length);
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(packets_leave_in_batches),
      cmocka_unit_test(everything_leaves_after_a_full_socket_whenever_that_happens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
