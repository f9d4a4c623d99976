/*
 * The three handshake messages and the keys derived from them (docs/protocol.md, "Handshake").
 *
 *     1 init       type 1  version 1  me 16  sid_i 4           features 4  E_i 32  cookie 16  padding
 *     2 response   type 1  me' 16  sid_r 4  sid_i 4  features 4  E_r 32  H(1) 32    padding
 *       cookie     type 1  me' 16  H(1) 32  cookie 16                               padding
 *
 * Each is encrypted with the handshake key of a PSK, and the replies with that of the init's.  Its nonce is 24 random bytes: 8 are the
 * word of the header, and 16 stand in front of the ciphertext.  All structs here hold secrets;
 * their owners wipe them.
 */
#ifndef SALTWAY_PROTOCOL_HANDSHAKE_H
#define SALTWAY_PROTOCOL_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"
#include "protocol/secretbox.h"
#include "protocol/wire.h"

/** A pre-shared key and the keys derived from it that last as long as the link. */
struct sw_keys {
  struct sw_psk psk;
  uint8_t handshake[SW_KEY_BYTES];
  uint8_t mask[SW_MASK_KEY_BYTES];
  char fingerprint[SW_FINGERPRINT_TEXT];
};

void sw_keys_derive(const struct sw_psk *psk, struct sw_keys *keys);

/** The result of a handshake: the ids and keys of a session. */
struct sw_agreement {
  const struct sw_keys *keys; /* those of the handshake */
  uint32_t local;             /* our id of the session, in datagrams we receive */
  uint32_t remote;            /* the peer's id of it, in datagrams we send */
  struct sw_secretbox seal, open;
};

/** The fields of an opened handshake message.  The pointers point into its plaintext. */
struct sw_handshake_message {
  enum sw_message type;
  const uint8_t *me;
  uint32_t sender;       /* sid_i of an init, sid_r of a response */
  uint32_t receiver;     /* sid_i of a response */
  const uint8_t *point;  /* E_i, E_r */
  const uint8_t *hash;   /* H(1) of a response or cookie */
  const uint8_t *cookie; /* of an init or cookie */
  uint8_t version;       /* of an init */
};

/** Seals the plaintext of a message (up to SW_INIT_MAX bytes) into a datagram, which is
 * SW_HANDSHAKE_OVERHEAD bytes longer.  Returns the length of the datagram. */
size_t sw_message_seal(const struct sw_keys *keys, const uint8_t *plain, size_t length,
                       uint8_t *datagram);

/** Opens a handshake datagram with this header.  Returns the length of the plaintext, or a negative
 * errno: -EMSGSIZE if no message has this length, -EBADMSG if the tag does not verify. */
int sw_message_open(const struct sw_keys *keys, struct sw_header header, const uint8_t *datagram,
                    size_t length, uint8_t plain[SW_INIT_MAX]);

/** Parses the plaintext of a message.  Returns 0, or a negative errno: -EBADMSG if it is malformed,
 * -EPROTONOSUPPORT for an init of another version (in message->version). */
int sw_message_parse(const uint8_t *plain, size_t length, struct sw_handshake_message *message);

/** The initiator's state while a handshake is in progress. */
struct sw_initiation {
  const struct sw_keys *keys;   /* that the init is sealed with */
  bool cookie_used;             /* the init carries a cookie; a second one is refused */
  uint32_t local;               /* our session id; 0: no handshake is in progress */
  struct sw_address to;         /* where the init was sent last */
  uint8_t secret[SW_KEY_BYTES]; /* x */
  uint8_t hash[SW_HASH_BYTES];  /* of plain */
  uint8_t plain[SW_INIT_MAX];
  size_t length;
};

/** Begins a handshake under `keys`, which must outlive it: generates an ephemeral key and composes
 * the init. */
void sw_initiation_begin(struct sw_initiation *initiation, const struct sw_keys *keys,
                         const uint8_t me[SW_ME_BYTES], uint32_t local);

/** Puts a cookie into the init.  The caller sends the init again. */
void sw_initiation_cookie(struct sw_initiation *initiation, const uint8_t cookie[SW_COOKIE_BYTES]);

/** Derives the keys of the session from the response to the init.  Returns 0 and fills `agreement`,
 * or -EKEYREJECTED if the peer's point is of low order. */
int sw_initiation_finish(const struct sw_initiation *initiation,
                         const struct sw_handshake_message *response, const uint8_t *plain,
                         size_t length, struct sw_agreement *agreement);

/** Composes the response to `init`, which was parsed from `init_plain`, in `plain`, and derives the
 * keys of the session.  The response is never longer than the init.  Returns its length and fills
 * `agreement`, or returns -EKEYREJECTED if the peer's point is of low order. */
int sw_response_make(const struct sw_keys *keys, const uint8_t me[SW_ME_BYTES], uint32_t local,
                     const struct sw_handshake_message *init, const uint8_t *init_plain,
                     size_t init_length, uint8_t plain[SW_INIT_MAX],
                     struct sw_agreement *agreement);

/** Composes the same response again, from the fields in it that are not constant. */
void sw_response_compose(const uint8_t me[SW_ME_BYTES], const struct sw_agreement *agreement,
                         const uint8_t hash[SW_HASH_BYTES], const uint8_t point[SW_POINT_BYTES],
                         size_t length, uint8_t plain[SW_INIT_MAX]);

/** The position of E_r in the plaintext of a response. */
const uint8_t *sw_response_point(const uint8_t *plain);

/** Composes a cookie message for the init of this hash and length.  It is never longer than the
 * init.  Returns its length. */
size_t sw_cookie_message_make(const uint8_t me[SW_ME_BYTES], const uint8_t hash[SW_HASH_BYTES],
                              const uint8_t cookie[SW_COOKIE_BYTES], size_t init_length,
                              uint8_t plain[SW_INIT_MAX]);

/** The hash that identifies an init in a response or a cookie message. */
void sw_message_hash(const uint8_t *plain, size_t length, uint8_t hash[SW_HASH_BYTES]);

#endif
