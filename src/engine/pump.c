#include "engine/pump.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stack.h"
#include "packet/checksum.h"
#include "packet/ecn.h"
#include "packet/gso.h"
#include "packet/mss.h"

/* Work done in one wake-up, so that neither direction starves the other. */
#define READS_MAX 64       /* packets read from the TUN device */
#define SENT_MAX (1 << 20) /* bytes that have waited in the queue */
#define REPORTS_MAX 64     /* reports of the network */

#define RECEIVE_COALESCED 4            /* runs asked for when they hold several datagrams */
#define EXPIRE_EVERY SW_SECOND         /* while the socket is full */
#define REPORTS_PAUSE (10 * SW_SECOND) /* while a session works */
#define SESSION_WAIT (5 * SW_SECOND)   /* most time that packets wait for a session */
#define STACK_USED \
  49152 /* by a wake-up, in bytes; libuv has 12 KiB of events, a control datagram 9 */

enum {
  PACKET_BUFFER = SW_HEADROOM + SW_GSO_PACKET_MAX + SW_SLACK,
  INBOX_BUFFER = SW_HEADROOM + SW_UDP_BUFFER + SW_SLACK,
  MEMORY = PACKET_BUFFER + SW_OUTBOX_BUFFER + SW_PUMP_RECEIVE * INBOX_BUFFER + SW_GRO_BUFFER +
           SW_QUEUE_MEMORY,
};

static void on_tun(uv_poll_t *poll, int status, int events);
static void on_udp(uv_poll_t *poll, int status, int events);
static void on_timer(uv_timer_t *timer);

/* ---- reports and errors ---- */

static void read_reports(struct sw_pump *pump) {
  struct sw_address about;
  int code;
  for (unsigned i = 0; i < REPORTS_MAX && sw_udp_report(pump->udp, &about, &code) == 0; i++)
    sw_link_error(pump->link, sw_clock_now(), &about, code);
}

/* Turns reports off after a send has failed several times in a row.  If forged reports are the cause
 * they would cost the datagram. */
static void suspend_reports(struct sw_pump *pump) {
  read_reports(pump);
  sw_udp_reports_set(pump->udp, false);
  pump->reports_time = sw_clock_now();
}

/* Turns reports on again when they can help: without a working session, and after a while. */
static void resume_reports(struct sw_pump *pump) {
  if (pump->udp->reports) return;
  if (sw_link_status(pump->link)->state != SW_LINK_UP ||
      sw_clock_now() - pump->reports_time >= REPORTS_PAUSE)
    sw_udp_reports_set(pump->udp, true);
}

static void log_gso_refused(struct sw_pump *pump) {
  if (pump->gso_logged || !pump->udp->gso_refused) return;
  pump->gso_logged = true;
  sw_log(SW_LOG_WARNING,
         "udp: the kernel cannot segment datagrams on this path (UDP_SEGMENT); sending them one by "
         "one, which is slower");
}

static void drop_refused(struct sw_pump *pump, int code) {
  struct sw_address peer;
  size_t length;
  const unsigned count = sw_outbox_drop(&pump->outbox, &peer, &length);
  if (code == EMSGSIZE && sw_link_too_long(pump->link, sw_clock_now(), length)) return;
  sw_link_drop(pump->link, SW_DROP_SEND, count);
  if (code == ENOBUFS) return; /* a queue of this machine was full: nothing about the peer */
  sw_link_error(pump->link, sw_clock_now(), &peer, code);
}

/* ---- sending ---- */

/* Gives the socket the buffer that it should have, if it is not `before`. */
static void resize_buffer(struct sw_pump *pump, size_t before) {
  if (pump->drain.buffer != before) sw_udp_buffer_set(pump->udp, pump->drain.buffer);
}

/* The socket's buffer was full: measures how fast it drains. */
static void measure_drain(struct sw_pump *pump) {
  const size_t before = pump->drain.buffer;
  sw_drain_left(&pump->drain, sw_clock_now(), sw_udp_waiting(pump->udp));
  resize_buffer(pump, before);
}

static void count_sent(struct sw_pump *pump, uint64_t now, size_t bytes) {
  const size_t before = pump->drain.buffer;
  sw_drain_sent(&pump->drain, now, bytes);
  resize_buffer(pump, before);
}

/* Sends the outbox as far as the socket takes it.  An error with reports off is the kernel's own:
 * then reports were not to blame, and are turned on again. */
