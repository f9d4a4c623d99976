/*
 * The world of a run: two hosts, the network between them, the applications behind them, and time,
 * which advances from event to event.  It checks the invariants of both links at every step.  Its
 * driver (a seed or a scenario) only causes events.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "host.h"
#include "network.h"
#include "traffic.h"

#define BUDGETS 256

struct budget {
  struct sw_address address;
  size_t bytes;
};

struct world {
  uint64_t seed;
  bool verbose;
  uint64_t now;
  struct dice dice;
  struct host hosts[2];
  struct traffic traffic[2];
  size_t packet_most; /* longer packets are not sent */
  struct network network;
  struct wiretap tap;
  uint64_t diverted[2];   /* since when each side sends to the attacker; 0: it does not */
  uint64_t diverted_most; /* how long that may last; 0: not at all */
  struct budget budgets[2][BUDGETS]; /* of each side, for addresses that it does not know */
  unsigned budget_next;
  bool refusals;        /* hosts without a process send ICMP errors, and links get them */
  unsigned idle_events; /* in a row at one time: time must advance */
};

/* Makes a world at t = 1 s with no process running.  Both hosts have the same key and each other's
 * address. */
struct world *world_new(uint64_t seed, bool verbose);
void world_free(struct world *world);

/* Sets the side's keys, those with these numbers. */
void world_keys(struct world *world, unsigned side, const unsigned *numbers, unsigned count);

void world_log(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- time ---- */

/* Runs the next event if it is due by `until`.  Otherwise sets the time to `until` and returns
 * false. */
bool world_step(struct world *world, uint64_t until);

void world_run(struct world *world, uint64_t duration);

/* ---- what happens ---- */

void world_start(struct world *world, unsigned side);
void world_kill(struct world *world, unsigned side);

/* Closes the link in order.  Its process runs until it is killed. */
void world_close(struct world *world, unsigned side);

/* Sends a packet of an application; returns whether the link accepted it. */
bool world_send(struct world *world, unsigned side);

/* The side's applications send every `interval` on average from now on; 0: not at all. */
void world_traffic(struct world *world, unsigned side, uint64_t interval);

/* Changes the side's address, as a NAT does; with `renumber` its own addresses, too.  The former
 * ones are unused. */
void world_rebind(struct world *world, unsigned side, bool renumber);

/* Gives both sides a second address, of a second provider, and each that has an endpoint a second
 * one. */
void world_second(struct world *world);

/* Resolves the peer's names again: the host learns `count` addresses, of which one is its
 * peer's. */
void world_resolve(struct world *world, unsigned side, size_t count);

/* Reports to a link that nothing listens at `peer`. */
void world_refuse(struct world *world, unsigned side, const struct sw_address *peer);

/* ---- what is true ---- */

/* Returns whether both links are up, and what each sends can be opened and arrives at the other. */
bool world_agrees(const struct world *world);

/* Returns how many datagrams of a kind a side sent from recording `since` on. */
size_t world_count(const struct world *world, unsigned side, enum datagram_kind kind, size_t since);

#endif
