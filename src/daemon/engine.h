/*
 * The engine: carries packets between the TUN device, the link's protocol core and the UDP socket,
 * on libuv's loop.  It holds no policy: what the protocol does is the core's (saltway/link.h), what
 * people are told is report.c's.
 *
 * The caller owns everything pointed to and keeps it until the loop has run out.
 */
#ifndef SALTWAY_DAEMON_ENGINE_H
#define SALTWAY_DAEMON_ENGINE_H

#include <stdbool.h>
#include <uv.h>

#include "linux/tun.h"
#include "linux/udp.h"
#include "saltway/link.h"

struct sw_engine {
  uv_loop_t *loop;
  struct sw_link *link;
  struct sw_tun *tun;
  struct sw_udp *udp;
  void (*observe)(void *user);                  /* called after the link may have changed */
  void (*failed)(void *user, const char *what); /* the engine can't go on */
  void *user;

  uv_poll_t tun_poll, udp_poll;
  uv_timer_t timer;
  uint64_t deadline; /* what the timer is set to */

  /* sealed, in order, waiting for room in the socket's buffer: [sent, sealed) */
  struct sw_datagram outgoing[SW_UDP_BATCH];
  unsigned sent, sealed;

  struct sw_datagram incoming[SW_UDP_BATCH];
  uint64_t overflows; /* of the socket's buffer, as the kernel counts them */

  uint8_t *buffers;
  uint8_t *packet;

  int unreachable; /* the latest errno the network or the kernel gave about sending; 0: none */
  uint64_t unreachable_time;
};

/** Nanoseconds of CLOCK_BOOTTIME. */
uint64_t sw_engine_now(void);

/** Starts carrying.  Returns 0 or a negative errno. */
int sw_engine_start(struct sw_engine *engine);

/** Lets the link send what it has to say, now. */
void sw_engine_flush(struct sw_engine *engine);

/** Says goodbye to the peer and stops carrying; its handles are closed when the loop runs out. */
void sw_engine_stop(struct sw_engine *engine);

/** Frees the buffers, after the loop ran out. */
void sw_engine_free(struct sw_engine *engine);

#endif