static void send_outbox(struct sw_pump *pump) {
  int result;
  bool own = false;
  if (pump->full) measure_drain(pump);
  while ((result = sw_outbox_send(&pump->outbox, pump->udp)) != 0 && result != -EAGAIN) {
    if (pump->udp->reports && result != -ENOBUFS) {
      suspend_reports(pump);
      continue;
    }
    drop_refused(pump, -result);
    own = true;
  }
  pump->full = result == -EAGAIN;
  if (pump->full) sw_drain_full(&pump->drain, sw_clock_now(), sw_udp_waiting(pump->udp));
  if (own && !pump->udp->reports) sw_udp_reports_set(pump->udp, true);
  log_gso_refused(pump);
}

/* ---- sealing ---- */

/* Seals a large super-packet with the workers' help.  Returns false if it is to be sealed here. */
static bool seal_batch(struct sw_pump *pump, uint64_t now, const struct sw_gso *gso,
                       const struct sw_path *path, uint8_t tos) {
  struct sw_outbox *outbox = &pump->outbox;
  size_t each;
  int64_t left = sw_batch_seal(&pump->batch, pump->link, now, gso, sw_outbox_room(outbox), &each);
  if (left < 0) return false;
  for (; left > 0; left -= (int64_t)each)
    sw_outbox_add(outbox, (size_t)left < each ? (size_t)left : each, path, tos);
  return true;
}

/* Segments the packet and seals the segments into the outbox. */
static void seal_packet(struct sw_pump *pump, uint64_t now, size_t length,
                        const struct sw_offload *offload) {
  struct sw_gso gso;
  struct sw_segment segment;
  if (sw_gso_start(&gso, pump->packet, length, offload) != 0) {
    sw_link_drop(pump->link, SW_DROP_OFFLOAD, 1);
    return;
  }
  const struct sw_path path = *sw_link_path(pump->link);
  const uint8_t tos = sw_ecn_outer(pump->packet, &gso.view, pump->dscp);
  /* a super-packet is never a SYN */
  if (offload->gso == SW_GSO_NONE) sw_mss_clamp(pump->packet, &gso.view, gso.partial, pump->mtu);
  if (seal_batch(pump, now, &gso, &path, tos)) return;
  while (sw_gso_next(&gso, &segment)) {
    const int64_t sealed = sw_link_seal(pump->link, now, segment.packet, segment.length,
                                        segment.partial, sw_outbox_room(&pump->outbox));
    if (sealed > 0) sw_outbox_add(&pump->outbox, (size_t)sealed, &path, tos);
  }
}

/* ---- the queue ---- */

/* Whether packets of the TUN device have to wait in the queue.  While nothing limits the socket they are
 * sealed where they were read. */
static bool is_limited(const struct sw_pump *pump) {
  return pump->full || pump->queue.bytes > 0 || sw_drain_limits(&pump->drain);
}

/* Whether packets wait until there is a session. */
static bool waits_for_session(const struct sw_pump *pump, uint64_t now) {
  return now < pump->wait_end;
}

/* Seals packets of the queue until the outbox holds what is to be sent at once. */
static void seal_queue(struct sw_pump *pump, uint64_t now) {
  const size_t run = sw_drain_run(&pump->drain);
  struct sw_outbox *outbox = &pump->outbox;
  struct sw_offload offload;
  while (!sw_outbox_is_full(outbox) && (outbox->used == 0 || outbox->used < run)) {
    const size_t length =
        sw_queue_take(&pump->queue, now, run - outbox->used, pump->packet, &offload);
    if (length == 0) break;
    seal_packet(pump, now, length, &offload);
  }
  sw_link_drop(pump->link, SW_DROP_QUEUE, pump->queue.dropped);
  pump->queue.dropped = 0;
}

/* Sends what waits in the queue until the socket is full. */
static void send_queue(struct sw_pump *pump, uint64_t now) {
  if (waits_for_session(pump, now)) return;
  for (size_t sent = 0; !pump->full && pump->queue.bytes > 0 && sent < SENT_MAX;) {
    seal_queue(pump, now);
    sent += pump->outbox.used;
    count_sent(pump, now, pump->outbox.used);
    send_outbox(pump);
  }
}

/* Sends what waits, then what the link itself has to send. */
static void flush(struct sw_pump *pump) {
  struct sw_outbox *outbox = &pump->outbox;
  const uint64_t now = sw_clock_now();
  struct sw_path path;
  size_t length;
  bool whole;
  send_outbox(pump);
  if (pump->full) {
    sw_link_expire(pump->link, now);
    return;
  }
  while (!sw_outbox_is_full(outbox) &&
         (length = sw_link_transmit(pump->link, now, sw_outbox_room(outbox), &path, &whole)) > 0)
    if (whole)
      sw_outbox_add_whole(outbox, length, &path);
    else
      sw_outbox_add(outbox, length, &path, SW_ECN_NOT_ECT);
  send_outbox(pump);
  send_queue(pump, now);
}

