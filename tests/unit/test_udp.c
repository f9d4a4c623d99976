/*
 * The socket, on the host's loopback interface.  Some tests replace the kernel by one that takes
 * less, or refuses more.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "linux/udp.h"

static struct sw_udp udp, peer;
static size_t refused;

/* ---- the kernel ---- */

static unsigned calls;
static unsigned takes;        /* messages per call */
static unsigned full_from;    /* from this call on the socket's buffer is full */
static int gso_error;         /* runs are refused with this errno */
static size_t refused_length; /* messages of this length are refused with EPERM */
/* before this call each send fails with a report, if reports are on */
static unsigned reports_until;

static int set_error(int code) {
  errno = code;
  return -1;
}

static int errno_of(const struct msghdr *message) {
  const struct cmsghdr *c = CMSG_FIRSTHDR(message);
  for (; c; c = CMSG_NXTHDR((struct msghdr *)message, (struct cmsghdr *)c))
    if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_SEGMENT && gso_error) return gso_error;
  return message->msg_iov->iov_len == refused_length ? EPERM : 0;
}

static bool reports_asked_for(int fd) {
  int v4 = 0, v6 = 0;
  socklen_t size = sizeof(v4);
  getsockopt(fd, IPPROTO_IP, IP_RECVERR, &v4, &size);
  getsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &v6, &size);
  return v4 || v6;
}

