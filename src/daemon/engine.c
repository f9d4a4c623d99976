#include "daemon/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { BUFFERS = 2 * SW_UDP_BATCH + 1 };

uint64_t sw_engine_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return (uint64_t)now.tv_sec * SW_SECOND + (uint64_t)now.tv_nsec;
}

static void on_tun(uv_poll_t *poll, int status, int events);
static void on_udp(uv_poll_t *poll, int status, int events);

/* ---- UDP, outgoing ---- */

static void note_send_error(struct sw_engine *engine, int code) {
  engine->unreachable = code;
  engine->unreachable_time = sw_engine_now();
}

/* Sends what is sealed.  While the socket's buffer is full the TUN is not read: packets wait, or
 * are dropped, in the interface's queue, as on any network device. */
static void send_sealed(struct sw_engine *engine) {
  while (engine->sent < engine->sealed) {
    const int sent =
        sw_udp_send(engine->udp, engine->outgoing + engine->sent, engine->sealed - engine->sent);
    if (sent == -EAGAIN) {
      uv_poll_stop(&engine->tun_poll);
      uv_poll_start(&engine->udp_poll, UV_READABLE | UV_WRITABLE, on_udp);
      return;
    }
    if (sent < 0) {
      note_send_error(engine, -sent);
      sw_link_drop(engine->link, SW_DROP_SEND, 1);
    }
    engine->sent += sent < 0 ? 1 : (unsigned)sent;
  }
  engine->sent = engine->sealed = 0;
}

static void rearm(struct sw_engine *engine);

void sw_engine_flush(struct sw_engine *engine) {
  uint8_t bytes[SW_CONTROL_MAX];
  struct sw_datagram datagram = {.bytes = bytes};
  const uint64_t now = sw_engine_now();
  while ((datagram.length = sw_link_transmit(engine->link, now, bytes, &datagram.peer)) > 0) {
    const int sent = sw_udp_send(engine->udp, &datagram, 1);
    if (sent > 0) continue;
    if (sent != -EAGAIN) note_send_error(engine, -sent);
    sw_link_drop(engine->link, SW_DROP_SEND, 1);
  }
  rearm(engine);
}

static void on_timer(uv_timer_t *timer) {
  struct sw_engine *engine = timer->data;
  engine->deadline = UINT64_MAX;
  sw_engine_flush(engine);
  engine->observe(engine->user);
}

static void rearm(struct sw_engine *engine) {
  const uint64_t deadline = sw_link_deadline(engine->link);
  if (deadline == engine->deadline) return;
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

static void on_tun(uv_poll_t *poll, int status, int events) {
  struct sw_engine *engine = poll->data;
  (void)status;
  (void)events;
  const uint64_t now = sw_engine_now();
  for (unsigned reads = 0; reads < SW_UDP_BATCH; reads++) {
    const ssize_t length = sw_tun_read(engine->tun, engine->packet, SW_UDP_BUFFER);
    if (length == -EAGAIN || length == -EIO) break;
    if (length < 0) {
      engine->failed(engine->user,
                     length == -EBADFD ? "the interface was deleted" : strerror((int)-length));
      return;
    }
    struct sw_datagram *datagram = &engine->outgoing[engine->sealed];
    datagram->peer = *sw_link_peer(engine->link);
    const int64_t sealed =
        sw_link_send(engine->link, now, engine->packet, (size_t)length, datagram->bytes);
    if (sealed < 0) continue;
    datagram->length = (size_t)sealed;
    engine->sealed++;
  }
  send_sealed(engine);
  rearm(engine);
}

/* ---- UDP to TUN ---- */

static void inject(struct sw_engine *engine, size_t length) {
  const int written = sw_tun_write(engine->tun, engine->packet, length);
  if (written < 0) sw_link_drop(engine->link, SW_DROP_TUN, 1);
}

static void receive(struct sw_engine *engine) {
  for (unsigned i = 0; i < SW_UDP_BATCH; i++) engine->incoming[i].length = SW_UDP_BUFFER;
  const uint64_t before = engine->overflows;
  const int count = sw_udp_receive(engine->udp, engine->incoming, SW_UDP_BATCH, &engine->overflows);
  if (count <= 0) return;
  if (engine->overflows != before)
    sw_link_drop(engine->link, SW_DROP_SOCKET, (uint32_t)(engine->overflows - before));
  const uint64_t now = sw_engine_now();
  for (int i = 0; i < count; i++) {
    const struct sw_datagram *datagram = &engine->incoming[i];
    if (datagram->truncated) {
      sw_link_drop(engine->link, SW_DROP_TRUNCATED, 1);
      continue;
    }
    size_t length;
    switch (sw_link_receive(engine->link, now, &datagram->peer, datagram->bytes, datagram->length,
                            engine->packet, &length)) {
    case SW_RECEIVED_PACKET:
      inject(engine, length);
      break;
    case SW_RECEIVED_CONTROL:
      sw_engine_flush(engine);
      break;
    case SW_RECEIVED_DROPPED:
      break;
    }
  }
}

static void read_errors(struct sw_engine *engine) {
  struct sw_address about;
  int code;
  while (sw_udp_error(engine->udp, &about, &code) == 0) {
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
    uv_poll_start(poll, UV_READABLE | (engine->sealed ? UV_WRITABLE : 0), on_udp);
  }
  if (events & UV_READABLE) receive(engine);
  if (events & UV_WRITABLE && engine->sealed) {
    send_sealed(engine);
    if (!engine->sealed) {
      uv_poll_start(&engine->udp_poll, UV_READABLE, on_udp);
      uv_poll_start(&engine->tun_poll, UV_READABLE, on_tun);
    }
  }
  rearm(engine);
  engine->observe(engine->user);
}

/* ---- life ---- */

int sw_engine_start(struct sw_engine *engine) {
  engine->deadline = UINT64_MAX;
  engine->buffers = mmap(NULL, (size_t)BUFFERS * SW_UDP_BUFFER, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (engine->buffers == MAP_FAILED) {
    engine->buffers = NULL;
    return -errno;
  }
  for (size_t i = 0; i < SW_UDP_BATCH; i++) {
    engine->incoming[i].bytes = engine->buffers + i * SW_UDP_BUFFER;
    engine->outgoing[i].bytes = engine->buffers + (SW_UDP_BATCH + i) * SW_UDP_BUFFER;
  }
  engine->packet = engine->buffers + (size_t)2 * SW_UDP_BATCH * SW_UDP_BUFFER;
  uv_timer_init(engine->loop, &engine->timer);
  int failed = uv_poll_init(engine->loop, &engine->tun_poll, engine->tun->fd);
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
  uv_poll_start(&engine->tun_poll, UV_READABLE, on_tun);
  uv_poll_start(&engine->udp_poll, UV_READABLE, on_udp);
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
  if (engine->buffers) munmap(engine->buffers, (size_t)BUFFERS * SW_UDP_BUFFER);
  engine->buffers = NULL;
}
