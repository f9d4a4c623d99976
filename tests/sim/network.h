/*
 * The network between two hosts, with all the ill will that a network may bear: it loses,
 * duplicates, reorders, delays, alters and truncates what a link sends, reflects it to its sender,
 * and replays whatever it ever carried, to whom and from where it likes.
 *
 * It knows the hosts by the addresses they have at present; those change (NAT), and what is sent to
 * a former one is lost.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include "random.h"
#include "wiretap.h"

/* What happens to the datagrams that one side sends; chances are per mille. */
struct path {
  uint64_t delay, jitter; /* each takes delay to delay + jitter */
  unsigned loss, duplicate, corrupt, truncate, reflect;
  unsigned replay; /* some recorded datagram comes with it */
  size_t mtu;      /* what is longer is lost; 0: all pass */
  bool blackout;
};

/* A datagram under way. */
struct flight {
  uint64_t time, order;
  struct sw_address from, to;
  uint8_t *bytes;
  size_t length;
  bool stranger;    /* no link made these bytes: they were altered, or drawn at random */
  size_t recording; /* if not, what it is a copy of */
};

struct network {
  struct dice *dice;
  struct wiretap *tap;
  struct path paths[2];         /* by sender */
  struct sw_address address[2]; /* of each side, as the other sees it now */
  struct flight *flights;       /* a heap, soonest first */
  size_t count, capacity;
  uint64_t order;
  /* a thief copies, injects and relays, and drops nothing: from his own address he sends a copy of
   * this part of all inits, per mille, and passes on what he is answered */
  struct sw_address thief;
  unsigned steal;
  /* if set, called with each datagram sent; false: it is lost */
  bool (*intercept)(void *context, size_t recording);
  void *context;
};

/* 203.0.113.x or 2001:db8::x, at some port: for hosts and strangers alike. */
struct sw_address network_address(struct dice *dice);

void network_start(struct network *network, struct dice *dice, struct wiretap *tap);
void network_free(struct network *network);

/* Sends what was just recorded on its way. */
void network_pass(struct network *network, uint64_t now, size_t recording);

/* Brings a copy of a recorded datagram to a side at `time`, from `from`. */
void network_replay(struct network *network, uint64_t time, size_t recording, unsigned side,
                    const struct sw_address *from);

/* Some recorded datagram, often a recent one, to either side, from anywhere. */
void network_replay_any(struct network *network, uint64_t time);

/* Brings bytes that nobody made with the key to a side at `time`. */
void network_inject(struct network *network, uint64_t time, const uint8_t *bytes, size_t length,
                    unsigned side, const struct sw_address *from);

/* Random bytes from a stranger. */
void network_junk(struct network *network, uint64_t time, unsigned side);

/* When the next datagram arrives; UINT64_MAX: none is under way. */
uint64_t network_next(const struct network *network);

/* Takes the next datagram, whose bytes are the caller's to free. */
struct flight network_take(struct network *network);

#endif
