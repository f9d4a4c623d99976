/*
 * The socket on the host's loopback interface.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "linux/udp.h"

static struct sw_udp udp, peer;

static int begin(void **state) {
  (void)state;
  struct sw_error error;
  assert_int_equal(sw_udp_open(&udp, 0, 0, true, &error), 0);
  assert_int_equal(sw_udp_open(&peer, 0, 0, true, &error), 0);
  return 0;
}

static int end(void **state) {
  (void)state;
  sw_udp_close(&udp);
  sw_udp_close(&peer);
  return 0;
}

static struct sw_address loopback(uint16_t port) {
  return (struct sw_address){.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = port};
}

/* How many datagrams the peer gets within a time that is long enough. */
static unsigned received(size_t length) {
  uint8_t buffer[SW_UDP_BUFFER];
  uint32_t overflows = 0;
  unsigned count = 0;
  struct pollfd ready = {.fd = peer.fd, .events = POLLIN};
  while (poll(&ready, 1, count ? 0 : 1000) > 0) {
    struct sw_run run = {.bytes = buffer, .length = sizeof(buffer)};
    if (sw_udp_receive(&peer, &run, 1, &overflows) != 1) continue;
    assert_int_equal(run.segment, length);
    count += (unsigned)(run.length / run.segment);
  }
  return count;
}

static void run_is_sent_and_received(void **state) {
  (void)state;
  uint8_t bytes[6400] = {0};
  struct sw_run run = {bytes, sizeof(bytes), 100, loopback(peer.port), false};
  assert_int_equal(sw_udp_send(&udp, &run, 1), 1);
  assert_int_equal(received(100), 64);
}

static void report_about_an_earlier_datagram_does_not_fail_the_next(void **state) {
  (void)state;
  uint8_t byte = 0;
  const uint16_t port = peer.port;
  sw_udp_close(&peer);
  for (unsigned i = 0; i < 100; i++) {
    struct sw_run run = {&byte, 1, 1, loopback(port), false};
    assert_int_equal(sw_udp_send(&udp, &run, 1), 1);
  }
  struct sw_address about;
  int code;
  assert_int_equal(sw_udp_error(&udp, &about, &code), 0);
  assert_int_equal(code, ECONNREFUSED);
  assert_int_equal(about.port, port);
}

static void host_without_ipv6_sends_nothing_to_an_ipv6_peer(void **state) {
  (void)state;
  uint8_t byte = 0;
  sw_udp_close(&udp);
  udp = (struct sw_udp){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), .v4 = true};
  assert_true(udp.fd >= 0);
  /* whose last bytes are those of the loopback interface */
  struct sw_address six = {.ip = {0x20, 1, 0xd, 0xb8, [12] = 127, [15] = 1}, .port = peer.port};
  struct sw_run runs[] = {{&byte, 1, 1, six, false}, {&byte, 1, 1, loopback(peer.port), false}};
  assert_int_equal(sw_udp_send(&udp, runs, 2), -EAFNOSUPPORT);
  assert_int_equal(sw_udp_send(&udp, runs + 1, 1), 1);
  assert_int_equal(received(1), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(run_is_sent_and_received, begin, end),
      cmocka_unit_test_setup_teardown(report_about_an_earlier_datagram_does_not_fail_the_next,
                                      begin, end),
      cmocka_unit_test_setup_teardown(host_without_ipv6_sends_nothing_to_an_ipv6_peer, begin, end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
