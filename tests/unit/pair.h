/*
 * Two links wired back to back, with a clock of their own: no test of the protocol waits.
 *
 * A pair is large; have one static, start it before each test and stop it after.  Whatever passes
 * over the wire of pair_run or pair_flush is written down by its sender, one letter a datagram:
 * i(nit) r(esponse) c(ookie) d(ata) p(robe) a(ck, or keepalive) x (close).
 */
#ifndef SALTWAY_TESTS_PAIR_H
#define SALTWAY_TESTS_PAIR_H

#include "protocol/link_state.h"

#define PAIR_START (1000 * SW_SECOND)
#define PAIR_ROOM 2048
#define PAIR_FLIGHT 256
#define PAIR_SAID 1024

struct pair_datagram {
  size_t length;
  struct sw_address from, to;
  uint64_t due;
  uint8_t bytes[PAIR_ROOM];
};

struct pair_side {
  struct pair *pair;
  struct pair_side *other;
  struct sw_link *link;
  struct sw_address address;
  bool deaf;                     /* what is sent to it is lost on the wire */
  unsigned packets;              /* received over the wire */
  uint64_t drops[SW_DROP_COUNT]; /* as they were at the latest pair_assert_drop(s) */
  char said[PAIR_SAID];
  uint64_t said_at[PAIR_SAID];
  struct sw_address said_to[PAIR_SAID];
  unsigned said_count;
};

struct pair {
  uint64_t now;
  uint64_t latency; /* one way */
  struct pair_side left, right;
  struct pair_datagram flight[PAIR_FLIGHT];
  unsigned flying;
};

/** Makes both links; the left one knows the right one's address (which starts it), the right one
 * waits.  Left is 10.1.0.1 and fd01::1 inside, right is 10.2.0.1 and fd02::1. */
void pair_start(struct pair *pair, uint64_t persistent_keepalive);
void pair_stop(struct pair *pair);

/** Frees one side's link and makes it anew, as a restart of the process does. */
void pair_restart(struct pair_side *side, uint64_t persistent_keepalive);

/** Tells a side the other's address. */
void pair_introduce(struct pair_side *side);

/** 192.0.2.last, on port 51900. */
struct sw_address pair_address(uint8_t last);

/** Takes the next datagram of the link's own, past the wire.  Returns whether there is one. */
bool pair_take(struct pair_side *side, struct pair_datagram *datagram);

/** As pair_take, and asserts that there is one and which. */
void pair_take_letter(struct pair_side *side, char letter, struct pair_datagram *datagram);

/** Hands a datagram to a side, past the wire. */
enum sw_received pair_give(struct pair_side *side, const struct pair_datagram *datagram);

/** Seals a packet of `length` bytes, a valid one from this side to the other, past the wire. */
void pair_seal(struct pair_side *side, size_t length, struct pair_datagram *datagram);

/** Seals any bytes as any kind in the side's sending session, past the wire. */
void pair_seal_kind(struct pair_side *side, enum sw_kind kind, const uint8_t *plain, size_t length,
                    struct pair_datagram *datagram);

/** Seals a handshake plaintext under the pair's key. */
void pair_seal_message(struct pair_side *side, const uint8_t *plain, size_t length,
                       struct pair_datagram *datagram);

/** Sends a valid packet over the wire. */
void pair_send(struct pair_side *side);

/** Puts what both links have to say on the wire, and delivers what is due, until both are quiet.
 * Asserts that neither then claims to have something to do at once. */
void pair_flush(struct pair *pair);

/** Lets time pass, and everything happen that is due in it. */
void pair_run(struct pair *pair, uint64_t duration);

/** Runs until both links are up; asserts that they come to be. */
void pair_connect(struct pair *pair);

enum sw_link_state pair_state(struct pair_side *side);

/** Forgets what a side said. */
void pair_hush(struct pair_side *side);

/** How often a side said this letter. */
unsigned pair_said(const struct pair_side *side, char letter);

/** Which letter a datagram is to who has the side's key; '?' if it is none. */
char pair_letter(const struct pair_side *side, const struct pair_datagram *datagram);

/** Asserts that since the last call one drop was counted, for this reason; or none. */
void pair_assert_drop(struct pair_side *side, enum sw_drop reason);
void pair_assert_no_drops(struct pair_side *side);

/** Whether pair_assert_drop was ever called for this reason. */
bool pair_drop_was_seen(enum sw_drop reason);

/** Writes an IPv4 packet of `length` bytes. */
void pair_packet4(uint8_t *packet, size_t length, const uint8_t source[4]);

#endif
