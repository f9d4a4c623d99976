/*
 * One end of the link: a machine with a clock of its own, and the process on it, which comes and
 * goes.  Every call into the link is made here and held to what saltway/link.h promises of it.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "protocol/link_state.h"
#include "random.h"

#define HOST_ENDPOINTS 3

struct host {
  unsigned side;
  struct sw_psk psk;
  uint64_t persistent_keepalive;
  struct sw_address endpoints[HOST_ENDPOINTS]; /* as its configuration gives them */
  size_t endpoint_count;
  bool remembers;               /* the peer's address across restarts */
  struct sw_address remembered; /* port 0: none */

  struct sw_link *link; /* NULL: no process runs */
  unsigned life;        /* which process it is, from 1 */
  uint64_t packets_out, packets_in;

  int64_t offset; /* of its clock from the world's time */
  bool stands;    /* its clock does, at `reading` */
  uint64_t reading;
  uint64_t latest; /* the latest time that the link was told */
  uint64_t late;   /* how long after a deadline its loop wakes up */
};

/* "A" or "B" */
char host_name(const struct host *host);

/* What the link takes the time for: what its clock shows, but never less than before. */
uint64_t host_time(const struct host *host, uint64_t now);

/* The clock jumps, from now on. */
void host_clock_jump(struct host *host, int64_t by);

/* The clock stands still, and goes on from there. */
void host_clock_stop(struct host *host, uint64_t now);
void host_clock_resume(struct host *host, uint64_t now);

void host_start(struct host *host, uint64_t now);

/* The process ends as if killed. */
void host_kill(struct host *host);

/* Tells the link of host->endpoints. */
void host_endpoints_tell(struct host *host, uint64_t now);

/* When its loop wakes up; UINT64_MAX: not by itself. */
uint64_t host_wake(const struct host *host, uint64_t now);

/* The calls of the link that open a datagram: one that touches nothing around its buffers, one that
 * does, and those for batches, for one of this datagram and a copy of it. */
enum host_opens { HOST_OPENS_EXACTLY, HOST_OPENS_FAST, HOST_OPENS_BATCH, HOST_OPENS_COUNT };

/* Hands a datagram to the link.  If it `must_drop` that (a stranger's, a replay), it has to, and
 * not a bit of its state may change but the counters. */
enum sw_received host_receive(struct host *host, uint64_t now, const struct sw_address *from,
                              const uint8_t *datagram, size_t length, enum host_opens by,
                              bool must_drop, enum sw_drop *reason, uint8_t *packet,
                              size_t *packet_length);

/* Seals a packet; returns what sw_link_send does.  `fast`: by the call with room around its
 * buffers. */
int64_t host_send(struct host *host, uint64_t now, const uint8_t *packet, size_t length, bool fast,
                  uint8_t *datagram);

size_t host_transmit(struct host *host, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                     struct sw_address *to);

void host_refused(struct host *host, uint64_t now, const struct sw_address *peer);
void host_close(struct host *host, uint64_t now);

/* Checks the link's state and deadline once it has nothing more to transmit. */
void host_check(const struct host *host);

enum sw_link_state host_state(const struct host *host);

/* Whether any session of the host leads to this address. */
bool host_sends_to(const struct host *host, const struct sw_address *address);

/* Whether packets that `host` sends are in a session that `peer` has, to an address that is its. */
bool host_reaches(const struct host *host, const struct host *peer,
                  const struct sw_address *address);

#endif
