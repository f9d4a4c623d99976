/*
 * The pump: moves packets between the TUN device, the link and the UDP socket, on libuv's loop.  It
 * holds no policy: when to send what is the link's business (saltway/link.h).
 *
 * The caller owns what the first fields point to and keeps it until the loop has run out.  The
 * loop's thread calls everything here.
 */
#ifndef SALTWAY_ENGINE_PUMP_H
#define SALTWAY_ENGINE_PUMP_H

#include <stdbool.h>
#include <uv.h>

#include "channel/channel.h"
#include "engine/backlog.h"
#include "engine/batch.h"
#include "engine/drain.h"
#include "engine/outbox.h"
#include "engine/shaper.h"
#include "linux/tun.h"
#include "linux/udp.h"
#include "packet/gro.h"
#include "packet/queue.h"
#include "saltway/link.h"

/** Most runs that one system call receives. */
#define SW_PUMP_RECEIVE 32

struct sw_pump {
  uv_loop_t *loop;
  struct sw_link *link;
  struct sw_tun *tun;
  struct sw_udp *udp;
  struct sw_workers *workers; /* already started, or NULL */
  unsigned mtu;               /* of the TUN interface */
  bool dscp;                  /* datagrams get the DSCP of their packets */
  struct sw_shaper shaper;
  void (*observe)(void *user);                  /* called after the link may have changed */
  void (*failed)(void *user, const char *what); /* called when the pump cannot go on */
  void *user;

  uv_poll_t tun_poll; /* active unless packets wait in the device, see listen_tun */
  uv_poll_t udp_poll;
  bool full;    /* the socket has refused what is in the outbox */
  bool blocked; /* packets wait for the socket: the poll asks for room in it, too */
  uv_timer_t timer;
  uint64_t deadline; /* when the timer is to fire; UINT64_MAX: never */

  uint8_t *memory; /* holds all buffers below */
  uint8_t *packet; /* the packet that the TUN device has given */
  struct sw_outbox outbox;
  struct sw_queue queue; /* packets that wait for the socket, the shaper or the processor */
  struct sw_drain drain;
  struct sw_backlog backlog;
  struct sw_run inbox[SW_PUMP_RECEIVE];
  unsigned receive_count;   /* runs that the next system call asks for */
  struct sw_codel arrivals; /* keeps the wait in the socket short */
  bool excess;              /* the next packet that is opened was in it for too long */
  bool strangers;           /* since the last call it held datagrams that were not ours, too */
  uint32_t overflows;       /* datagrams lost to a full socket buffer, as the kernel counts them */
  struct sw_gro gro;
  struct sw_batch batch;
  bool wipe;             /* the timer is to wipe the stack */
  uint64_t wait_end;     /* until when packets wait for a session; 0: there is one */
  uint64_t reports_time; /* when reports were last turned off */
  bool gso_logged;       /* the log tells that the kernel refuses runs */
};

/** Starts moving packets.  Returns 0 or a negative errno. */
int sw_pump_start(struct sw_pump *pump);

/** Sends what the link itself has to send now. */
void sw_pump_flush(struct sw_pump *pump);

struct sw_queue_status sw_pump_queue_status(const struct sw_pump *pump);

/** Sends the link's farewell and stops.  The handles are closed when the loop has run out. */
void sw_pump_stop(struct sw_pump *pump);

/** Frees the buffers.  To be called after the loop has run out. */
void sw_pump_free(struct sw_pump *pump);

#endif
