/*
 * The world of a run: two hosts, the network between them, the applications behind them, and time,
 * which goes from event to event.  It holds both links to the invariants at every step; whoever
 * drives it (a seed, a scenario) only makes things happen.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "host.h"
#include "network.h"
#include "traffic.h"

struct world {
  uint64_t seed;
  bool verbose;
  uint64_t now;
  struct dice dice;
  struct host hosts[2];
  struct traffic traffic[2];
  struct network network;
  struct wiretap tap;
  bool refusals;        /* hosts without a process answer by ICMP, and links are told */
  unsigned idle_events; /* in a row, at one time: time has to go on */
};

/* A world at t = 1 s, in which nothing runs yet: both hosts have the same key, and each other's
 * address. */
struct world *world_new(uint64_t seed, bool verbose);
void world_free(struct world *world);

/* Sets the hosts' keys; before anything runs. */
void world_keys(struct world *world, const struct sw_psk psk[2]);

void world_log(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- time ---- */

/* Runs the next event if it is not after `until`; else that is the time, and false is returned. */
bool world_step(struct world *world, uint64_t until);

void world_run(struct world *world, uint64_t duration);

/* ---- what happens ---- */

void world_start(struct world *world, unsigned side);
void world_kill(struct world *world, unsigned side);

/* The link is closed in order; its process runs on until it is killed. */
void world_close(struct world *world, unsigned side);

/* An application sends a packet; returns whether the link took it. */
bool world_send(struct world *world, unsigned side);

/* Applications of a side send every `interval` on average from now on; 0: not at all. */
void world_traffic(struct world *world, unsigned side, uint64_t interval);

/* The side's address changes, as by a NAT; the former one is nobody's. */
void world_rebind(struct world *world, unsigned side);

/* A host learns where its peer is now (its names are resolved anew), as one of `count` addresses.
 */
void world_resolve(struct world *world, unsigned side, size_t count);

/* A link is told that nobody listens at `peer`. */
void world_refuse(struct world *world, unsigned side, const struct sw_address *peer);

/* ---- what is true ---- */

/* Both are up, and what each sends can be opened and arrives at the other. */
bool world_agrees(const struct world *world);

/* How many datagrams of a kind a side sent since recording `since`. */
size_t world_count(const struct world *world, unsigned side, enum datagram_kind kind, size_t since);

#endif
