/*
 * The pump, with a TUN device and a socket that are replaced by the tests: full sockets, refused
 * sends, ICMP errors, large batches with workers, super-packets of small segments, the MSS, ECN.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "base/clock.h"
#include "engine/pump_parts.h"
#include "packet/checksum.h"
#include "packet/ecn.h"
#include "protocol/link_state.h"

static unsigned offered;       /* packets that wait on the TUN device */
static unsigned indescribable; /* others, before them */
static unsigned reads, sends;
static unsigned refused_until;          /* before this call of send the kernel refuses ... */
static int refused_with = EHOSTUNREACH; /* ... with this errno */
static bool flooded;                    /* while reports are on, each send fails with one */
static unsigned full_from, full_until;  /* range of calls of send in which the socket is full */
static size_t waiting, buffer;          /* bytes in the socket, and how many there may be */
static size_t sent_bytes, sent_datagrams;
static uint8_t sent_tos; /* of all of them, ORed */
static unsigned observations;

static uint64_t virtual_now; /* nanoseconds; 0: time is real */
static uint64_t send_time;   /* nanoseconds that 1000 bytes take then, to seal and to send */
static uint64_t preempted;   /* nanoseconds that the next ones take more */

static const struct sw_prefix everywhere[] = {{.ip = {[10] = 0xff, [11] = 0xff}, .length = 96}};

static struct sw_link *echo; /* the other side, which returns every packet */
static struct sw_run returning;
static bool copies_dscp;
static bool returning_often;      /* as many times as is asked for */
static uint64_t returning_waited; /* nanoseconds in the socket */
static uint8_t returning_tos;     /* of what the other side returns: as if a router had marked it */
static uint8_t returning_bytes[SW_UDP_BUFFER];

uint64_t sw_clock_now(void) {
  if (virtual_now) return virtual_now;
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (uint64_t)now.tv_sec * SW_SECOND + (uint64_t)now.tv_nsec;
}

/* ---- a SYN in both directions ---- */

#define MTU 1376
#define SYN_LENGTH (SW_IP4_HEADER + SW_TCP_HEADER + 4)

static bool syn_offered, syn_partial;
static unsigned syns_sent, syns_written;

/* A SYN that announces an MSS of 1460. */
static void syn(uint8_t packet[SYN_LENGTH]) {
  static const uint8_t bytes[SYN_LENGTH] = {
      [0] = 0x45, [3] = SYN_LENGTH, [8] = 64,         [9] = SW_PROTOCOL_TCP, [12] = 10,
      [15] = 1,   [16] = 10,        [19] = 2,         [32] = 0x60,           [33] = SW_TCP_SYN,
      [40] = 2,   [41] = 4,         [42] = 1460 >> 8, [43] = 1460 & 0xff,
  };
  memcpy(packet, bytes, sizeof(bytes));
  sw_checksum_ip4(packet);
  sw_put16(packet + 36, sw_checksum_pseudo(packet, SW_PROTOCOL_TCP, SYN_LENGTH - SW_IP4_HEADER));
  if (!syn_partial) sw_checksum_complete(packet, SYN_LENGTH, SW_IP4_HEADER, SW_TCP_CHECKSUM);
}

static void assert_syn_of_mss(uint8_t *packet, size_t length, bool partial, unsigned mss) {
  assert_int_equal(length, SYN_LENGTH);
  assert_int_equal(sw_get16(packet + 42), mss);
  if (partial) sw_checksum_complete(packet, length, SW_IP4_HEADER, SW_TCP_CHECKSUM);
  assert_true(sw_checksum_verify(packet, length, SW_IP4_HEADER, SW_PROTOCOL_TCP));
}

static void syn_send(const struct sw_run *run) {
  assert_int_equal(run->tos, SW_ECN_NOT_ECT);
  uint8_t packet[SW_HEADROOM + SYN_LENGTH + SW_SLACK], sealed[sizeof(packet) + SW_OVERHEAD];
  uint8_t *const bytes = packet + SW_HEADROOM;
  size_t length;
  /* the length of a control datagram is random */
  if (run->length != SW_OVERHEAD + SYN_LENGTH) return;
  const enum sw_received received =
      sw_link_receive(echo, sw_clock_now(), &run->path, run->bytes, run->length, bytes, &length);
  if (received == SW_RECEIVED_CONTROL) return;
  assert_int_equal(received, SW_RECEIVED_PACKET); /* completes a partial checksum */
  assert_syn_of_mss(bytes, length, false, MTU - 40);
  syns_sent++;
  syn(bytes);
  const int64_t made =
      sw_link_seal(echo, sw_clock_now(), bytes, SYN_LENGTH, syn_partial, sealed + SW_HEADROOM);
  assert_int_equal(made, SW_OVERHEAD + SYN_LENGTH);
  memcpy(returning_bytes + SW_HEADROOM, sealed + SW_HEADROOM, (size_t)made);
  returning.length = returning.segment = (size_t)made;
  returning.path.peer = run->path.peer;
}

/* ---- large batches: a stream of TCP super-packets in both directions ---- */

