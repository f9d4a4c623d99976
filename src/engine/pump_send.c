#include "engine/pump_parts.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "packet/ecn.h"
#include "packet/gso.h"
#include "packet/mss.h"

/* Work done in one wake-up, so that neither direction starves the other. */
#define READS_MAX 64        /* packets read from the TUN device, */
#define READS_BACKLOG 512   /* with a backlog all that it holds; */
#define BYTES_MAX (1 << 20) /* the bytes of these, or of what the queue sends */
#define TURNS 8             /* that flows have in what is sent at once; */
#define TURNS_BACKLOG 2     /* with a backlog few, as long super-packets cost the processor less */
#define REPORTS_MAX 64      /* reports of the network */

#define REPORTS_PAUSE (10 * SW_SECOND) /* while a session works */

/* ---- reports and errors ---- */

void sw_pump_read_reports(struct sw_pump *pump) {
  struct sw_address about;
  int code;
  for (unsigned i = 0; i < REPORTS_MAX && sw_udp_report(pump->udp, &about, &code) == 0; i++)
    sw_link_error(pump->link, sw_clock_now(), &about, code);
}

/* Turns reports off after a send has failed several times in a row.  If forged reports are the cause
 * they would cost the datagram. */
static void suspend_reports(struct sw_pump *pump) {
  sw_pump_read_reports(pump);
  sw_udp_reports_set(pump->udp, false);
  pump->reports_time = sw_clock_now();
}

