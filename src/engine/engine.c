#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/log.h"
#include "base/stack.h"
#include "packet/gso.h"
#include "packet/mss.h"

/* The most of a super-packet, and of it sealed: segments as small as MIN_SEGMENT each get headers
 * and overhead. */
#define PACKET_MAX 65535
#define MIN_SEGMENT 48
#define SEALED_MAX (PACKET_MAX / MIN_SEGMENT * (SW_HEADERS_MAX + SW_OVERHEAD) + PACKET_MAX)
#define SEALED_ENOUGH 32768 /* sent before more is read */
_Static_assert(PACKET_MAX / MIN_SEGMENT / SW_UDP_SEGMENTS + 1 < SW_ENGINE_RUNS - SW_UDP_BATCH,
               "the runs of one super-packet");
#define READS_MAX 64        /* packets of one wake-up: no direction starves the other */
#define RECEIVE_COALESCED 4 /* runs of many datagrams, received at once */
#define STACK 16384         /* of a wake-up */
#define REPORTS_MAX 64      /* of the network's, likewise */

enum {
  PACKET_BUFFER = SW_HEADROOM + PACKET_MAX + SW_SLACK,
  OUTBOX_BUFFER = SW_HEADROOM + SEALED_ENOUGH + SEALED_MAX + SW_SLACK,
  INBOX_BUFFER = SW_HEADROOM + SW_UDP_BUFFER + SW_SLACK,
  MEMORY = PACKET_BUFFER + OUTBOX_BUFFER + SW_ENGINE_RECEIVE * INBOX_BUFFER + SW_GRO_BUFFER,
};

uint64_t sw_engine_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (uint64_t)now.tv_sec * SW_SECOND + (uint64_t)now.tv_nsec;
}

static void on_tun(uv_poll_t *poll, int status, int events);
static void on_udp(uv_poll_t *poll, int status, int events);
static void rearm(struct sw_engine *engine);

/* ---- out ---- */

static void note_send_error(struct sw_engine *engine, int code) {
  if (code == ENOBUFS) return; /* a full queue of this machine */
  engine->unreachable = code;
  engine->unreachable_time = sw_engine_now();
}

static void note_gso(struct sw_engine *engine) {
  if (engine->gso_noted || !engine->udp->gso_refused) return;
  engine->gso_noted = true;
  sw_log(SW_LOG_WARNING,
         "the kernel does not send runs of datagrams on this path; going on one by one");
}

static bool blocked(const struct sw_engine *engine) {
  return engine->outbox.count > 0 || engine->held.length > 0;
}

/* Says what is waited for.  While anything waits for the socket the TUN is not read: packets
 * wait, or are dropped, in the interface's queue, as on any network device. */
static void listen_again(struct sw_engine *engine) {
  engine->blocked = blocked(engine);
  uv_poll_start(&engine->udp_poll, UV_READABLE | (engine->blocked ? UV_WRITABLE : 0), on_udp);
  if (engine->blocked)
    uv_poll_stop(&engine->tun_poll);
  else
    uv_poll_start(&engine->tun_poll, UV_READABLE, on_tun);
}

/* Drops what the kernel refuses: a run, or the first datagram of one that goes one by one.  Returns
 * how many runs were done with by it. */
static unsigned give_up(struct sw_engine *engine, struct sw_run *run) {
  const bool whole = engine->udp->gso || run->length <= run->segment;
  sw_link_drop(engine->link, SW_DROP_SEND,
               whole ? (run->length + run->segment - 1) / run->segment : 1);
  if (whole) return 1;
  run->bytes += run->segment;
  run->length -= run->segment;
  return 0;
}

/* Sends what is sealed, as far as the socket takes it. */
static void outbox_send(struct sw_engine *engine) {
  struct sw_outbox *outbox = &engine->outbox;
  while (outbox->sent < outbox->count) {
    struct sw_run *run = &outbox->runs[outbox->sent];
    const unsigned left = outbox->count - outbox->sent;
    const int sent = sw_udp_send(engine->udp, run, left < SW_UDP_BATCH ? left : SW_UDP_BATCH);
    note_gso(engine);
    if (sent == -EAGAIN) return;
    if (sent < 0) {
      note_send_error(engine, -sent);
      outbox->sent += give_up(engine, run);
      continue;
    }
    outbox->sent += (unsigned)sent;
  }
  outbox->sent = outbox->count = 0;
  outbox->used = 0;
}

static uint8_t *outbox_room(const struct sw_outbox *outbox) {
  return outbox->buffer + SW_HEADROOM + outbox->used;
}