#define DSCP 0xb8
#define SUPER_SEGMENT 1400
#define SUPER_LENGTH (SW_IP4_HEADER + SW_TCP_HEADER + 44 * SUPER_SEGMENT + 500)

static unsigned supers_offered, supers_made, supers_back, segments_back;

static void super_packet(unsigned number, uint8_t *packet) {
  for (size_t i = 0; i < SUPER_LENGTH; i++) packet[i] = (uint8_t)(i * 31 + i / 256 + number);
  memset(packet, 0, SW_IP4_HEADER + SW_TCP_HEADER);
  packet[0] = 0x45;
  packet[1] = DSCP | SW_ECN_ECT_0;
  packet[6] = 0x40;
  packet[8] = 64;
  packet[9] = SW_PROTOCOL_TCP;
  memcpy(packet + 12, (uint8_t[]){10, 1, 0, 1, 10, 2, 0, 1}, 8);
  sw_put16(packet + 2, SUPER_LENGTH);
  sw_put32(packet + 24, number * 100000);
  packet[32] = 0x50;
  packet[33] = SW_TCP_ACK | SW_TCP_PSH;
  sw_checksum_ip4(packet);
  sw_put16(packet + 36, sw_checksum_pseudo(packet, SW_PROTOCOL_TCP, SUPER_LENGTH - SW_IP4_HEADER));
}

static ssize_t super_read(uint8_t *packet, struct sw_offload *offload) {
  supers_offered--;
  super_packet(supers_made++, packet);
  *offload = (struct sw_offload){.gso = SW_GSO_TCP4,
                                 .partial = true,
                                 .header = SW_IP4_HEADER + SW_TCP_HEADER,
                                 .size = SUPER_SEGMENT,
                                 .csum_start = SW_IP4_HEADER,
                                 .csum_offset = SW_TCP_CHECKSUM};
  return SUPER_LENGTH;
}

/* Opens the datagrams one by one, and seals each packet for the return. */
static void super_send(const struct sw_run *run) {
  assert_int_equal(returning.length, 0);
  assert_int_equal(run->tos, copies_dscp ? DSCP | SW_ECN_ECT_0 : SW_ECN_ECT_0);
  for (size_t at = 0; at < run->length; at += run->segment) {
    uint8_t packet[1500];
    const size_t left = run->length - at;
    size_t length;
    assert_int_equal(sw_link_receive(echo, sw_clock_now(), &run->path, run->bytes + at,
                                     left < run->segment ? left : run->segment, packet, &length),
                     SW_RECEIVED_PACKET);
    const int64_t sealed = sw_link_send(echo, sw_clock_now(), packet, length,
                                        returning_bytes + SW_HEADROOM + returning.length);
    assert_true(sealed > 0);
    returning.length += (size_t)sealed;
    segments_back++;
  }
  returning.segment = run->segment;
  returning.path.peer = run->path.peer;
}

static void super_write(const uint8_t *packet, size_t length, const struct sw_offload *offload) {
  static uint8_t expected[SUPER_LENGTH];
  super_packet(supers_back++, expected);
  expected[1] = DSCP | returning_tos;
  sw_checksum_ip4(expected);
  assert_int_equal(length, SUPER_LENGTH);
  assert_int_equal(offload->gso, SW_GSO_TCP4);
  assert_int_equal(offload->size, SUPER_SEGMENT);
  assert_memory_equal(packet, expected, SUPER_LENGTH);
}

/* ---- super-packets of small segments ---- */

static unsigned small_segments; /* of the super-packet that waits on the TUN device; 0: none */
static uint16_t small_size;     /* of their payload */

static ssize_t small_read(uint8_t *packet, struct sw_offload *offload) {
  const size_t header = SW_IP4_HEADER + SW_TCP_HEADER;
  const size_t length = header + (size_t)small_segments * small_size;
  super_packet(0, packet);
  sw_put16(packet + 2, (uint16_t)length);
  *offload = (struct sw_offload){.gso = SW_GSO_TCP4,
                                 .partial = true,
                                 .header = (uint16_t)header,
                                 .size = small_size,
                                 .csum_start = SW_IP4_HEADER,
                                 .csum_offset = SW_TCP_CHECKSUM};
  small_segments = 0;
  return (ssize_t)length;
}

ssize_t sw_tun_read(const struct sw_tun *tun, uint8_t *packet, size_t size,
                    struct sw_offload *offload) {
  (void)tun;
  assert_true(size >= 65535);
  if (supers_offered > 0 && returning.length == 0) return super_read(packet, offload);
  if (small_segments > 0) return small_read(packet, offload);
  *offload = (struct sw_offload){0};
  if (syn_offered) {
    syn_offered = false;
    syn(packet);
    if (syn_partial)
      *offload = (struct sw_offload){
          .partial = true, .csum_start = SW_IP4_HEADER, .csum_offset = SW_TCP_CHECKSUM};
    return SYN_LENGTH;
  }
  if (indescribable > 0) return indescribable--, -EINVAL;
  if (offered == 0) return -EAGAIN;
  offered--;
  reads++;
  const size_t length = 1000 + reads % 3; /* different lengths keep runs short */
  memset(packet, 0, length);
  packet[0] = 0x45;
  sw_put16(packet + 2, (uint16_t)length);
  return (ssize_t)length;
}

