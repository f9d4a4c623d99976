/*
 * The network between two hosts, as hostile as a network can be: it loses, duplicates, reorders,
 * delays, alters and truncates datagrams, reflects them to their sender, and replays any recorded
 * datagram from any address to either side.
 *
 * It knows the hosts by their present addresses. Addresses change (NAT), and datagrams to a former
 * address are lost.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "random.h"
#include "wiretap.h"

/* The longest datagram that Ethernet and IPv4 carry. */
#define NETWORK_MTU 1472

/* Treatment of the datagrams that one side sends; probabilities are per mille. */
struct path {
  uint64_t delay, jitter; /* each datagram takes delay to delay + jitter */
  unsigned loss, duplicate, corrupt, truncate, reflect;
  unsigned replay; /* a recorded datagram is delivered with it */
  size_t mtu;      /* longer datagrams are fragmented, or lost; 0: none */
  bool blackout;
};

/* A datagram in flight. */
struct flight {
  uint64_t time, order;
  struct sw_address from, to;
  uint8_t *bytes;
  size_t length;
  bool forged;      /* not sealed by a link: altered or random */
  size_t recording; /* if not forged: what it is a copy of */
};

struct network {
  struct dice *dice;
  struct wiretap *tap;
  struct path paths[2];         /* by sender */
  struct sw_address address[2]; /* of each side, as the other side sees it */
  /* a second provider: what is sent from or to a second address takes the path of these */
  struct path second_paths[2];
  struct sw_address second[2];      /* port 0: the side has none */
  uint8_t local[2][2][SW_IP_BYTES]; /* the sides' own addresses, of each provider */
  struct flight *flights;           /* a heap ordered by time */
  size_t count, capacity;
  uint64_t order;
  /* The attacker observes, injects and relays, and drops nothing.  It sends copies of this part of
   * all inits and of all datagrams (per mille) from its own address, and relays what it gets. */
  struct sw_address attacker;
  unsigned hijack, relay;
  bool fast; /* its copies of the latter arrive first */
  /* called for each datagram sent, unless NULL; false: the datagram is lost */
  bool (*intercept)(void *context, size_t recording);
  void *context;
};

/* Draws an address: 203.0.113.x or 2001:db8::x, and any port. */
struct sw_address network_address(struct dice *dice);

void network_start(struct network *network, struct dice *dice, struct wiretap *tap);
void network_free(struct network *network);

/* Draws new own addresses of a side. */
void network_renumber(struct network *network, unsigned side);

/* The address that a side sends from, on a path that the link has chosen: a host without the local
 * address of the path chooses one itself. */
const struct sw_address *network_source(const struct network *network, unsigned side,
                                        const struct sw_path *path);

/* Our own address at which a datagram arrived that was sent to `to`, or NULL if it is not the
 * side's. */
const uint8_t *network_local(const struct network *network, unsigned side,
                             const struct sw_address *to);

/* Sends a datagram that was just recorded. */
void network_pass(struct network *network, uint64_t now, size_t recording);

/* Delivers a copy of a recorded datagram to a side at `time`, from the address `from`. */
void network_replay(struct network *network, uint64_t time, size_t recording, unsigned side,
                    const struct sw_address *from);

/* Delivers a random recorded datagram, often a recent one, to either side, from any address. */
void network_replay_any(struct network *network, uint64_t time);

/* Delivers bytes that were not sealed with the key to a side at `time`. */
void network_inject(struct network *network, uint64_t time, const uint8_t *bytes, size_t length,
                    unsigned side, const struct sw_address *from);

/* Delivers random bytes. */
void network_junk(struct network *network, uint64_t time, unsigned side);

/* Returns when the next datagram arrives; UINT64_MAX: none is in flight. */
uint64_t network_next(const struct network *network);

/* Removes and returns the next datagram. The caller frees its bytes. */
struct flight network_take(struct network *network);

#endif