static bool run_fits(const struct sw_outbox *outbox, size_t length, const struct sw_address *peer) {
  if (outbox->count == 0 || outbox->closed) return false;
  const struct sw_run *last = &outbox->runs[outbox->count - 1];
  return length <= last->segment && last->length + length <= SW_UDP_RUN &&
         outbox->segments < SW_UDP_SEGMENTS && sw_address_equal(&last->peer, peer);
}

/* Takes the datagram that is in the room: into the last run, or as a run of its own. */
static void outbox_add(struct sw_outbox *outbox, size_t length, const struct sw_address *peer) {
  if (!run_fits(outbox, length, peer)) {
    assert(outbox->count < SW_ENGINE_RUNS);
    outbox->runs[outbox->count++] =
        (struct sw_run){.bytes = outbox_room(outbox), .segment = length, .peer = *peer};
    outbox->segments = 0;
  }
  struct sw_run *run = &outbox->runs[outbox->count - 1];
  assert(outbox->used + length <= SEALED_ENOUGH + SEALED_MAX);
  run->length += length;
  outbox->segments++;
  outbox->closed = length < run->segment;
  outbox->used += length;
}

/* Takes the next datagram of the link's own, unless there is one that waits for the socket. */
static bool take_control(struct sw_engine *engine, uint64_t now) {
  struct sw_run *held = &engine->held;
  if (held->length > 0) return true;
  held->bytes = engine->control;
  held->length = held->segment = sw_link_transmit(engine->link, now, engine->control, &held->peer);
  return held->length > 0;
}

void sw_engine_flush(struct sw_engine *engine) {
  const uint64_t now = sw_engine_now();
  while (take_control(engine, now)) {
    const int sent = sw_udp_send(engine->udp, &engine->held, 1);
    if (sent == -EAGAIN) break;
    engine->held.length = 0;
    if (sent > 0) continue;
    note_send_error(engine, -sent);
    sw_link_drop(engine->link, SW_DROP_SEND, 1);
  }
  if (engine->blocked != blocked(engine)) listen_again(engine);
  rearm(engine);
}

/* The last of a wake-up: nothing of a session that is over stays on the stack. */
static void forget(struct sw_engine *engine) {
  if (!sw_link_keys_wiped(engine->link)) return;
  sw_stack_wipe();
  sodium_stackzero(STACK);
}

static void on_timer(uv_timer_t *timer) {
  struct sw_engine *engine = timer->data;
  engine->deadline = UINT64_MAX;
  sw_engine_flush(engine);
  engine->observe(engine->user);
  forget(engine);
}

/* Sets the timer to when the link has something to say, if there is room for it.  libuv's clock
 * stands still while the machine sleeps: what is late is set again. */
static void rearm(struct sw_engine *engine) {
  const uint64_t deadline = engine->held.length ? UINT64_MAX : sw_link_deadline(engine->link);
  if (deadline == engine->deadline && (deadline == UINT64_MAX || deadline > sw_engine_now()))
    return;
  engine->deadline = deadline;
  if (deadline == UINT64_MAX) {
    uv_timer_stop(&engine->timer);
    return;
  }
  const uint64_t now = sw_engine_now();
  const uint64_t wait = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
  uv_update_time(engine->loop);
  uv_timer_start(&engine->timer, on_timer, wait, 0);
}

/* ---- TUN to UDP ---- */

/* Seals what is large enough with the workers' help.  Returns whether it did. */
static bool carry_out_batch(struct sw_engine *engine, uint64_t now, const struct sw_gso *gso,
                            const struct sw_address *peer) {
  size_t each;
  ssize_t left =
      sw_batch_seal(&engine->batch, engine->link, now, gso, outbox_room(&engine->outbox), &each);
  if (left < 0) return false;
  for (; left > 0; left -= (int64_t)each)
    outbox_add(&engine->outbox, (size_t)left < each ? (size_t)left : each, peer);
  return true;
}

/* Seals a packet, cut into the segments it stands for, into the outbox. */
static void carry_out(struct sw_engine *engine, uint64_t now, size_t length,
                      const struct sw_offload *offload) {
  struct sw_gso gso;
  struct sw_segment segment;
  if ((offload->gso != SW_GSO_NONE && offload->size < MIN_SEGMENT &&
       length > (size_t)offload->size * SW_UDP_SEGMENTS) ||
      sw_gso_start(&gso, engine->packet, length, offload) != 0) {
    sw_link_drop(engine->link, SW_DROP_OFFLOAD, 1);
    return;
  }
  const struct sw_address peer = *sw_link_peer(engine->link);
  /* nobody makes a super-packet of a SYN */
  if (offload->gso == SW_GSO_NONE) sw_mss_clamp(engine->packet, length, gso.partial, engine->mtu);
  if (carry_out_batch(engine, now, &gso, &peer)) return;
  while (sw_gso_next(&gso, &segment)) {
    const int64_t sealed = sw_link_seal(engine->link, now, segment.packet, segment.length,
                                        segment.partial, outbox_room(&engine->outbox));
    if (sealed < 0) continue;
    outbox_add(&engine->outbox, (size_t)sealed, &peer);
  }
}