int sw_tun_write(const struct sw_tun *tun, uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  (void)tun;
  if (supers_made == 0) {
    assert_syn_of_mss(packet, length, offload->partial, MTU - 40);
    syns_written++;
  } else {
    super_write(packet, length, offload);
  }
  return 0;
}

/* Refuses a run as the kernel does: the whole run, or its first datagram where runs are not sent
 * whole. */
int sw_udp_send(struct sw_udp *socket, struct sw_run *runs, unsigned count, size_t *refused) {
  assert_true(count > 0);
  for (; count > 0 && runs->sent == runs->length; runs++) count--;
  if (count == 0) return 0;
  sends++;
  if (sends >= full_from && sends < full_until) return -EAGAIN;
  if (sends < refused_until || (flooded && socket->reports)) {
    const size_t left = runs->length - runs->sent;
    *refused = socket->gso || left < runs->segment ? left : runs->segment;
    return -refused_with;
  }
  for (unsigned i = 0; i < count; i++) {
    const size_t left = runs[i].length - runs[i].sent;
    sent_bytes += left;
    if (virtual_now) virtual_now += left * send_time / 1000 + preempted;
    preempted = 0;
    sent_tos |= runs[i].tos;
    sent_datagrams += (left + runs[i].segment - 1) / runs[i].segment;
    if (echo && runs[i].length > SW_CONTROL_MAX) super_send(&runs[i]);
    if (echo && runs[i].length <= SW_CONTROL_MAX) syn_send(&runs[i]);
    runs[i].sent = runs[i].length;
  }
  return 0;
}

size_t sw_udp_waiting(const struct sw_udp *socket) {
  (void)socket;
  return waiting;
}

void sw_udp_buffer_set(const struct sw_udp *socket, size_t bytes) {
  (void)socket;
  buffer = bytes;
}

int sw_udp_receive(const struct sw_udp *udp, struct sw_run *runs, unsigned count,
                   uint32_t *overflows) {
  (void)udp, (void)overflows;
  if (returning.length == 0) return -EAGAIN;
  if (!returning_often) count = 1;
  for (unsigned i = 0; i < count; i++) {
    memcpy(runs[i].bytes, returning_bytes + SW_HEADROOM, returning.length);
    runs[i].length = returning.length;
    runs[i].segment = returning.segment;
    runs[i].path.peer = returning.path.peer;
    runs[i].tos = returning_tos;
    runs[i].waited = returning_waited;
  }
  returning.length = 0;
  return (int)count;
}

int sw_udp_report(const struct sw_udp *socket, struct sw_address *about, int *code) {
  (void)socket, (void)about, (void)code;
  return -EAGAIN;
}

void sw_udp_reports_set(struct sw_udp *socket, bool on) {
  socket->reports = on;
}

static void observe(void *user) {
  (void)user;
  observations++;
}

static void failed(void *user, const char *what) {
  (void)user;
  fail_msg("the pump failed: %s", what);
}

/* Makes a link that is up, so that packets are sealed, and its other side. */
static struct sw_link *link_up(struct sw_link **other) {
  struct sw_psk psk;
  sw_psk_generate(&psk);
  const struct sw_link_options options = {
      .psks = &psk, .psk_count = 1, .mtu = MTU, .sources = everywhere, .source_count = 1};
  struct sw_link *link = sw_link_new(&options);
  *other = sw_link_new(&options);
  const struct sw_address address = {.ip = {[15] = 1}, .port = 1};
  uint64_t now = sw_clock_now();
  uint8_t datagram[SW_CONTROL_MAX], packet[SW_CONTROL_MAX];
  const struct sw_path path = {.peer = address};
  struct sw_path to;
  size_t length;
  bool whole;
  sw_link_endpoints_set(link, now, &address, 1);
  for (unsigned i = 0; i < 64; i++) { /* in turns, as a reply has to leave before the next comes */
    struct sw_link *const from = i % 2 ? *other : link, *const into = i % 2 ? link : *other;
    length = sw_link_transmit(from, now, datagram, &to, &whole);
    if (length) sw_link_receive(into, now, &path, datagram, length, packet, &length);
  }
  assert_int_equal(sw_link_status(link)->state, SW_LINK_UP);
  return link;
}

static uv_loop_t loop;
static struct sw_tun tun;
static struct sw_udp udp;
static struct sw_pump pump;
static struct sw_link *other;

static bool socket_is_full;
static int full_pair[2];

/* Returns a socket that is neither readable nor writable. */
static int full_socket(void) {
  static const uint8_t bytes[4096];
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, full_pair), 0);
  while (write(full_pair[0], bytes, sizeof(bytes)) > 0) continue;
  return full_pair[0];
}

static void start(struct sw_workers *workers) {
  /* the device is always readable, and the socket writable unless it is full */
  tun = (struct sw_tun){.fd = eventfd(1, EFD_NONBLOCK), .offload = true};
  udp = (struct sw_udp){.fd = socket_is_full ? full_socket() : eventfd(0, EFD_NONBLOCK),
                        .reports = true};
  pump = (struct sw_pump){.loop = &loop,
                          .link = link_up(&other),
                          .tun = &tun,
                          .udp = &udp,
                          .workers = workers,
                          .mtu = MTU,
                          .dscp = copies_dscp,
                          .observe = observe,
                          .failed = failed};
  reads = sends = observations = 0;
  sent_bytes = sent_datagrams = 0;
  sent_tos = 0;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(sw_pump_start(&pump), 0);
}