int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags) {
  calls++;
  if (full_from && calls >= full_from) return set_error(EAGAIN);
  if (calls < reports_until && reports_asked_for(fd)) return set_error(ECONNREFUSED);
  if (errno_of(&messages[0].msg_hdr)) return set_error(errno_of(&messages[0].msg_hdr));
  if (count > takes) count = takes;
  for (unsigned i = 1; i < count; i++)
    if (errno_of(&messages[i].msg_hdr)) count = i;
  return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

static bool no_ipv6; /* the host has no IPv6 */

int socket(int domain, int type, int protocol) {
  if (domain == AF_INET6 && no_ipv6) return set_error(EAFNOSUPPORT);
  return (int)syscall(SYS_socket, domain, type, protocol);
}

static int begin(void **state) {
  (void)state;
  struct sw_error error;
  calls = full_from = reports_until = 0;
  takes = SW_UDP_BATCH;
  gso_error = 0;
  refused_length = 0;
  refused = 0;
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

static struct sw_address loopback(uint32_t port) {
  return (struct sw_address){.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}, .port = port};
}

static struct sw_run run_of(size_t length, size_t segment) {
  static uint8_t bytes[SW_UDP_RUN];
  return (struct sw_run){
      .bytes = bytes, .length = length, .segment = segment, .path.peer = loopback(peer.port)};
}

/* Returns how many datagrams of up to `length` bytes the peer receives within a generous time. */
static unsigned received(size_t length) {
  uint8_t buffer[SW_UDP_BUFFER];
  uint32_t overflows = 0;
  unsigned count = 0;
  struct pollfd ready = {.fd = peer.fd, .events = POLLIN};
  while (poll(&ready, 1, count ? 0 : 1000) > 0) {
    struct sw_run run = {.bytes = buffer, .length = sizeof(buffer)};
    if (sw_udp_receive(&peer, &run, 1, &overflows) != 1) continue;
    assert_true(run.segment <= length);
    count += (unsigned)((run.length + run.segment - 1) / run.segment);
  }
  return count;
}

/* ---- tests ---- */

static void run_is_sent_and_received(void **state) {
  (void)state;
  struct sw_run run = run_of(6400, 100);
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
  assert_int_equal(run.sent, 6400);
  assert_int_equal(calls, 1);
  assert_int_equal(received(100), 64);
}

/* The time that the code under test reads is ahead by this many seconds. */
static time_t clock_set;

int clock_gettime(clockid_t clock, struct timespec *time) {
  struct timeval now;
  (void)clock;
  gettimeofday(&now, NULL);
  *time = (struct timespec){.tv_sec = now.tv_sec + clock_set, .tv_nsec = now.tv_usec * 1000};
  return 0;
}

/* Returns how long a datagram has waited in the socket, by its own account. */
static uint64_t waited_after(useconds_t microseconds) {
  uint8_t buffer[SW_UDP_BUFFER];
  uint32_t overflows = 0;
  struct sw_run run = run_of(100, 100), arrived = {.bytes = buffer, .length = sizeof(buffer)};
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
  usleep(microseconds);
  assert_int_equal(sw_udp_receive(&peer, &arrived, 1, &overflows), 1);
  return arrived.waited;
}

static void wait_in_the_socket_is_known(void **state) {
  (void)state;
  uint64_t waited = 0;
  /* the kernel begins to stamp datagrams a little later, and more than a second is not known */
  for (unsigned i = 0; waited < 19999000 && i < 100; i++) waited = waited_after(20000);
  assert_in_range(waited, 19999000, 1000000000);
}

static void clock_that_is_set_makes_no_wait(void **state) {
  (void)state;
  for (clock_set = -10000; clock_set <= 10000; clock_set += 20000)
    assert_int_equal(waited_after(20000), 0);
  clock_set = 0;
}

static void runs_are_sent_completely_in_any_number_of_calls(void **state) {
  (void)state;
  for (unsigned gso = 0; gso < 2; gso++) {
    if (gso && !udp.gso) break;
    udp.gso = gso;
    for (takes = 1; takes <= SW_UDP_BATCH; takes += 7) {
      struct sw_run runs[] = {run_of(150, 100), run_of(100, 100), run_of(3150, 100)};
      assert_int_equal(sw_udp_send(&udp, runs, 3, &refused), 0);
      for (unsigned i = 0; i < 3; i++) assert_int_equal(runs[i].sent, runs[i].length);
      assert_int_equal(received(100), 2 + 1 + 32);
    }
  }
}

static void full_socket_leaves_the_rest_for_later(void **state) {
  (void)state;
  udp.gso = false;
  takes = 3;
  full_from = 3;
  struct sw_run runs[] = {run_of(250, 100), run_of(1000, 100)};
  assert_int_equal(sw_udp_send(&udp, runs, 2, &refused), -EAGAIN);
  assert_int_equal(runs[0].sent, 250);
  assert_int_equal(runs[1].sent, 300);
  full_from = 0;
  assert_int_equal(sw_udp_send(&udp, runs, 2, &refused), 0);
  assert_int_equal(received(100), 3 + 10);
}

static void run_that_cannot_be_segmented_is_sent_as_single_datagrams(void **state) {
  (void)state;
  if (!udp.gso) skip();
  static const int codes[] = {EMSGSIZE, EINVAL, EIO};
  for (unsigned i = 0; i < 3; i++) {
    struct sw_run runs[] = {run_of(100, 100), run_of(6350, 100), run_of(6400, 100)};
    gso_error = codes[i];
    udp.gso_refused = false;
    assert_int_equal(sw_udp_send(&udp, runs, 3, &refused), 0);
    /* a datagram is too long: nothing is wrong with the device */
    assert_int_equal(udp.gso_refused, codes[i] != EMSGSIZE);
    assert_int_equal(udp.gso, codes[i] != EIO); /* the setting lasts */
    assert_int_equal(received(100), 1 + 64 + 64);
  }
}

static void refusal_is_about_the_next_bytes_of_the_first_unsent_run(void **state) {
  (void)state;
  for (unsigned gso = 0; gso < 2; gso++) {
    if (gso && !udp.gso) break;
    udp.gso = gso;
    refused_length = gso ? 950 : 50;
    struct sw_run runs[] = {run_of(300, 100), run_of(950, 100), run_of(300, 100)};
    assert_int_equal(sw_udp_send(&udp, runs, 3, &refused), -EPERM);
    assert_int_equal(runs[0].sent, 300);
    assert_int_equal(runs[1].sent, gso ? 0 : 900);
    assert_int_equal(refused, gso ? 950 : 50);
    assert_int_equal(runs[2].sent, 0);
    assert_int_equal(sw_udp_send(&udp, runs, 3, &refused), -EPERM); /* refused again */
    runs[1].sent += refused;
    assert_int_equal(sw_udp_send(&udp, runs, 3, &refused), 0);
    assert_int_equal(received(100), gso ? 6 : 15);
  }
}

static void report_about_an_earlier_datagram_does_not_fail_the_next(void **state) {
  (void)state;
  const uint16_t port = peer.port;
  struct sw_address about;
  int code;
  sw_udp_close(&peer);
  for (unsigned i = 0; i < 100; i++) {
    struct sw_run run = run_of(1, 1);
    assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
  }
  assert_int_equal(sw_udp_report(&udp, &about, &code), 0);
  assert_int_equal(code, ECONNREFUSED);
  assert_int_equal(about.port, port);
}

static void without_reports_none_fails_a_send(void **state) {
  (void)state;
  struct sw_run run = run_of(1, 1);
  reports_until = UINT32_MAX;
  assert_true(udp.reports);
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), -ECONNREFUSED);
  assert_int_equal(refused, 1);
  assert_true(calls <= 5); /* repeated, but not for ever */
  sw_udp_reports_set(&udp, false);
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
  assert_int_equal(received(1), 1);
  sw_udp_reports_set(&udp, true);
  run.sent = 0;
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), -ECONNREFUSED);
}

