/*
 * The address at which the peer was last reached, kept in a file over restarts and reboots, so that a
 * side without an Endpoint can start the handshake itself, and one whose names do not resolve, too.
 *
 * The file is NAME in $STATE_DIRECTORY (systemd's name), else in /var/lib/saltway: one line with the
 * address and the fingerprint of the key whose session it was.  It holds no secret.  What cannot be
 * read, written or understood is logged once, and the link does without it.
 */
#ifndef SALTWAY_PARENT_LAST_PEER_H
#define SALTWAY_PARENT_LAST_PEER_H

#include <stdbool.h>

#include "saltway/address.h"
#include "saltway/key.h"

#define SW_LAST_PEER_SECONDS 60 /* the least time between two writes */

/* "[address]:port fingerprint\n" and the terminating zero */
#define SW_LAST_PEER_TEXT (SW_ADDRESS_TEXT + SW_FINGERPRINT_TEXT + 1)

struct sw_last_peer {
  struct sw_address address;             /* port 0: none */
  char fingerprint[SW_FINGERPRINT_TEXT]; /* of the session's key */
  bool stored;                           /* the file has these */
  bool warned;                           /* the log has why it cannot be written */
  uint64_t tried;                        /* when it was last written, ns; 0: never */
};

/** Writes the text of the file. */
void sw_last_peer_text(const struct sw_last_peer *peer, char text[SW_LAST_PEER_TEXT]);

/** Reads the text of a file.  Returns false unless it is one that sw_last_peer_text writes. */
bool sw_last_peer_parse(const char *text, struct sw_last_peer *peer);

/** Reads the file of the link `name`.  The address is taken only if it belongs to one of these keys. */
void sw_last_peer_read(struct sw_last_peer *peer, const char *name,
                       const char (*fingerprints)[SW_FINGERPRINT_TEXT], unsigned count);

/** Notes where the peer is reached, and writes the file if that is new and the latest write long
 * enough ago. */
void sw_last_peer_note(struct sw_last_peer *peer, const char *name,
                       const struct sw_address *address,
                       const char fingerprint[SW_FINGERPRINT_TEXT], uint64_t now);

/** The next change is written at once: after a reload, when what is stored may belong to a key that is
 * gone.  (A peer with two keys changes them as often as it likes.) */
void sw_last_peer_hurry(struct sw_last_peer *peer);

/** Writes the file at the end of a run, if it is out of date. */
void sw_last_peer_flush(struct sw_last_peer *peer, const char *name);

/** Adds the address to a list of `count` with room for `room`, unless it is there. Returns the new
 * count. */
size_t sw_last_peer_add(const struct sw_last_peer *peer, struct sw_address *addresses, size_t count,
                        size_t room);

#endif