static void stop(void) {
  sw_pump_stop(&pump);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
  sw_pump_free(&pump);
  sw_link_free(pump.link);
  sw_link_free(other);
  close(tun.fd);
  close(udp.fd);
}

/* Offers packets while the socket is full for some calls.  Asserts that all are sent. */
static void assert_all_leave(unsigned packets, unsigned from, unsigned until) {
  virtual_now = SW_SECOND;
  send_time = 0;
  offered = packets;
  full_from = from;
  full_until = until;
  start(NULL);
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(reads, packets);
  assert_int_equal(sent_datagrams, packets);
  assert_true(uv_is_active((uv_handle_t *)&pump.tun_poll)); /* the next packet will be read */
  assert_true(observations <= until - from + 2);            /* the loop does not spin */
  stop();
}

static int real_time(void **state) {
  (void)state;
  virtual_now = 0;
  return 0;
}

static void packets_leave_in_batches(void **state) {
  (void)state;
  assert_all_leave(1000, 0, 0);
  assert_true(sends < 1000 / 20);
}

static void all_packets_leave_after_a_full_socket_whenever_that_happens(void **state) {
  (void)state;
  static const unsigned counts[] = {1, 3, 26, 31, 32, 33, 64, 65, 200};
  for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
    for (unsigned from = 1; from < 12; from++)
      for (unsigned length = 1; length < 6; length++)
        assert_all_leave(counts[c], from, from + length);
}

/* Workers seal the super-packets, and the other side opens the datagrams one by one.  It seals the
 * packets one by one for the return.  Workers open those, and they are coalesced to the same
 * super-packets, with the mark of the datagrams. */
static void large_batches_pass_both_ways_with_any_number_of_workers(void **state) {
  (void)state;
  for (unsigned count = 0; count <= 3; count++) {
    struct sw_workers workers;
    assert_int_equal(sw_workers_start(&workers, count), 0);
    workers.engaged = true; /* for the whole test */
    workers.next = UINT64_MAX;
    full_from = full_until = offered = 0;
    supers_made = supers_back = segments_back = 0;
    supers_offered = 300;
    returning_tos = SW_ECN_ECT_1;
    copies_dscp = count % 2;
    start(&workers);
    echo = other;
    eventfd_read(udp.fd, &(eventfd_t){0});
    eventfd_write(udp.fd, 1); /* readable too */
    for (unsigned i = 0; i < 1000; i++) uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(supers_back, 300);
    assert_int_equal(segments_back, 300 * 45);
    assert_int_equal(sw_link_status(pump.link)->packets_out, 300 * 45);
    assert_int_equal(sw_link_status(pump.link)->packets_in, 300 * 45);
    for (unsigned i = 0; i < SW_DROP_COUNT; i++)
      assert_int_equal(sw_link_status(pump.link)->drops[i], 0);
    echo = NULL;
    stop();
    sw_workers_stop(&workers);
  }
}

/* Datagrams have waited in the socket for an interval, and one call asks for so many runs; 0: they
 * have not. */
static unsigned busy;
static bool strangers; /* have sent something, too */

/* Offers a SYN, which the other side returns. */
static void start_with_syn(bool offload) {
  full_from = full_until = offered = supers_offered = supers_made = 0;
  syns_sent = syns_written = 0;
  syn_offered = true;
  start(NULL);
  if (busy) {
    pump.receive_count = busy;
    pump.arrivals.first_above = 1;
    pump.strangers = strangers;
  }
  tun.offload = offload;
  echo = other;
  eventfd_read(udp.fd, &(eventfd_t){0});
  eventfd_write(udp.fd, 1); /* readable too */
  for (unsigned i = 0; i < 100; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(syns_sent, 1);
}

static void mss_is_lowered_both_ways_with_offloads_and_without(void **state) {
  (void)state;
  returning_tos = SW_ECN_NOT_ECT;
  for (unsigned how = 0; how < 4; how++) {
    syn_partial = how & 1;
    start_with_syn(how & 2);
    assert_int_equal(syns_written, 1);
    echo = NULL;
    stop();
  }
}

/* A SYN is one: marks are not used before both ends have agreed to. */
static void packet_without_ecn_in_a_marked_datagram_is_dropped(void **state) {
  (void)state;
  returning_tos = SW_ECN_CE;
  for (unsigned offload = 0; offload < 2; offload++) {
    start_with_syn(offload);
    assert_int_equal(syns_written, 0);
    assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_ECN], 1);
    echo = NULL;
    stop();
  }
}