void sw_pump_resume_reports(struct sw_pump *pump) {
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

/* Tells the shaper and the measurement what is to be sent. */
static void count_outbox(struct sw_pump *pump, uint64_t now) {
  const struct sw_outbox *outbox = &pump->outbox;
  const size_t before = pump->drain.buffer;
  const bool v4 = sw_ip_is_v4(sw_link_path(pump->link)->peer.ip);
  sw_shaper_sent(&pump->shaper, now, outbox->used, outbox->datagrams, v4);
  sw_drain_sent(&pump->drain, now, outbox->used);
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

/* Whether packets of the TUN device have to wait in the queue.  While nothing limits the socket, and the
 * processor is not slow, they are sealed where they were read. */
static bool is_limited(const struct sw_pump *pump) {
  return pump->full || pump->queue.bytes > 0 || sw_drain_limits(&pump->drain) ||
         sw_shaper_limits(&pump->shaper) || sw_backlog_limits(&pump->backlog);
}

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

/* The bytes that are to be sent at once. */
static size_t run_of(const struct sw_pump *pump) {
  return smaller(sw_backlog_run(&pump->backlog),
                 smaller(sw_drain_run(&pump->drain), sw_shaper_run(&pump->shaper)));
}

/* A flow's turn: on a fast line long enough for super-packets, but several flows share what is sent at
 * once. */
static uint32_t quantum_of(const struct sw_pump *pump, size_t run) {
  const size_t turn = run / (sw_backlog_limits(&pump->backlog) ? TURNS_BACKLOG : TURNS);
  return turn < SW_QUEUE_QUANTUM    ? SW_QUEUE_QUANTUM
         : turn < SW_GSO_PACKET_MAX ? (uint32_t)turn
                                    : SW_GSO_PACKET_MAX;
}

/* Seals packets of the queue until the outbox holds what is to be sent at once. */
static void seal_queue(struct sw_pump *pump, uint64_t now) {
  const size_t run = run_of(pump);
  struct sw_outbox *outbox = &pump->outbox;
  struct sw_offload offload;
  pump->queue.quantum = quantum_of(pump, run);
  while (!sw_outbox_is_full(outbox) && (outbox->used == 0 || outbox->used < run)) {
    const size_t length =
        sw_queue_take(&pump->queue, now, run - outbox->used, pump->packet, &offload);
    if (length == 0) break;
    seal_packet(pump, now, length, &offload);
  }
  sw_link_drop(pump->link, SW_DROP_QUEUE, pump->queue.dropped);
  pump->queue.dropped = 0;
}

/* Sends what waits in the queue until the socket is full, the shaper has had enough, or others have
 * waited for long enough.  Returns the bytes. */
static size_t send_queue(struct sw_pump *pump, uint64_t now) {
  if (sw_pump_waits_for_session(pump, now)) return 0;
  const size_t most = smaller(BYTES_MAX, sw_backlog_run(&pump->backlog));
  size_t sent = 0;
  while (!pump->full && pump->queue.bytes > 0 && sent < most && pump->shaper.next <= now) {
    seal_queue(pump, now);
    sent += pump->outbox.used;
    count_outbox(pump, now);
    send_outbox(pump);
  }
  return sent;
}

void sw_pump_send(struct sw_pump *pump) {
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
  count_outbox(pump, now);
  send_outbox(pump);
  send_queue(pump, now);
}

/* ---- from the TUN device ---- */

/* Takes note of what was sealed since `begin`.  `empty`: there is no more in the device. */
static void watch_backlog(struct sw_pump *pump, uint64_t begin, size_t sealed, bool empty) {
  if ((empty && pump->queue.bytes == 0) || pump->full || sw_drain_limits(&pump->drain) ||
      sw_shaper_limits(&pump->shaper) || sw_pump_waits_for_session(pump, begin))
    sw_backlog_end(&pump->backlog);
  else
    sw_backlog_left(&pump->backlog, sw_clock_now() - begin, sealed);
}

int sw_pump_read(struct sw_pump *pump) {
  const uint64_t now = sw_clock_now();
  /* with a backlog twice as much is read as is sealed, for the device and for the socket, or everything
   * would wait in the device; but not all, or the processor would only copy */
  const bool backlog = sw_backlog_limits(&pump->backlog);
  const unsigned reads_most = backlog ? READS_BACKLOG : READS_MAX;
  const size_t bytes_most =
      backlog ? smaller(4 * sw_backlog_run(&pump->backlog), BYTES_MAX) : BYTES_MAX;
  size_t sealed = 0, queued = 0;
  bool empty = false;
  for (unsigned reads = 0;
       reads < reads_most && sealed + queued < bytes_most && !sw_pump_is_stopped(pump); reads++) {
    struct sw_offload offload;
    const ssize_t length = sw_tun_read(pump->tun, pump->packet, SW_GSO_PACKET_MAX, &offload);
    empty = length == -EAGAIN || length == -EIO;
    if (empty) break;
    if (length == -EINVAL) { /* the kernel could not describe a packet, and has thrown it away */
      sw_link_drop(pump->link, SW_DROP_OFFLOAD, 1);
    } else if (length < 0) {
      return (int)length;
    } else if (is_limited(pump)) {
      queued += (size_t)length;
      if (sw_queue_add(&pump->queue, now, pump->packet, (size_t)length, &offload) != 0)
        sw_link_drop(pump->link, SW_DROP_OFFLOAD, 1);
    } else {
      sealed += (size_t)length;
      seal_packet(pump, now, (size_t)length, &offload);
      if (sw_outbox_is_full(&pump->outbox)) send_outbox(pump);
    }
  }
  if (!pump->full) send_outbox(pump);
  const uint64_t begin = sealed > 0 ? now : sw_clock_now(); /* to copy is not to seal */
  sealed += send_queue(pump, now);
  watch_backlog(pump, begin, sealed, empty);
  return 0;
}

/* The rate at which the queue empties, in bytes a second; 0: not known. */
static uint64_t rate_of(const struct sw_pump *pump) {
  const uint64_t rates[] = {pump->drain.rate, pump->shaper.shaping.bandwidth / 8,
                            sw_backlog_limits(&pump->backlog) ? pump->backlog.rate : 0};
  uint64_t least = 0;
  for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
    if (rates[i] && (!least || rates[i] < least)) least = rates[i];
  return least;
}

struct sw_queue_status sw_pump_queue_status(const struct sw_pump *pump) {
  const struct sw_queue *queue = &pump->queue;
  const uint64_t rate = rate_of(pump);
  return (struct sw_queue_status){.bytes = queue->bytes,
                                  .time = rate ? queue->bytes * SW_SECOND / rate : 0,
                                  .marked = queue->marked};
}