static void pending_reports_are_discarded_when_reports_are_turned_off(void **state) {
  (void)state;
  struct sw_address about;
  int code;
  sw_udp_close(&peer);
  for (unsigned i = 0; i < 2; i++) {
    struct sw_run run = run_of(1, 1); /* the report of the first datagram fails the next send */
    if (i == 1) sw_udp_reports_set(&udp, false);
    calls = 0;
    assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
    assert_int_equal(calls, 1);
  }
  assert_int_equal(sw_udp_report(&udp, &about, &code), -EAGAIN);
}

/* ---- the local address ---- */

static const struct sw_address first = {.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}},
                               second = {.ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 2}},
                               six = {.ip = {[15] = 1}},
                               gone = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 77}},
                               six_gone = {.ip = {0x20, 1, 0xd, 0xb8, [15] = 77}};

/* Sends two datagrams from one address to another: as a run, or one by one. */
static void send_two(const struct sw_address *from, const struct sw_address *to) {
  struct sw_run run = run_of(200, 100);
  memcpy(run.path.peer.ip, to->ip, SW_IP_BYTES);
  memcpy(run.path.local, from->ip, SW_IP_BYTES);
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
}

/* Receives the two datagrams and checks both addresses. */
static void assert_two_arrive(const struct sw_address *from, const struct sw_address *to) {
  static uint8_t buffer[SW_UDP_BUFFER];
  uint32_t overflows = 0;
  for (size_t length = 0; length < 200;) {
    struct pollfd ready = {.fd = peer.fd, .events = POLLIN};
    struct sw_run run = {.bytes = buffer, .length = sizeof(buffer)};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    assert_int_equal(sw_udp_receive(&peer, &run, 1, &overflows), 1);
    assert_memory_equal(run.path.peer.ip, from->ip, SW_IP_BYTES);
    assert_memory_equal(run.path.local, to->ip, SW_IP_BYTES);
    assert_int_equal(run.path.peer.port, udp.port);
    length += run.length;
  }
}

static void datagrams_leave_from_the_address_asked_for(void **state) {
  (void)state;
  for (unsigned gso = 0; gso < 2; gso++) {
    udp.gso &= gso;
    send_two(&first, &first);
    assert_two_arrive(&first, &first);
    send_two(&second, &first);
    assert_two_arrive(&second, &first);
    send_two(&first, &second);
    assert_two_arrive(&first, &second);
    if (udp.v4) continue;
    send_two(&six, &six);
    assert_two_arrive(&six, &six);
  }
}

static void datagrams_leave_though_the_address_asked_for_is_gone(void **state) {
  (void)state;
  const bool gso = udp.gso;
  send_two(&gone, &first);
  assert_two_arrive(&first, &first);
  if (!udp.v4) {
    send_two(&six_gone, &six);
    assert_two_arrive(&six, &six);
  }
  assert_int_equal(udp.gso, gso);
  assert_false(udp.gso_refused); /* the failure was not about GSO */
}