static void packets_that_wait_in_the_socket_for_too_long_are_dropped(void **state) {
  (void)state;
  static const struct {
    uint64_t waited;
    unsigned asked;
    bool strangers, dropped;
  } cases[] = {
      {2000000, 1, false, true},
      {1999999, 1, false, false},
      {2000000, 2, false, false}, /* and no other is in the socket */
      {2000000, 1, true, false},
  };
  returning_tos = SW_ECN_NOT_ECT;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    returning_waited = cases[i].waited;
    busy = cases[i].asked;
    strangers = cases[i].strangers;
    start_with_syn(true);
    assert_int_equal(syns_written, !cases[i].dropped);
    assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_QUEUE], cases[i].dropped);
    assert_false(pump.excess);
    echo = NULL;
    stop();
  }
  busy = 0;
  returning_waited = 0;
}

static void datagrams_of_strangers_are_noticed(void **state) {
  (void)state;
  start_with_syn(true);
  assert_false(pump.strangers);
  memset(returning_bytes + SW_HEADROOM, 1, SYN_LENGTH);
  returning.length = returning.segment = SYN_LENGTH;
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_true(pump.strangers);
  echo = NULL;
  stop();
}

static void short_runs_are_asked_for_in_larger_numbers(void **state) {
  (void)state;
  static const struct {
    size_t length;
    unsigned asked;
  } cases[] = {{100, 8}, {4095, 16}, {4095, 32}, {100, 32}, {4096, 4}, {4096, 4}, {4095, 8}};
  returning_tos = SW_ECN_NOT_ECT;
  start_with_syn(true);
  returning_often = true;
  assert_int_equal(pump.receive_count, 4);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    returning.length = cases[i].length;
    returning.segment = 100;
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(returning.length, 0);
    assert_int_equal(pump.receive_count, cases[i].asked);
  }
  returning_often = false;
  echo = NULL;
  stop();
}

static void links_own_datagram_waits_for_a_full_socket(void **state) {
  (void)state;
  for (unsigned length = 0; length < 5; length++) {
    offered = 0;
    full_from = 1;
    full_until = 1 + length;
    start(NULL);
    uint8_t probe[SW_PROBE_MAX + SW_OVERHEAD];
    size_t opened;
    const struct sw_path path = {.peer = {.ip = {[15] = 1}, .port = 1}};
    const int64_t sealed = sw_session_seal(other->sessions.current, sw_clock_now(), SW_KIND_PROBE,
                                           (const uint8_t *)"a token!", SW_PROBE_BYTES, probe);
    assert_true(sealed > 0);
    assert_int_equal(
        sw_link_receive(pump.link, sw_clock_now(), &path, probe, (size_t)sealed, probe, &opened),
        SW_RECEIVED_CONTROL);
    offered = 10;
    sw_pump_flush(&pump);
    assert_int_equal(sent_datagrams, length == 0); /* the answer to the probe */
    assert_int_equal(reads, 0);
    for (unsigned i = 0; i < 50; i++) uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(sent_datagrams, 11);
    assert_int_equal(reads, 10);
    assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_SEND], 0);
    assert_true(observations <= length + 2);
    assert_int_equal(sent_tos, 0);
    stop();
  }
}

static void only_refused_datagrams_are_lost(void **state) {
  (void)state;
  for (unsigned gso = 0; gso < 2; gso++) {
    full_from = full_until = 0;
    offered = 3;       /* a run of one datagram, and a run of two */
    refused_until = 4; /* two sends, and the first one again without reports */
    start(NULL);
    udp.gso = gso;
    for (unsigned i = 0; i < 50; i++) uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(reads, 3);
    assert_int_equal(sent_datagrams, gso ? 0 : 1); /* a run is refused as a whole */
    assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_SEND], gso ? 3 : 2);
    refused_until = 0;
    stop();
  }
}

static void keys_expire_while_the_socket_is_full(void **state) {
  (void)state;
  full_from = 1;
  full_until = UINT32_MAX;
  offered = 1;
  socket_is_full = true;
  start(NULL);
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(reads, 1);
  struct sw_session *session = pump.link->sessions.current;
  session->created -= SW_REJECT_AFTER;
  const uint64_t end = sw_clock_now() + 60 * SW_SECOND;
  while (pump.link->sessions.current && sw_clock_now() < end) uv_run(&loop, UV_RUN_ONCE);
  assert_null(pump.link->sessions.current);
  assert_true(sodium_is_zero((const uint8_t *)session, sizeof(*session)));
  assert_int_equal(sent_datagrams, 0);
  socket_is_full = false;
  stop();
  close(full_pair[1]);
}

/* Nothing is copied as long as the line is not known to be slow. */
static void packets_wait_in_the_device_until_the_line_is_known_to_be_slow(void **state) {
  (void)state;
  full_from = 1;
  full_until = UINT32_MAX;
  offered = 500;
  waiting = 100000;
  socket_is_full = true;
  start(NULL);
  for (unsigned i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_true(pump.full);
  assert_in_range(reads, 20, 40); /* an outbox */
  assert_int_equal(pump.queue.bytes, 0);
  assert_false(uv_is_active((uv_handle_t *)&pump.tun_poll));
  /* it has drained fast */
  waiting = 0;
  full_until = 0;
  char drained[4096];
  while (recv(full_pair[1], drained, sizeof(drained), MSG_DONTWAIT) > 0) continue;
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 500);
  assert_true(uv_is_active((uv_handle_t *)&pump.tun_poll));
  socket_is_full = false;
  stop();
  close(full_pair[1]);
}

