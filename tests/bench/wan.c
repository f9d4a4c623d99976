/*
 * usage: wan IF_A IF_B DELAY_MS RATE_MBIT QUEUE_MS LOSS_PERMILLE REORDER_PERMILLE
 *
 * Forwards frames between two interfaces of its network namespace as a wide-area path does, in
 * both directions alike: a bottleneck with a drop-tail queue of so many milliseconds, then random
 * loss, then the one-way delay. Some frames are held back, so that later ones overtake them.
 * Stands in for netem, which many kernels lack. The interfaces must neither segment nor coalesce.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define FRAMES 16384 /* in flight, each direction and lane; a power of two */
#define BATCH 64     /* frames received before the other direction gets its turn */
#define RECEIVE_BUFFER (8 << 20)
#define WIRE_OVERHEAD 24  /* preamble, check sequence and gap of Ethernet, in bytes */
#define HELD_BACK 3000000 /* how long a reordered frame is late, in nanoseconds */

struct frame {
  uint64_t due; /* nanoseconds */
  size_t length;
  uint8_t bytes[FRAME_MAX];
};

/* A queue of frames, in the order in which they are due. */
struct lane {
  struct frame *frames;
  uint32_t head, tail;
};

struct direction {
  int in, out;
  uint64_t idle_at; /* when the bottleneck has sent all that it has accepted */
  struct lane on_time, held_back;
};

static struct {
  uint64_t delay, queue; /* nanoseconds */
  double ns_per_byte;
  long loss, reorder; /* permille */
} path;

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void fail(const char *what) {
  fprintf(stderr, "wan: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int open_interface(const char *name) {
  const struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                      .sll_protocol = htons(ETH_P_ALL),
                                      .sll_ifindex = (int)if_nametoindex(name)};
  const struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex,
                                          .mr_type = PACKET_MR_PROMISC};
  const int size = RECEIVE_BUFFER, yes = 1;
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (address.sll_ifindex == 0 || fd < 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
      setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) ||
      setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) ||
      bind(fd, (const struct sockaddr *)&address, sizeof address))
    fail(name);
  return fd;
}

static struct frame *frame_at(struct lane *lane, uint32_t index) {
  return &lane->frames[index % FRAMES];
}

static bool happens(long permille) {
  return random() % 1000 < permille;
}

/* Puts a received frame into its lane, unless the queue is full or the path loses it. */
static void accept_frame(struct direction *d, const uint8_t *bytes, size_t length) {
  const uint64_t time = now(), start = d->idle_at > time ? d->idle_at : time;
  if (start - time > path.queue) return;
  d->idle_at = start + (uint64_t)((double)(length + WIRE_OVERHEAD) * path.ns_per_byte);
  if (happens(path.loss)) return;
  const bool late = happens(path.reorder);
  struct lane *lane = late ? &d->held_back : &d->on_time;
  if (lane->tail - lane->head == FRAMES) return;
  struct frame *frame = frame_at(lane, lane->tail++);
  frame->due = d->idle_at + path.delay + (late ? HELD_BACK : 0);
  frame->length = length;
  memcpy(frame->bytes, bytes, length);
}

static void receive_frames(struct direction *d) {
  uint8_t bytes[FRAME_MAX];
  for (unsigned i = 0; i < BATCH; i++) {
    const ssize_t length = recv(d->in, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length < 0) return;
    accept_frame(d, bytes, (size_t)length);
  }
}

/* Sends what is due, and returns when the next frame of the lane is. */
static uint64_t send_due(struct lane *lane, int out) {
  for (; lane->head != lane->tail; lane->head++) {
    const struct frame *frame = frame_at(lane, lane->head);
    if (frame->due > now()) return frame->due;
    (void)!send(out, frame->bytes, frame->length, 0); /* an interface may be down at the end */
  }
  return UINT64_MAX;
}

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static void forward(struct direction directions[2]) {
  struct pollfd polled[2] = {{.fd = directions[0].in, .events = POLLIN},
                             {.fd = directions[1].in, .events = POLLIN}};
  for (;;) {
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
      struct direction *d = &directions[i];
      if (polled[i].revents) receive_frames(d);
      next = earlier(next, send_due(&d->on_time, d->out));
      next = earlier(next, send_due(&d->held_back, d->out));
    }
    const uint64_t time = now(), wait = next > time ? next - time : 0;
    const struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000),
                                     .tv_nsec = (long)(wait % 1000000000)};
    if (ppoll(polled, 2, next == UINT64_MAX ? NULL : &timeout, NULL) < 0) fail("ppoll");
  }
}

static struct lane make_lane(void) {
  const struct lane lane = {.frames = calloc(FRAMES, sizeof(struct frame))};
  if (!lane.frames) fail("memory");
  return lane;
}

int main(int count, char **words) {
  if (count != 8) {
    fputs("usage: wan IF_A IF_B DELAY_MS RATE_MBIT QUEUE_MS LOSS_PERMILLE REORDER_PERMILLE\n",
          stderr);
    return 2;
  }
  path.delay = (uint64_t)(atof(words[3]) * 1e6);
  path.ns_per_byte = 8e3 / atof(words[4]);
  path.queue = (uint64_t)(atof(words[5]) * 1e6);
  path.loss = atol(words[6]);
  path.reorder = atol(words[7]);
  const int a = open_interface(words[1]), b = open_interface(words[2]);
  struct direction directions[2] = {{.in = a, .out = b}, {.in = b, .out = a}};
  for (unsigned i = 0; i < 2; i++) {
    directions[i].on_time = make_lane();
    directions[i].held_back = make_lane();
  }
  /* A path waits for no processor.  Without the privilege it may, and loses and bunches frames then. */
  (void)!sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
  forward(directions);
}
