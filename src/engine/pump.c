#include "engine/pump_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/stack.h"

#define EXPIRE_EVERY SW_SECOND       /* while the socket is full */
#define SESSION_WAIT (5 * SW_SECOND) /* most time that packets wait for a session */
#define FAREWELL_BUFFER (384 << 10)  /* bytes; more than drain.c ever chooses */
#define ARRIVALS_TARGET (SW_SECOND / 500)
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

/* ---- waiting ---- */

/* Whether packets of the queue could be sent, or could if there were room in the socket. */
static bool has_ready(const struct sw_pump *pump, uint64_t now) {
  return pump->queue.bytes > 0 && !sw_pump_waits_for_session(pump, now);
}

static bool is_blocked(const struct sw_pump *pump, uint64_t now) {
  return pump->full || (has_ready(pump, now) && pump->shaper.next <= now);
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
 * the peer restarts, are not lost.  Nor is it read while the pump is stopped. */
static void listen_tun(struct sw_pump *pump, uint64_t now) {
  const bool wait = sw_pump_waits_for_session(pump, now) || sw_pump_is_stopped(pump);
  if (wait != (bool)uv_is_active((uv_handle_t *)&pump->tun_poll)) return;
  if (wait)
    uv_poll_stop(&pump->tun_poll);
  else
    uv_poll_start(&pump->tun_poll, UV_READABLE, on_tun);
}

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

/* When the timer has to fire.  While the socket is full the link cannot send, but keys still expire. */
static uint64_t next_deadline(const struct sw_pump *pump, uint64_t now) {
  if (pump->full) {
    const uint64_t latest = now + EXPIRE_EVERY;
    return pump->deadline > now ? earlier(pump->deadline, latest) : latest;
  }
  uint64_t deadline = sw_link_deadline(pump->link);
  if (sw_pump_waits_for_session(pump, now)) deadline = earlier(deadline, pump->wait_end);
  if (has_ready(pump, now) && pump->shaper.next > now)
    deadline = earlier(deadline, pump->shaper.next);
  return deadline;
}

static void set_timer(struct sw_pump *pump, uint64_t now) {
  if (pump->wipe) return; /* it fires at once, and is set then */
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
  sw_pump_resume_reports(pump);
  set_timer(pump, now);
  wipe_stack(pump);
}

void sw_pump_flush(struct sw_pump *pump) {
  sw_pump_send(pump);
  wait_again(pump);
}

/* ---- events ---- */

static void on_tun(uv_poll_t *poll, int status, int events) {
  struct sw_pump *pump = poll->data;
  (void)events;
  const int failed = sw_pump_read(pump);
  if (failed && failed != -EBADFD) {
    pump->failed(pump->user, strerror(-failed));
    return;
  }
  if (failed || status < 0) { /* libuv has stopped the handle */
    pump->failed(pump->user, "the interface was deleted");
    return;
  }
  wait_again(pump);
}

static void on_udp(uv_poll_t *poll, int status, int events) {
  struct sw_pump *pump = poll->data;
  if (status < 0) { /* the error queue is not empty, and libuv has stopped the handle */
    sw_pump_read_reports(pump);
    events = UV_READABLE | UV_WRITABLE;
  }
  if (events & UV_READABLE) sw_pump_receive(pump);
  if (events & UV_WRITABLE) sw_pump_send(pump);
  if (status < 0) listen_udp(pump);
  pump->observe(pump->user);
  wait_again(pump);
}

static void on_timer(uv_timer_t *timer) {
  struct sw_pump *pump = timer->data;
  pump->deadline = UINT64_MAX;
  if (pump->wipe) wipe();
  pump->wipe = false;
  sw_pump_send(pump);
  pump->observe(pump->user);
  wait_again(pump);
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
  pump->receive_count = SW_PUMP_COALESCED;
  pump->arrivals.target = ARRIVALS_TARGET;
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

/* What waits for room in the socket is lost, but not the farewell. */
static void make_room(struct sw_pump *pump) {
  if (pump->full) sw_outbox_init(&pump->outbox, pump->outbox.buffer);
  sw_udp_buffer_set(pump->udp, FAREWELL_BUFFER);
  pump->full = false;
}

void sw_pump_stop(struct sw_pump *pump) {
  sw_link_close(pump->link, sw_clock_now());
  make_room(pump);
  sw_pump_send(pump);
  uv_close((uv_handle_t *)&pump->timer, NULL);
  uv_close((uv_handle_t *)&pump->tun_poll, NULL);
  uv_close((uv_handle_t *)&pump->udp_poll, NULL);
}

void sw_pump_free(struct sw_pump *pump) {
  sw_batch_stop(&pump->batch);
  if (pump->memory) munmap(pump->memory, MEMORY);
  pump->memory = NULL;
}