/* Then the device is read while the socket is full: packets wait where flows are told apart. */
static void packets_wait_in_the_queue_while_the_socket_is_full(void **state) {
  (void)state;
  full_from = 1;
  full_until = UINT32_MAX;
  offered = 500;
  waiting = 100000;
  start(NULL);
  for (unsigned i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(reads, 500);
  assert_int_equal(sent_datagrams, 0);
  assert_in_range(pump.queue.bytes, 450 * 1000, 500 * 1002);
  assert_true(pump.outbox.used < 40 * 1000); /* sealed when the socket was not known to be full */
  assert_true(buffer < 10000);               /* nothing has drained */
  full_until = 0;
  for (unsigned i = 0; i < 50; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 500);
  assert_true(sends > 400); /* one by one on such a line */
  /* much more is sent than it would allow, so it has another limit, or none */
  offered = 2000;
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 2500);
  assert_int_equal(pump.drain.rate, 0);
  assert_int_equal(buffer, SW_UDP_BUFFER_SENT);
  const unsigned before = sends;
  offered = 1000;
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 3500);
  assert_true(sends - before < 1000 / 20);
  stop();
}

static void packets_that_the_queue_drops_are_counted(void **state) {
  (void)state;
  full_from = 1;
  full_until = UINT32_MAX;
  offered = 0;
  supers_made = 0;
  supers_offered = 100;
  copies_dscp = false;
  start(NULL);
  for (unsigned i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(supers_offered, 0);
  full_until = 0;
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  const uint64_t drops = sw_link_status(pump.link)->drops[SW_DROP_QUEUE];
  assert_true(drops > 1000);
  assert_int_equal(sw_link_status(pump.link)->packets_out + drops, 100 * 45);
  supers_made = 0;
  stop();
}

/* What is sent is held to the rate, although the socket would take it at once. */
static void packets_wait_for_the_shaper(void **state) {
  (void)state;
  full_from = full_until = 0;
  offered = 200;
  start(NULL);
  sw_shaper_set(&pump.shaper, &(struct sw_shaping){.bandwidth = 20000000, .overhead = 22});
  const uint64_t begin = sw_clock_now();
  const struct sw_link_status *status = sw_link_status(pump.link);
  const uint64_t *drops = &status->drops[SW_DROP_QUEUE];
  bool waited = false;
  while (offered > 0 || pump.queue.bytes > 0) {
    uv_run(&loop, UV_RUN_NOWAIT);
    if (pump.shaper.next <= sw_clock_now()) continue;
    waited |= !pump.blocked && pump.deadline == pump.shaper.next && pump.queue.bytes > 0;
  }
  assert_true(waited);
  assert_int_equal(status->packets_out + *drops, 200);
  /* 48: headers of IPv6 and UDP; all but the first 2 ms and the last run of 1 ms took their time */
  const uint64_t wire = sent_bytes + sent_datagrams * (48 + 22);
  assert_true(sw_clock_now() - begin >= wire * 8 * SW_SECOND / 20000000 - 4 * SW_SECOND / 1000);
  /* the rate changes, and goes */
  offered = 100;
  sw_shaper_set(&pump.shaper, &(struct sw_shaping){.bandwidth = 0});
  for (unsigned i = 0; i < 100; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(status->packets_out + *drops, 300);
  stop();
}

/* On a fast line a turn is long enough for super-packets, but several flows share what is sent at once. */
static void turns_of_flows_are_longer_on_faster_lines(void **state) {
  (void)state;
  const struct {
    uint64_t bandwidth;
    uint32_t quantum;
  } cases[] = {{20000000, SW_QUEUE_QUANTUM},
               {96896000, SW_QUEUE_QUANTUM},
               {96960000, SW_QUEUE_QUANTUM + 1},
               {1000000000, 15625},
               {10000000000, SW_GSO_PACKET_MAX}};
  full_from = full_until = 0;
  for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    offered = 10;
    start(NULL);
    sw_shaper_set(&pump.shaper, &(struct sw_shaping){.bandwidth = cases[i].bandwidth});
    while (offered > 0 || pump.queue.bytes > 0) uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(pump.queue.quantum, cases[i].quantum);
    stop();
  }
}

/* Reads 20 MB, and returns the most bytes that were in the queue.  In between the processor does something
 * else: while it sends, for `preemption`, and between two wake-ups. */
static uint64_t most_queued(uint64_t time, uint64_t preemption) {
  full_from = full_until = 0;
  virtual_now = SW_SECOND;
  send_time = time;
  offered = 20000;
  start(NULL);
  uint64_t most = 0;
  for (unsigned i = 0; i < 5000; i++) {
    if (i == 4) virtual_now += 3 * SW_SECOND;
    if (i == 8) preempted = preemption;
    const size_t before = sent_bytes;
    const bool queued = pump.queue.bytes > 0;
    uv_run(&loop, UV_RUN_NOWAIT);
    if (pump.queue.bytes > most) most = pump.queue.bytes;
    const struct sw_queue_status now = sw_pump_queue_status(&pump);
    if (queued && sw_backlog_limits(&pump.backlog)) {
      assert_int_equal(now.time, now.bytes * SW_SECOND / pump.backlog.rate);
      assert_in_range(pump.queue.quantum, SW_QUEUE_QUANTUM, pump.backlog.rate / 1000 / 2 + 1514);
    }
    /* a millisecond for the device, one for the socket, and what the outbox holds beyond that */
    if (queued && !preemption)
      assert_true(sent_bytes - before < 4 * (SW_SECOND / 1000 / time) * 1100);
    if (queued) assert_true(sent_bytes > before);
  }
  assert_int_equal(reads, 20000);
  assert_int_equal(pump.queue.bytes, 0);
  const struct sw_link_status *status = sw_link_status(pump.link);
  assert_int_equal(status->packets_out + status->drops[SW_DROP_QUEUE], 20000);
  assert_false(sw_backlog_limits(&pump.backlog));
  stop();
  return most;
}

/* Where the processor is fast they wait in the device, and are never copied. */
static void packets_wait_in_the_queue_where_the_processor_is_slow(void **state) {
  (void)state;
  assert_true(most_queued(100000, 0) > 100000); /* 10 MB/s */
  assert_true(most_queued(12500, 0) > 100000);  /* 80 MB/s */
  assert_int_equal(most_queued(1000, 0), 0);    /* 1 GB/s */
}

/* It is taken for a slow one, for the next 10 ms of work. */
static void packets_leave_although_the_processor_was_away(void **state) {
  (void)state;
  assert_true(most_queued(1000, SW_SECOND) > 0);
  assert_true(most_queued(1000, 30 * SW_SECOND) > 0);
  assert_true(most_queued(12500, 30 * SW_SECOND) > 0);
}

/* A socket that is full, a session that is over, and a limit do not look like a slow processor. */
static void only_the_processor_makes_a_backlog(void **state) {
  (void)state;
  for (unsigned how = 0; how < 3; how++) {
    full_from = full_until = 0;
    virtual_now = SW_SECOND;
    send_time = 100000;
    offered = 1000;
    start(NULL);
    for (unsigned i = 0; i < 3; i++) uv_run(&loop, UV_RUN_NOWAIT);
    assert_true(sw_backlog_limits(&pump.backlog));
    if (how == 0) full_from = 1, full_until = UINT32_MAX;
    if (how == 1) pump.wait_end = virtual_now + SW_SECOND;
    if (how == 2) sw_shaper_set(&pump.shaper, &(struct sw_shaping){.bandwidth = 20000000});
    sw_pump_read(&pump);
    assert_false(sw_backlog_limits(&pump.backlog));
    full_from = full_until = 0;
    stop();
  }
}

static void end_session(void) {
  sw_sessions_wipe(&pump.link->sessions, pump.link->sessions.current);
  sw_pump_flush(&pump);
}

static void packets_wait_for_a_session(void **state) {
  (void)state;
  full_from = full_until = 0;
  offered = 3;
  start(NULL);
  end_session();
  const uint64_t end = pump.wait_end;
  assert_in_range(end - sw_clock_now(), 4 * SW_SECOND, 5 * SW_SECOND);
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(reads, 0);
  assert_int_equal(pump.wait_end, end);
  struct sw_link *const down = pump.link;
  sw_link_free(other);
  pump.link = link_up(&other);
  sw_pump_flush(&pump);
  const size_t before = sent_datagrams;
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(reads, 3);
  assert_int_equal(sent_datagrams, before + 3);
  sw_link_free(down);
  stop();
}

static void packets_in_the_queue_wait_for_a_session_too(void **state) {
  (void)state;
  full_from = 1;
  full_until = UINT32_MAX;
  offered = 500;
  start(NULL);
  for (unsigned i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  end_session();
  full_until = 0;
  for (unsigned i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  const size_t before = sent_datagrams;
  assert_true(before < 50); /* what was sealed */
  assert_false(pump.blocked);
  assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_NO_SESSION], 0);
  struct sw_link *const down = pump.link;
  sw_link_free(other);
  pump.link = link_up(&other);
  pump.wait_end = 0;
  sw_pump_flush(&pump);
  for (unsigned i = 0; i < 50; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_in_range(sent_datagrams, 500, 510); /* with an init */
  sw_link_free(down);
  stop();
}

static void packets_wait_for_a_session_for_a_limited_time(void **state) {
  (void)state;
  full_from = full_until = 0;
  offered = 3;
  start(NULL);
  end_session();
  assert_true(pump.wipe);
  sw_pump_flush(&pump);
  assert_int_equal(pump.deadline, 0); /* no other event puts off that the stack is wiped */
  while (pump.wipe) uv_run(&loop, UV_RUN_ONCE);
  pump.wait_end = sw_clock_now() + SW_SECOND / 50;
  sw_pump_flush(&pump);
  assert_int_equal(pump.deadline, pump.wait_end);
  const uint64_t end = sw_clock_now() + 60 * SW_SECOND;
  while (reads < 3 && sw_clock_now() < end) uv_run(&loop, UV_RUN_ONCE);
  assert_int_equal(reads, 3);
  assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_NO_SESSION], 3);
  stop();
}