/* ---- waiting ---- */

static bool is_blocked(const struct sw_pump *pump, uint64_t now) {
  return pump->full || (pump->queue.bytes > 0 && !waits_for_session(pump, now));
}

static void listen_udp(struct sw_pump *pump) {
  pump->blocked = is_blocked(pump, sw_clock_now());
  uv_poll_start(&pump->udp_poll, UV_READABLE | (pump->blocked ? UV_WRITABLE : 0), on_udp);
}

/* Notes since when there is no session. */
static void watch_session(struct sw_pump *pump, uint64_t now) {
  if (sw_link_path(pump->link)->peer.port)
    pump->wait_end = 0;
  else if (!pump->wait_end)
    pump->wait_end = now + SESSION_WAIT;
}

/* For a while without a session the TUN device is not read: packets wait in the interface's queue, or
 * are dropped there, as on any network device.  So the first packets of a link, and those sent while
 * the peer restarts, are not lost. */
static void listen_tun(struct sw_pump *pump, uint64_t now) {
  const bool wait = waits_for_session(pump, now);
  if (wait != (bool)uv_is_active((uv_handle_t *)&pump->tun_poll)) return;
  if (wait)
    uv_poll_stop(&pump->tun_poll);
  else
    uv_poll_start(&pump->tun_poll, UV_READABLE, on_tun);
}

/* When the timer has to fire.  While the socket is full the link cannot send, but keys still expire. */
static uint64_t next_deadline(const struct sw_pump *pump, uint64_t now) {
  if (!pump->full) {
    const uint64_t deadline = sw_link_deadline(pump->link);
    return now < pump->wait_end && pump->wait_end < deadline ? pump->wait_end : deadline;
  }
  const uint64_t latest = now + EXPIRE_EVERY;
  return pump->deadline > now && pump->deadline < latest ? pump->deadline : latest;
}

static void set_timer(struct sw_pump *pump, uint64_t now) {
  const uint64_t deadline = next_deadline(pump, now);
  /* libuv's clock stands still while the machine sleeps: a deadline in the past is set again */
  if (deadline == pump->deadline && (deadline == UINT64_MAX || deadline > now)) return;
  pump->deadline = deadline;
  if (deadline == UINT64_MAX) {
    uv_timer_stop(&pump->timer);
    return;
  }
  const uint64_t wait = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
  uv_update_time(pump->loop);
  uv_timer_start(&pump->timer, on_timer, wait, 0);
}

static void wipe(void) {
  sw_stack_wipe();
  sodium_stackzero(STACK_USED);
}

/* No key of a session that has ended stays on the stack.  The timer has less of it in use than other
 * events, and may have left keys in what is in use now: it wipes, too. */
static void wipe_stack(struct sw_pump *pump) {
  if (!sw_link_keys_wiped(pump->link)) return;
  wipe();
  pump->wipe = true;
  pump->deadline = 0;
  uv_timer_start(&pump->timer, on_timer, 0, 0);
}

/* The end of each wake-up. */
static void wait_again(struct sw_pump *pump) {
  const uint64_t now = sw_clock_now();
  watch_session(pump, now);
  if (pump->blocked != is_blocked(pump, now)) listen_udp(pump);
  listen_tun(pump, now);
  resume_reports(pump);
  set_timer(pump, now);
  wipe_stack(pump);
}

void sw_pump_flush(struct sw_pump *pump) {
  flush(pump);
  wait_again(pump);
}

static void on_timer(uv_timer_t *timer) {
  struct sw_pump *pump = timer->data;
  pump->deadline = UINT64_MAX;
  if (pump->wipe) wipe();
  pump->wipe = false;
  flush(pump);
  pump->observe(pump->user);
  wait_again(pump);
}

/* ---- TUN to UDP ---- */

static void on_tun(uv_poll_t *poll, int status, int events) {
  struct sw_pump *pump = poll->data;
  (void)events;
  const uint64_t now = sw_clock_now();
  for (unsigned reads = 0; reads < READS_MAX; reads++) {
    struct sw_offload offload;
    const ssize_t length = sw_tun_read(pump->tun, pump->packet, SW_GSO_PACKET_MAX, &offload);
    if (length == -EAGAIN || length == -EIO) break;
    if (length < 0) {
      pump->failed(pump->user,
                   length == -EBADFD ? "the interface was deleted" : strerror((int)-length));
      return;
    }
    if (is_limited(pump)) {
      if (sw_queue_add(&pump->queue, now, pump->packet, (size_t)length, &offload) != 0)
        sw_link_drop(pump->link, SW_DROP_OFFLOAD, 1);
      continue;
    }
    seal_packet(pump, now, (size_t)length, &offload);
    if (sw_outbox_is_full(&pump->outbox)) send_outbox(pump);
  }
  if (status < 0) { /* libuv has stopped the handle */
    pump->failed(pump->user, "the interface was deleted");
    return;
  }
  if (!pump->full) send_outbox(pump);
  send_queue(pump, now);
  wait_again(pump);
}