static void on_tun(uv_poll_t *poll, int status, int events) {
  struct sw_engine *engine = poll->data;
  (void)events;
  const uint64_t now = sw_engine_now();
  for (unsigned reads = 0; reads < READS_MAX; reads++) {
    struct sw_offload offload;
    const ssize_t length = sw_tun_read(engine->tun, engine->packet, PACKET_MAX, &offload);
    if (length == -EAGAIN || length == -EIO) break;
    if (length < 0) {
      engine->failed(engine->user,
                     length == -EBADFD ? "the interface was deleted" : strerror((int)-length));
      return;
    }
    carry_out(engine, now, (size_t)length, &offload);
    if (engine->outbox.used < SEALED_ENOUGH && engine->outbox.count < SW_UDP_BATCH) continue;
    outbox_send(engine);
    if (blocked(engine)) break;
  }
  if (status < 0) { /* libuv has stopped the handle: the device is going */
    engine->failed(engine->user, "the interface was deleted");
    return;
  }
  outbox_send(engine);
  if (blocked(engine)) listen_again(engine);
  rearm(engine);
  forget(engine);
}

/* ---- UDP to TUN ---- */

static void write_packet(struct sw_engine *engine, uint8_t *packet, size_t length,
                         const struct sw_offload *offload) {
  if (sw_tun_write(engine->tun, packet, length, offload) < 0)
    sw_link_drop(engine->link, SW_DROP_TUN, 1);
}

static void write_merged(struct sw_engine *engine) {
  struct sw_gro_packet merged;
  if (sw_gro_take(&engine->gro, &merged))
    write_packet(engine, merged.packet, merged.length, &merged.offload);
}

/* Takes a packet that was opened into the glue's buffer. */
static void carry_in(struct sw_engine *engine, uint8_t *packet, const struct sw_opened *opened) {
  sw_mss_clamp(packet, opened->length, opened->partial, engine->mtu);
  if (engine->tun->offload) {
    while (sw_gro_add(&engine->gro, packet, opened->length, opened->partial)) write_merged(engine);
    return;
  }
  static const struct sw_offload none;
  if (opened->partial) sw_gro_complete(packet, opened->length);
  write_packet(engine, packet, opened->length, &none);
}

/* Does with a datagram that was opened what is to be done with it. */
static void take_in(struct sw_engine *engine, enum sw_received received, uint8_t *packet,
                    const struct sw_opened *opened) {
  switch (received) {
  case SW_RECEIVED_PACKET:
    carry_in(engine, packet, opened);
    break;
  case SW_RECEIVED_CONTROL:
    sw_engine_flush(engine);
    break;
  case SW_RECEIVED_DROPPED:
    break;
  }
}

static void open_one(struct sw_engine *engine, uint64_t now, const struct sw_address *from,
                     const uint8_t *datagram, size_t length) {
  uint8_t *packet = sw_gro_room(&engine->gro);
  struct sw_opened opened;
  const enum sw_received received =
      sw_link_open(engine->link, now, from, datagram, length, packet, &opened);
  take_in(engine, received, packet, &opened);
}

/* Opens what was added to the batch, where packets are glued: nothing is, while that is done. */
static void open_batch(struct sw_engine *engine) {
  write_merged(engine);
  const unsigned count = sw_batch_open(&engine->batch);
  for (unsigned i = 0; i < count; i++) {
    struct sw_opening *opening = &engine->batch.openings[i];
    struct sw_opened opened;
    const enum sw_received received = sw_link_open_finish(engine->link, opening, &opened);
    take_in(engine, received, opening->packet, &opened);
  }
}

static void open_run(struct sw_engine *engine, uint64_t now, const struct sw_run *run,
                     bool spread) {
  for (size_t at = 0; at < run->length; at += run->segment) {
    const size_t left = run->length - at;
    const size_t length = left < run->segment ? left : run->segment;
    const uint8_t *datagram = run->bytes + at;
    if (!spread) {
      open_one(engine, now, &run->peer, datagram, length);
    } else if (!sw_batch_add(&engine->batch, engine->link, now, &run->peer, datagram, length)) {
      open_batch(engine);
      const bool added =
          sw_batch_add(&engine->batch, engine->link, now, &run->peer, datagram, length);
      assert(added);
    }
  }
}

/* How many runs to ask for next: many only where they come one datagram each.  A few where they are
 * of many: a wake-up, and the acknowledgements that go back as one run, serve them all, and they
 * are still in the cache when it comes to opening them (two: 4 to 5 % faster than one; four: as
 * much again). */