static void init_waits_for_a_full_socket(void **state) {
  (void)state;
  full_from = 1;
  full_until = 3;
  offered = 0;
  start(NULL);
  end_session();
  assert_true(pump.blocked);
  assert_int_equal(sent_datagrams, 0);
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_false(pump.blocked);
  assert_int_equal(sent_datagrams, 1);
  stop();
}

static void super_packets_of_small_segments_are_sent(void **state) {
  (void)state;
  static const struct {
    uint16_t size;
    unsigned segments;
    bool sent;
  } packets[] = {
      {1, 64, true}, {20, 64, true}, {47, 128, true}, {48, 1364, true}, {1, 2100, false}};
  full_from = full_until = offered = 0;
  for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
    small_size = packets[i].size;
    small_segments = packets[i].segments;
    start(NULL);
    for (unsigned turn = 0; turn < 20; turn++) uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(small_segments, 0);
    assert_int_equal(sent_datagrams, packets[i].sent ? packets[i].segments : 0);
    assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_OFFLOAD], !packets[i].sent);
    stop();
  }
}

static void packets_that_the_kernel_cannot_describe_are_dropped(void **state) {
  (void)state;
  full_from = full_until = 0;
  indescribable = 100;
  offered = 3;
  start(NULL);
  for (unsigned turn = 0; turn < 20; turn++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(indescribable, 0);
  assert_int_equal(sent_datagrams, 3);
  assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_OFFLOAD], 100);
  stop();
}

