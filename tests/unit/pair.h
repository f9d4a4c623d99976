/*
 * Two links connected back to back, with a virtual clock, so that no test of the protocol waits.
 *
 * A pair is large: use a static one, start it before each test and stop it after.  Each datagram on
 * the wire of pair_run or pair_flush is logged for its sender as one letter: i(nit) r(esponse)
 * c(ookie) d(ata) p(robe) k (check: a probe of another path) m(ove) a(ck) x (close).
 *
 * The wire takes a datagram to the side with its address.  A test can take its place (`route`), to
 * give the sides more addresses, to translate these, and to copy or to lose datagrams.
 */
#ifndef SALTWAY_TESTS_PAIR_H
#define SALTWAY_TESTS_PAIR_H

#include "protocol/link_state.h"

#define PAIR_START (1000 * SW_SECOND)
#define PAIR_ROOM SW_CONTROL_MAX
#define PAIR_MTU 1420 /* configured */
#define PAIR_FLIGHT 256
#define PAIR_SENT_MAX 8192

struct pair_datagram {
  size_t length;
  struct sw_address from, to;
  struct pair_side *receiver;
  uint64_t due;
  uint8_t bytes[PAIR_ROOM];
};

struct pair_side {
  struct pair *pair;
  struct pair_side *other;
  struct sw_link *link;
  struct sw_address address;
  bool deaf;                     /* datagrams to it are lost on the wire */
  unsigned packets;              /* received over the wire */
  uint64_t drops[SW_DROP_COUNT]; /* at the latest pair_assert_drop(s) */
  char sent[PAIR_SENT_MAX];
  uint64_t sent_at[PAIR_SENT_MAX];
  struct sw_address sent_to[PAIR_SENT_MAX];
  unsigned sent_count;
};

struct pair {
  uint64_t now;
  uint64_t latency; /* one way */
  bool searches;    /* probes of the MTU are on the wire; else all are answered at once */
  struct pair_side left, right;
  /* Returns the receiver of what `sender` has put on the wire, or NULL: it is lost.  May change the
   * addresses.  NULL: the default. */
  struct pair_side *(*route)(struct pair_side *sender, struct pair_datagram *datagram);
  struct pair_datagram flight[PAIR_FLIGHT];
  unsigned flying;
};

/** Makes both links.  The left link knows the address of the right one and starts the handshake;
 * the right link waits.  Inner addresses: left 10.1.0.1 and fd01::1, right 10.2.0.1 and fd02::1. */
void pair_start(struct pair *pair, uint64_t persistent_keepalive);
void pair_stop(struct pair *pair);

/** Frees the link of a side and makes a new one, like a restart of the process. */
void pair_restart(struct pair_side *side, uint64_t persistent_keepalive);

/** Gives a side the address of the other. */
void pair_introduce(struct pair_side *side);

/** Returns 192.0.2.last, port 51900. */
struct sw_address pair_address(uint8_t last);

/** Takes the next datagram that the link transmits, bypassing the wire.  It comes from the local
 * address that the link chose, or else from the side's own.  Returns whether there is one. */
bool pair_take(struct pair_side *side, struct pair_datagram *datagram);

/** As pair_take; asserts that there is a datagram of this letter. */
void pair_take_letter(struct pair_side *side, char letter, struct pair_datagram *datagram);

/** Delivers a datagram to a side, bypassing the wire. */
enum sw_received pair_give(struct pair_side *side, const struct pair_datagram *datagram);

/** Seals a valid packet of `length` bytes for the other side, bypassing the wire. */
void pair_seal(struct pair_side *side, size_t length, struct pair_datagram *datagram);

/** Seals arbitrary bytes as any kind in the side's sending session, bypassing the wire. */
void pair_seal_kind(struct pair_side *side, enum sw_kind kind, const uint8_t *plain, size_t length,
                    struct pair_datagram *datagram);

/** Seals a handshake plaintext with the pair's key. */
void pair_seal_message(struct pair_side *side, const uint8_t *plain, size_t length,
                       struct pair_datagram *datagram);

/** Puts a datagram on the wire, behind `route`. */
void pair_fly(struct pair_side *receiver, const struct pair_datagram *datagram);

/** Sends a valid packet over the wire. */
void pair_send(struct pair_side *side);

/** Transmits the datagrams of both links and delivers those that are due, until none is left.
 * Asserts that no deadline of a link has passed then. */
void pair_flush(struct pair *pair);

/** Advances time, and handles all that is due meanwhile. */
void pair_run(struct pair *pair, uint64_t duration);

/** Runs until both links are up; asserts that they are. */
void pair_connect(struct pair *pair);

enum sw_link_state pair_state(struct pair_side *side);

/** Clears the log of the datagrams that a side sent. */
void pair_clear_sent(struct pair_side *side);

/** Returns how many datagrams of this letter a side sent. */
unsigned pair_sent(const struct pair_side *side, char letter);

/** Returns the letter of a datagram, decrypted with the side's key; '?' if it has none. */
char pair_letter(const struct pair_side *side, const struct pair_datagram *datagram);

/** Asserts that since the last call one drop was counted, for this reason, or none. */
void pair_assert_drop(struct pair_side *side, enum sw_drop reason);
void pair_assert_no_drops(struct pair_side *side);

/** Returns whether pair_assert_drop was ever called for this reason. */
bool pair_drop_was_seen(enum sw_drop reason);

/** Writes an IPv4 packet of `length` bytes. */
void pair_packet4(uint8_t *packet, size_t length, const uint8_t source[4]);

#endif