/* ---- UDP to TUN ---- */

static void write_packet(struct sw_pump *pump, uint8_t *packet, size_t length,
                         const struct sw_offload *offload) {
  if (sw_tun_write(pump->tun, packet, length, offload) < 0)
    sw_link_drop(pump->link, SW_DROP_TUN, 1);
}

static void write_merged(struct sw_pump *pump) {
  struct sw_gro_packet merged;
  if (sw_gro_take(&pump->gro, &merged))
    write_packet(pump, merged.packet, merged.length, &merged.offload);
}

/* Writes a packet that was opened, or coalesces it with the ones before it.  `tos`: of its datagram.
 */
static void deliver(struct sw_pump *pump, uint8_t *packet, const struct sw_opened *opened,
                    uint8_t tos) {
  if (!sw_ecn_combine(packet, &opened->view, tos)) {
    sw_link_drop(pump->link, SW_DROP_ECN, 1);
    return;
  }
  sw_mss_clamp(packet, &opened->view, opened->partial, pump->mtu);
  if (pump->tun->offload) {
    while (sw_gro_add(&pump->gro, packet, &opened->view, opened->partial)) write_merged(pump);
    return;
  }
  static const struct sw_offload none;
  if (opened->partial) sw_checksum_partial_complete(packet, &opened->view);
  write_packet(pump, packet, opened->view.length, &none);
}

static void handle_opened(struct sw_pump *pump, enum sw_received received, uint8_t *packet,
                          const struct sw_opened *opened, uint8_t tos) {
  switch (received) {
  case SW_RECEIVED_PACKET:
    deliver(pump, packet, opened, tos);
    break;
  case SW_RECEIVED_CONTROL:
    flush(pump);
    break;
  case SW_RECEIVED_DROPPED:
    break;
  }
}

static void open_one(struct sw_pump *pump, uint64_t now, const struct sw_run *run,
                     const uint8_t *datagram, size_t length) {
  uint8_t *packet = sw_gro_room(&pump->gro);
  struct sw_opened opened;
  const enum sw_received received =
      sw_link_open(pump->link, now, &run->path, datagram, length, packet, &opened);
  handle_opened(pump, received, packet, &opened, run->tos);
}

/* Opens the batch.  Its packets lie in the buffer for coalescing, which has to be empty before. */
static void open_batch(struct sw_pump *pump) {
  write_merged(pump);
  const unsigned count = sw_batch_open(&pump->batch);
  for (unsigned i = 0; i < count; i++) {
    struct sw_opening *opening = &pump->batch.openings[i];
    struct sw_opened opened;
    const enum sw_received received = sw_link_open_finish(pump->link, opening, &opened);
    handle_opened(pump, received, opening->packet, &opened, pump->batch.tos[i]);
  }
}

static void open_run(struct sw_pump *pump, uint64_t now, const struct sw_run *run, bool spread) {
  for (size_t at = 0; at < run->length; at += run->segment) {
    const size_t left = run->length - at;
    const size_t length = left < run->segment ? left : run->segment;
    const uint8_t *datagram = run->bytes + at;
    if (!spread) {
      open_one(pump, now, run, datagram, length);
    } else if (!sw_batch_add(&pump->batch, pump->link, now, run, datagram, length)) {
      open_batch(pump);
      const bool added = sw_batch_add(&pump->batch, pump->link, now, run, datagram, length);
      assert(added);
    }
  }
}

/* Sets how many runs to ask for next.  A run of several datagrams is worth a wake-up: with few of
 * them at once one run of acknowledgements answers them all, and they are still in the cache when
 * they are opened.  (Two at once are 4 to 5 % faster than one, four again as much.)  Runs of one
 * datagram are asked for in larger numbers. */
static void set_receive_count(struct sw_pump *pump, unsigned received) {
  bool coalesced = false;
  for (unsigned i = 0; i < received; i++)
    coalesced |= pump->inbox[i].length > pump->inbox[i].segment;
  if (coalesced)
    pump->receive_count = RECEIVE_COALESCED;
  else if (received == pump->receive_count && received < SW_PUMP_RECEIVE)
    pump->receive_count *= 2;
}