static void adapt(struct sw_engine *engine, unsigned received) {
  bool coalesced = false;
  for (unsigned i = 0; i < received; i++)
    coalesced |= engine->inbox[i].length > engine->inbox[i].segment;
  if (coalesced)
    engine->receive_count = RECEIVE_COALESCED;
  else if (received == engine->receive_count && received < SW_ENGINE_RECEIVE)
    engine->receive_count *= 2;
}

static void receive(struct sw_engine *engine) {
  for (unsigned i = 0; i < engine->receive_count; i++) engine->inbox[i].length = SW_UDP_BUFFER;
  const uint32_t before = engine->overflows;
  const int count =
      sw_udp_receive(engine->udp, engine->inbox, engine->receive_count, &engine->overflows);
  if (count <= 0) return;
  if (engine->overflows != before)
    sw_link_drop(engine->link, SW_DROP_SOCKET, engine->overflows - before);
  const uint64_t now = sw_engine_now();
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += engine->inbox[i].length;
  const bool spread = sw_batch_opens(&engine->batch, bytes);
  for (int i = 0; i < count; i++) {
    const struct sw_run *run = &engine->inbox[i];
    if (run->truncated)
      sw_link_drop(engine->link, SW_DROP_TRUNCATED, 1);
    else if (run->length == 0)
      sw_link_drop(engine->link, SW_DROP_SHORT, 1);
    else
      open_run(engine, now, run, spread);
  }
  if (spread) open_batch(engine);
  write_merged(engine);
  adapt(engine, (unsigned)count);
}

static void read_errors(struct sw_engine *engine) {
  struct sw_address about;
  int code;
  for (unsigned i = 0; i < REPORTS_MAX && sw_udp_error(engine->udp, &about, &code) == 0; i++) {
    if (code == ECONNREFUSED)
      sw_link_refused(engine->link, sw_engine_now(), &about);
    else
      note_send_error(engine, code);
  }
}

static void on_udp(uv_poll_t *poll, int status, int events) {
  struct sw_engine *engine = poll->data;
  if (status < 0) { /* the error queue is not empty, and libuv has stopped the handle */
    read_errors(engine);
    events = UV_READABLE | UV_WRITABLE;
  }
  if (events & UV_READABLE) receive(engine);
  if (events & UV_WRITABLE) {
    if (engine->held.length) sw_engine_flush(engine);
    outbox_send(engine);
  }
  if (status < 0 || engine->blocked != blocked(engine)) listen_again(engine);
  rearm(engine);
  engine->observe(engine->user);
  forget(engine);
}

/* ---- life ---- */

static int allocate(struct sw_engine *engine) {
  uint8_t *at = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) return -errno;
  engine->memory = at;
  engine->packet = at + SW_HEADROOM;
  at += PACKET_BUFFER;
  engine->outbox = (struct sw_outbox){.buffer = at};
  at += OUTBOX_BUFFER;
  for (unsigned i = 0; i < SW_ENGINE_RECEIVE; i++, at += INBOX_BUFFER)
    engine->inbox[i].bytes = at + SW_HEADROOM;
  engine->receive_count = RECEIVE_COALESCED;
  sw_gro_start(&engine->gro, at, engine->tun->udp);
  return sw_batch_start(&engine->batch, engine->workers, at);
}

int sw_engine_start(struct sw_engine *engine) {
  engine->deadline = UINT64_MAX;
  int failed = allocate(engine);
  if (failed) return failed;
  uv_timer_init(engine->loop, &engine->timer);
  failed = uv_poll_init(engine->loop, &engine->tun_poll, engine->tun->fd);
  if (failed) {
    uv_close((uv_handle_t *)&engine->timer, NULL);
    return failed;
  }
  failed = uv_poll_init(engine->loop, &engine->udp_poll, engine->udp->fd);
  if (failed) {
    uv_close((uv_handle_t *)&engine->timer, NULL);
    uv_close((uv_handle_t *)&engine->tun_poll, NULL);
    return failed;
  }
  engine->tun_poll.data = engine->udp_poll.data = engine->timer.data = engine;
  listen_again(engine);
  rearm(engine);
  return 0;
}

void sw_engine_stop(struct sw_engine *engine) {
  sw_link_close(engine->link, sw_engine_now());
  sw_engine_flush(engine);
  uv_close((uv_handle_t *)&engine->timer, NULL);
  uv_close((uv_handle_t *)&engine->tun_poll, NULL);
  uv_close((uv_handle_t *)&engine->udp_poll, NULL);
}

void sw_engine_free(struct sw_engine *engine) {
  sw_batch_stop(&engine->batch);
  if (engine->memory) munmap(engine->memory, MEMORY);
  engine->memory = NULL;
}
