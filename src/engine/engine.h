/*
 * The engine: carries packets between the TUN device, the link's protocol core and the UDP socket,
 * on libuv's loop.  It holds no policy: what the protocol does is the core's (saltway/link.h), what
 * people are told is report.c's.
 *
 * The caller owns everything pointed to and keeps it until the loop has run out.
 */
#ifndef SALTWAY_ENGINE_ENGINE_H
#define SALTWAY_ENGINE_ENGINE_H

#include <stdbool.h>
#include <uv.h>

#include "engine/batch.h"
#include "linux/tun.h"
#include "linux/udp.h"
#include "packet/gro.h"
#include "saltway/link.h"

/* most runs received by one system call */
#define SW_ENGINE_RECEIVE 32

/* most runs in the outbox: of one system call, and of one super-packet more */
#define SW_ENGINE_RUNS (SW_UDP_BATCH + 32)

/* Sealed datagrams on their way out: one behind the other in a buffer, as runs of equal size. */
struct sw_outbox {
  uint8_t *buffer;
  size_t used;
  struct sw_run runs[SW_ENGINE_RUNS];
  unsigned sent, count; /* runs [sent, count) wait */
  unsigned segments;    /* of the last run */
  bool closed;          /* the last run ended with a shorter datagram */
};

struct sw_engine {
  uv_loop_t *loop;
  struct sw_link *link;
  struct sw_tun *tun;
  struct sw_udp *udp;
  struct sw_workers *workers;                   /* started by now, or NULL */
  unsigned mtu;                                 /* of the TUN interface */
  void (*observe)(void *user);                  /* called after the link may have changed */
  void (*failed)(void *user, const char *what); /* the engine can't go on */
  void *user;

  uv_poll_t tun_poll, udp_poll;
  uv_timer_t timer;
  uint64_t deadline; /* what the timer is set to */

  uint8_t *memory; /* all buffers below */
  uint8_t *packet; /* what the TUN gave */
  struct sw_outbox outbox;
  uint8_t control[SW_CONTROL_MAX]; /* a datagram of the link's own, that ... */
  struct sw_run held;              /* ... waits for the socket, if it has a length */
  bool blocked;                    /* something waits for the socket, and the TUN is not read */
  bool gso_noted;                  /* that the kernel refuses runs is in the log */
  struct sw_run inbox[SW_ENGINE_RECEIVE];
  unsigned receive_count; /* runs asked of one system call, adapted to what comes */
  uint32_t overflows;     /* of the socket's buffer, as the kernel counts them */
  struct sw_gro gro;
  struct sw_batch batch;

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