static void receive(struct sw_pump *pump) {
  for (unsigned i = 0; i < pump->receive_count; i++) pump->inbox[i].length = SW_UDP_BUFFER;
  const uint32_t before = pump->overflows;
  const int count = sw_udp_receive(pump->udp, pump->inbox, pump->receive_count, &pump->overflows);
  if (count <= 0) return;
  if (pump->overflows != before) sw_link_drop(pump->link, SW_DROP_SOCKET, pump->overflows - before);
  const uint64_t now = sw_clock_now();
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += pump->inbox[i].length;
  const bool spread = sw_batch_opens(&pump->batch, bytes);
  for (int i = 0; i < count; i++) {
    const struct sw_run *run = &pump->inbox[i];
    if (run->truncated)
      sw_link_drop(pump->link, SW_DROP_TRUNCATED, 1);
    else if (run->length == 0)
      sw_link_drop(pump->link, SW_DROP_SHORT, 1);
    else
      open_run(pump, now, run, spread);
  }
  if (spread) open_batch(pump);
  write_merged(pump);
  set_receive_count(pump, (unsigned)count);
}

static void on_udp(uv_poll_t *poll, int status, int events) {
  struct sw_pump *pump = poll->data;
  if (status < 0) { /* the error queue is not empty, and libuv has stopped the handle */
    read_reports(pump);
    events = UV_READABLE | UV_WRITABLE;
  }
  if (events & UV_READABLE) receive(pump);
  if (events & UV_WRITABLE) flush(pump);
  if (status < 0) listen_udp(pump);
  pump->observe(pump->user);
  wait_again(pump);
}

struct sw_queue_status sw_pump_queue_status(const struct sw_pump *pump) {
  const struct sw_queue *queue = &pump->queue;
  const uint64_t rate = pump->drain.rate;
  return (struct sw_queue_status){.bytes = queue->bytes,
                                  .time = rate ? queue->bytes * SW_SECOND / rate : 0,
                                  .marked = queue->marked};
}

/* ---- start and stop ---- */

static int allocate(struct sw_pump *pump) {
  uint8_t *at = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return -errno;
  pump->memory = at;
  uint8_t key[SW_QUEUE_KEY_BYTES];
  randombytes_buf(key, sizeof(key));
  sw_queue_init(&pump->queue, at, key); /* first, because it wants alignment */
  at += SW_QUEUE_MEMORY;
  sw_drain_init(&pump->drain);
  pump->packet = at + SW_HEADROOM;
  at += PACKET_BUFFER;
  sw_outbox_init(&pump->outbox, at);
  at += SW_OUTBOX_BUFFER;
  for (unsigned i = 0; i < SW_PUMP_RECEIVE; i++, at += INBOX_BUFFER)
    pump->inbox[i].bytes = at + SW_HEADROOM;
  pump->receive_count = RECEIVE_COALESCED;
  sw_gro_start(&pump->gro, at, pump->tun->udp);
  return sw_batch_start(&pump->batch, pump->workers, at);
}

int sw_pump_start(struct sw_pump *pump) {
  pump->deadline = UINT64_MAX;
  int failed = allocate(pump);
  if (failed) return failed;
  uv_timer_init(pump->loop, &pump->timer);
  failed = uv_poll_init(pump->loop, &pump->tun_poll, pump->tun->fd);
  if (failed) {
    uv_close((uv_handle_t *)&pump->timer, NULL);
    return failed;
  }
  failed = uv_poll_init(pump->loop, &pump->udp_poll, pump->udp->fd);
  if (failed) {
    uv_close((uv_handle_t *)&pump->timer, NULL);
    uv_close((uv_handle_t *)&pump->tun_poll, NULL);
    return failed;
  }
  pump->tun_poll.data = pump->udp_poll.data = pump->timer.data = pump;
  listen_udp(pump);
  wait_again(pump);
  return 0;
}

void sw_pump_stop(struct sw_pump *pump) {
  sw_link_close(pump->link, sw_clock_now());
  flush(pump);
  uv_close((uv_handle_t *)&pump->timer, NULL);
  uv_close((uv_handle_t *)&pump->tun_poll, NULL);
  uv_close((uv_handle_t *)&pump->udp_poll, NULL);
}

void sw_pump_free(struct sw_pump *pump) {
  sw_batch_stop(&pump->batch);
  if (pump->memory) munmap(pump->memory, MEMORY);
  pump->memory = NULL;
}
