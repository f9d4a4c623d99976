/*
 * usage: talk COMMAND [ARGUMENT...]
 *
 * Runs the two ends of a link in two processes, which may be of different architectures.  This
 * process is one end.  COMMAND is the other: a `talk` without arguments, with its socket as
 * descriptor 3.  This end sends packets of every length up to LENGTH_MAX, every second one with a
 * partial checksum, and the far end returns each.  Exits with 0 if every packet came back unchanged
 * and the far end received the close.
 */
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "saltway/link.h"

#define FAR_DESCRIPTOR 3
#define PATIENCE_S 120
#define LENGTH_MIN 40
#define LENGTH_MAX 1500
#define ROOM (SW_HEADROOM + LENGTH_MAX + SW_OVERHEAD + SW_CONTROL_MAX + SW_SLACK)

static struct sw_link *sw_link;
static int fd;
static uint8_t sealed[ROOM], opened[ROOM];
static uint8_t *const datagram = sealed + SW_HEADROOM, *const packet = opened + SW_HEADROOM;
static const struct sw_path path = {
    .peer = {.ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1}, .port = 1}};

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_BOOTTIME, &time);
  return (uint64_t)time.tv_sec * SW_SECOND + (uint64_t)time.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "talk: %s\n", what);
  exit(1);
}

/* Makes a TCP packet over IPv4. All other bytes depend on its length. */
static void make_packet(size_t length) {
  for (size_t i = 0; i < length; i++) packet[i] = (uint8_t)(i * 7 + length);
  packet[0] = 0x45;
  packet[2] = (uint8_t)(length >> 8);
  packet[3] = (uint8_t)length;
  packet[6] = packet[7] = 0;
  packet[9] = 6;
  packet[12] = 10;
  packet[20 + 12] = 5 << 4;
}

static void send_datagram(size_t length) {
  if (send(fd, datagram, length, MSG_NOSIGNAL) != (ssize_t)length && errno != EPIPE)
    fail("cannot send");
}

static void transmit(void) {
  struct sw_path to;
  size_t length;
  bool whole;
  while ((length = sw_link_transmit(sw_link, now(), datagram, &to, &whole)) > 0)
    send_datagram(length);
}

static void seal(size_t length, bool partial) {
  const int64_t size = sw_link_seal(sw_link, now(), packet, length, partial, datagram);
  if (size < 0) fail("cannot seal a packet");
  send_datagram((size_t)size);
}

/* Waits for a datagram or for the link's next deadline.  Returns whether a packet arrived. */
static bool receive(struct sw_opened *result) {
  struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
  const uint64_t deadline = sw_link_deadline(sw_link), time = now();
  const uint64_t wait = deadline <= time ? 0 : (deadline - time) / 1000000 + 1;
  bool is_packet = false;
  if (poll(&poll_fd, 1, wait < 1000 ? (int)wait : 1000) > 0) {
    const ssize_t length = recv(fd, datagram, ROOM - SW_HEADROOM - SW_SLACK, 0);
    if (length > 0)
      is_packet = sw_link_open(sw_link, now(), &path, datagram, (size_t)length, packet, result) ==
                  SW_RECEIVED_PACKET;
  }
  transmit();
  return is_packet;
}

static void run_far_end(void) {
  struct sw_opened got;
  while (!sw_link_status(sw_link)->closed_time)
    if (receive(&got)) seal(got.view.length, got.partial);
}

static void run_near_end(void) {
  static uint8_t expected[LENGTH_MAX];
  struct sw_opened got;
  sw_link_endpoints_set(sw_link, now(), &path.peer, 1);
  transmit();
  while (sw_link_status(sw_link)->state != SW_LINK_UP) receive(&got);
  for (size_t length = LENGTH_MIN; length <= LENGTH_MAX; length++) {
    const bool partial = length % 2;
    make_packet(length);
    memcpy(expected, packet, length);
    seal(length, partial);
    while (!receive(&got)) continue;
    if (got.view.length != length || got.partial != partial ||
        memcmp(packet, expected, length) != 0)
      fail("a packet came back changed");
  }
  sw_link_close(sw_link, now());
  transmit();
}

static pid_t start_far_end(char **command) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    fail("cannot make a socket pair");
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(ends[1], FAR_DESCRIPTOR);
    execvp(command[0], command);
    _exit(127);
  }
  close(ends[1]);
  fd = ends[0];
  return pid;
}

int main(int argc, char **argv) {
  static const struct sw_psk psk = {.bytes = "a key that is for this test only"};
  struct sw_prefix inner;
  alarm(PATIENCE_S);
  if (sodium_init() < 0 || sw_prefix_parse("10.0.0.0/8", &inner) != 0) fail("cannot start");
  sw_link = sw_link_new(&(struct sw_link_options){
      .psks = &psk, .psk_count = 1, .sources = &inner, .source_count = 1});
  if (!sw_link) fail("no memory");
  fd = FAR_DESCRIPTOR;
  const pid_t far = argc > 1 ? start_far_end(argv + 1) : 0;
  int status = 0;
  if (far)
    run_near_end();
  else
    run_far_end();
  if (far && (waitpid(far, &status, 0) != far || status != 0)) fail("the far end failed");
  sw_link_free(sw_link);
  return 0;
}