static void broadcast_address_is_no_source(void **state) {
  (void)state;
  static uint8_t buffer[SW_UDP_BUFFER];
  struct sw_run run = run_of(1, 1), arrived = {.bytes = buffer, .length = sizeof(buffer)};
  struct pollfd ready = {.fd = peer.fd, .events = POLLIN};
  uint32_t overflows = 0;
  const int on = 1;
  assert_int_equal(setsockopt(udp.fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
  memset(run.path.peer.ip + 13, 255, 3);
  assert_int_equal(sw_udp_send(&udp, &run, 1, &refused), 0);
  assert_int_equal(poll(&ready, 1, 10000), 1);
  assert_int_equal(sw_udp_receive(&peer, &arrived, 1, &overflows), 1);
  assert_memory_equal(arrived.path.local, first.ip, SW_IP_BYTES);
}

/* Sends runs of different TOS in one call, and asserts that each datagram has that of its run. */
static void assert_tos_arrives(const struct sw_address *address) {
  static const uint8_t values[] = {0, 1, 2, 3, 0xb8, 0xbb, 0xff, 0};
  enum { RUNS = sizeof(values), EACH = 3 };
  struct sw_run runs[RUNS];
  for (unsigned i = 0; i < RUNS; i++) {
    const size_t size = 100 + i; /* tells which run a datagram belongs to */
    runs[i] = run_of(EACH * size, size);
    runs[i].tos = values[i];
    memcpy(runs[i].path.peer.ip, address->ip, SW_IP_BYTES);
    if (i % 2) memcpy(runs[i].path.local, address->ip, SW_IP_BYTES);
  }
  assert_int_equal(sw_udp_send(&udp, runs, RUNS, &refused), 0);
  assert_int_equal(calls, udp.gso ? 1 : (RUNS * EACH + SW_UDP_BATCH - 1) / SW_UDP_BATCH);
  static uint8_t buffers[RUNS * EACH][SW_UDP_BUFFER];
  unsigned datagrams = 0;
  while (datagrams < RUNS * EACH) {
    struct pollfd ready = {.fd = peer.fd, .events = POLLIN};
    struct sw_run arrived[RUNS * EACH];
    uint32_t overflows = 0;
    for (unsigned i = 0; i < RUNS * EACH; i++)
      arrived[i] = (struct sw_run){
          .bytes = buffers[i], .length = SW_UDP_BUFFER, .tos = 0x55}; /* is overwritten */
    assert_int_equal(poll(&ready, 1, 10000), 1);
    const int count = sw_udp_receive(&peer, arrived, RUNS * EACH, &overflows);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
      assert_int_equal(arrived[i].tos, values[arrived[i].segment - 100]);
      datagrams += (unsigned)(arrived[i].length / arrived[i].segment);
    }
  }
}

static void each_datagram_has_the_tos_of_its_run(void **state) {
  (void)state;
  for (unsigned gso = 0; gso < 2; gso++) {
    if (gso && !udp.gso) break;
    const bool can = udp.gso;
    udp.gso &= gso;
    calls = 0;
    assert_tos_arrives(&first);
    calls = 0;
    if (!udp.v4) assert_tos_arrives(&six);
    udp.gso = can;
  }
}

static void ipv4_socket_sends_the_same_way(void **state) {
  (void)state;
  no_ipv6 = true;
  struct sw_error error;
  sw_udp_close(&udp);
  sw_udp_close(&peer);
  assert_int_equal(sw_udp_open(&udp, 0, 0, true, &error), 0);
  assert_int_equal(sw_udp_open(&peer, 0, 0, true, &error), 0);
  no_ipv6 = false;
  assert_true(udp.v4);
  datagrams_leave_from_the_address_asked_for(NULL);
  datagrams_leave_though_the_address_asked_for_is_gone(NULL);
  broadcast_address_is_no_source(NULL);
  each_datagram_has_the_tos_of_its_run(NULL);
}

static void host_without_ipv6_sends_nothing_to_an_ipv6_peer(void **state) {
  (void)state;
  sw_udp_close(&udp);
  udp = (struct sw_udp){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), .v4 = true};
  assert_true(udp.fd >= 0);
  struct sw_run runs[] = {run_of(1, 1), run_of(1, 1)};
  /* an IPv6 address whose last bytes are those of the loopback interface */
  runs[0].path.peer =
      (struct sw_address){.ip = {0x20, 1, 0xd, 0xb8, [12] = 127, [15] = 1}, .port = peer.port};
  assert_int_equal(sw_udp_send(&udp, runs, 2, &refused), -EAFNOSUPPORT);
  assert_int_equal(refused, 1);
  runs[0].sent += refused;
  assert_int_equal(sw_udp_send(&udp, runs, 2, &refused), 0);
  assert_int_equal(received(1), 1);
}

/* The engine's send may come between giving a port up and taking another: the kernel has chosen one then,
 * and bind(2) refuses a second, as it does for a port that was asked for. */
static void port_that_the_kernel_chose_meanwhile_is_found(void **state) {
  (void)state;
  const uint16_t port = udp.port;
  assert_int_not_equal(port, 0);
  struct sw_error error;
  struct sw_udp fixed;
  sw_udp_close(&udp);
  assert_int_equal(sw_udp_open(&fixed, port, 0, true, &error), 0);
  fixed.port = 0;
  assert_int_equal(sw_udp_rebind(&fixed), 0);
  assert_int_equal(fixed.port, port);
  sw_udp_close(&fixed);
  assert_int_equal(sw_udp_open(&udp, 0, 0, true, &error), 0);
  assert_int_equal(sw_udp_rebind(&udp), 0);
  assert_int_not_equal(udp.port, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(run_is_sent_and_received),
      TEST(wait_in_the_socket_is_known),
      TEST(clock_that_is_set_makes_no_wait),
      TEST(runs_are_sent_completely_in_any_number_of_calls),
      TEST(full_socket_leaves_the_rest_for_later),
      TEST(run_that_cannot_be_segmented_is_sent_as_single_datagrams),
      TEST(refusal_is_about_the_next_bytes_of_the_first_unsent_run),
      TEST(report_about_an_earlier_datagram_does_not_fail_the_next),
      TEST(without_reports_none_fails_a_send),
      TEST(pending_reports_are_discarded_when_reports_are_turned_off),
      TEST(datagrams_leave_from_the_address_asked_for),
      TEST(datagrams_leave_though_the_address_asked_for_is_gone),
      TEST(broadcast_address_is_no_source),
      TEST(each_datagram_has_the_tos_of_its_run),
      TEST(ipv4_socket_sends_the_same_way),
      TEST(host_without_ipv6_sends_nothing_to_an_ipv6_peer),
      TEST(port_that_the_kernel_chose_meanwhile_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
