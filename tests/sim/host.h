/*
 * One end of the link: a machine with its own clock, and a process on it that starts and ends.  All
 * calls into the link are made here, and are checked against the contract of saltway/link.h.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "protocol/link_state.h"
#include "random.h"

#define HOST_ENDPOINTS 3

struct host {
  unsigned side;
  unsigned keys[SW_PSKS_MAX]; /* numbers of its keys, as configured */
  unsigned key_count;
  uint64_t persistent_keepalive;
  uint32_t mtu;                                /* as configured; 0: that of the path */
  struct sw_address endpoints[HOST_ENDPOINTS]; /* as configured */
  size_t endpoint_count;
  bool remembers;               /* keeps the peer's address across restarts */
  struct sw_address remembered; /* port 0: none */

  struct sw_link *link; /* NULL: no process runs */
  unsigned life;        /* number of the process, from 1 */
  uint64_t packets_out, packets_in;

  int64_t offset; /* of its clock from the world's time */
  bool stopped;   /* its clock is stopped at `reading` */
  uint64_t reading;
  uint64_t latest; /* the latest time passed to the link */
  uint64_t late;   /* how long after a deadline its loop wakes */
};

/* "A" or "B" */
char host_name(const struct host *host);

/* The time that the link sees: the reading of its clock, but never less than before. */
uint64_t host_time(const struct host *host, uint64_t now);

/* Moves the clock by `by` from now on. */
void host_clock_jump(struct host *host, int64_t by);

/* Stops the clock; it continues from there. */
void host_clock_stop(struct host *host, uint64_t now);
void host_clock_resume(struct host *host, uint64_t now);

void host_start(struct host *host, uint64_t now);

/* Ends the process as if killed. */
void host_kill(struct host *host);

/* Returns whether the host has the key with this number. */
bool host_has(const struct host *host, unsigned number);

/* Passes host->keys to the link. */
void host_keys_set(struct host *host, uint64_t now);

/* Passes host->endpoints to the link. */
void host_endpoints_set(struct host *host, uint64_t now);

/* Returns when its loop wakes; UINT64_MAX: not without an event. */
uint64_t host_wake(const struct host *host, uint64_t now);

/* The calls of the link that open a datagram: one that writes only within its buffers, one that
 * writes around them, and those for batches, here of the datagram and a copy of it. */
enum host_opens { HOST_OPENS_EXACTLY, HOST_OPENS_FAST, HOST_OPENS_BATCH, HOST_OPENS_COUNT };

/* Passes a datagram to the link.  If `must_drop` (it is forged or replayed), the link must drop it,
 * and no state but the counters may change. */
enum sw_received host_receive(struct host *host, uint64_t now, const struct sw_path *path,
                              const uint8_t *datagram, size_t length, enum host_opens by,
                              bool must_drop, enum sw_drop *reason, uint8_t *packet,
                              size_t *packet_length);

/* Seals a packet; returns the result of sw_link_send.  `fast`: with the call that needs room around
 * its buffers.  `key`: the number of the key that masks the datagram. */
int64_t host_send(struct host *host, uint64_t now, const uint8_t *packet, size_t length, bool fast,
                  uint8_t *datagram, unsigned *key);

size_t host_transmit(struct host *host, uint64_t now, uint8_t datagram[SW_CONTROL_MAX],
                     struct sw_path *path, bool *whole, unsigned *key);

void host_refused(struct host *host, uint64_t now, const struct sw_address *peer);
void host_close(struct host *host, uint64_t now);

/* Checks the link's state and deadline when it has nothing left to transmit. */
void host_check(const struct host *host);

enum sw_link_state host_state(const struct host *host);

/* Returns whether the host has configured or validated this address of its peer. */
bool host_knows(const struct host *host, const struct sw_address *address);

/* Returns whether packets of the host are sent to this address. */
bool host_sends_to(const struct host *host, const struct sw_address *address);

/* Returns whether packets of `host` are sealed in a session that `peer` has. */
bool host_reaches(const struct host *host, const struct host *peer);

#endif