/* While reports are on, every send fails with one. */
static void flood_of_reports_costs_no_datagram(void **state) {
  (void)state;
  full_from = full_until = 0;
  flooded = true;
  offered = 200;
  start(NULL);
  for (unsigned i = 0; i < 200; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 200);
  assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_SEND], 0);
  assert_false(udp.reports);
  pump.reports_time -= 10 * SW_SECOND;
  flooded = false;
  offered = 1;
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 201);
  assert_true(udp.reports);
  stop();
}

static void reports_are_asked_for_as_soon_as_there_is_no_session(void **state) {
  (void)state;
  full_from = full_until = 0;
  flooded = true;
  offered = 1;
  start(NULL);
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_false(udp.reports);
  sw_link_close(pump.link, sw_clock_now());
  flooded = false;
  sw_pump_flush(&pump);
  assert_true(udp.reports);
  stop();
}

static void refusal_by_the_kernel_itself_leaves_reports_on(void **state) {
  (void)state;
  full_from = full_until = 0;
  offered = 1;
  refused_until = 3;
  start(NULL);
  for (unsigned i = 0; i < 10; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(sent_datagrams, 0);
  assert_int_equal(sw_link_status(pump.link)->drops[SW_DROP_SEND], 1);
  assert_true(udp.reports);
  refused_until = 0;
  stop();
}

int main(void) {
  if (sodium_init() < 0) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(packets_leave_in_batches, real_time),
      cmocka_unit_test(short_runs_are_asked_for_in_larger_numbers),
      cmocka_unit_test(links_own_datagram_waits_for_a_full_socket),
      cmocka_unit_test(only_refused_datagrams_are_lost),
      cmocka_unit_test(keys_expire_while_the_socket_is_full),
      cmocka_unit_test(packets_wait_in_the_device_until_the_line_is_known_to_be_slow),
      cmocka_unit_test(packets_wait_in_the_queue_while_the_socket_is_full),
      cmocka_unit_test(packets_that_the_queue_drops_are_counted),
      cmocka_unit_test(packets_wait_for_the_shaper),
      cmocka_unit_test(turns_of_flows_are_longer_on_faster_lines),
      cmocka_unit_test_teardown(packets_wait_in_the_queue_where_the_processor_is_slow, real_time),
      cmocka_unit_test_teardown(packets_leave_although_the_processor_was_away, real_time),
      cmocka_unit_test_teardown(only_the_processor_makes_a_backlog, real_time),
      cmocka_unit_test(packets_wait_for_a_session),
      cmocka_unit_test(packets_in_the_queue_wait_for_a_session_too),
      cmocka_unit_test(packets_wait_for_a_session_for_a_limited_time),
      cmocka_unit_test(init_waits_for_a_full_socket),
      cmocka_unit_test(super_packets_of_small_segments_are_sent),
      cmocka_unit_test(packets_that_the_kernel_cannot_describe_are_dropped),
      cmocka_unit_test(flood_of_reports_costs_no_datagram),
      cmocka_unit_test(reports_are_asked_for_as_soon_as_there_is_no_session),
      cmocka_unit_test(refusal_by_the_kernel_itself_leaves_reports_on),
      cmocka_unit_test(large_batches_pass_both_ways_with_any_number_of_workers),
      cmocka_unit_test(mss_is_lowered_both_ways_with_offloads_and_without),
      cmocka_unit_test(packet_without_ecn_in_a_marked_datagram_is_dropped),
      cmocka_unit_test(packets_that_wait_in_the_socket_for_too_long_are_dropped),
      cmocka_unit_test(datagrams_of_strangers_are_noticed),
      cmocka_unit_test_teardown(all_packets_leave_after_a_full_socket_whenever_that_happens,
                                real_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
