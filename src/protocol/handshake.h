/*
 * The handshake's three messages and the keys that come of them (docs/protocol.md, "Handshake").
 *
 *     1 init       type 1  version 1  me 16   sid_i 4  E_i 32            cookie 16  padding
 *     2 response   type 1             me' 16  sid_r 4  sid_i 4  E_r 32   H(1) 32    padding
 *       cookie     type 1             me' 16                             H(1) 32    cookie 16
 * padding
 *
 * Each travels under the handshake key of the PSK, with a nonce of 8 random bytes in the header's
 * place of the word and 16 in front of the ciphertext.  All structs here hold secrets; their owners
 * wipe them.
 */
#ifndef SALTWAY_PROTOCOL_HANDSHAKE_H
#define SALTWAY_PROTOCOL_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"
#include "protocol/secretbox.h"
#include "protocol/wire.h"

/** What is derived from a pre-shared key for good. */
struct sw_keys {
  struct sw_psk psk;
  uint8_t handshake[SW_KEY_BYTES];
  uint8_t mask[SW_MASK_KEY_BYTES];
};

void sw_keys_derive(const struct sw_psk *psk, struct sw_keys *keys);

/** What a handshake yields: a session that lacks its life. */
struct sw_agreement {
  uint32_t local;  /* our id of the session: what arrives carries it */
  uint32_t remote; /* the peer's: what we send carries it */
  struct sw_secretbox seal, open;
};

/** A handshake message, opened; a view into its plaintext, which outlives it. */
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

/** Seals a message's plaintext (up to SW_INIT_MAX bytes) as a datagram of SW_HANDSHAKE_OVERHEAD
 * bytes more, and returns its length. */
size_t sw_message_seal(const struct sw_keys *keys, const uint8_t *plain, size_t length,
                       uint8_t *datagram);

/** Opens a handshake datagram whose header was read.  Returns the length of the plaintext, or a
 * negative errno: -EMSGSIZE if no message has this length, -EBADMSG if the tag does not verify. */
int sw_message_open(const struct sw_keys *keys, struct sw_header header, const uint8_t *datagram,
                    size_t length, uint8_t plain[SW_INIT_MAX]);

/** Reads an opened plaintext.  Returns 0, or a negative errno: -EBADMSG if it is malformed,
 * -EPROTONOSUPPORT for an init of another version (message->version says which). */
int sw_message_parse(const uint8_t *plain, size_t length, struct sw_handshake_message *message);

/** The initiator's side of a handshake under way. */
struct sw_initiation {
  bool cookie_used;             /* an init is repeated with a cookie once */
  uint32_t local;               /* 0: no handshake is under way */
  struct sw_address to;         /* where it was sent last */
  uint8_t secret[SW_KEY_BYTES]; /* x */
  uint8_t hash[SW_HASH_BYTES];  /* of plain */
  uint8_t plain[SW_INIT_MAX];
  size_t length;
};

/** Begins a handshake: draws an ephemeral key and composes the init. */
void sw_initiation_begin(struct sw_initiation *initiation, const uint8_t me[SW_ME_BYTES],
                         uint32_t local);

/** Puts a cookie into the init, which is to be sent again. */
void sw_initiation_cookie(struct sw_initiation *initiation, const uint8_t cookie[SW_COOKIE_BYTES]);

/** Ends a handshake with the response that answers it.  Returns 0 and fills `agreement`, or
 * -EKEYREJECTED if the peer's point is of low order. */
int sw_initiation_finish(const struct sw_initiation *initiation, const struct sw_keys *keys,
                         const struct sw_handshake_message *response, const uint8_t *plain,
                         size_t length, struct sw_agreement *agreement);

/** Answers an init (parsed from `init_plain`) with a response, composed in `plain`: never longer
 * than the init.  Returns its length and fills `agreement`, or -EKEYREJECTED. */
int sw_response_make(const struct sw_keys *keys, const uint8_t me[SW_ME_BYTES], uint32_t local,
                     const struct sw_handshake_message *init, const uint8_t *init_plain,
                     size_t init_length, uint8_t plain[SW_INIT_MAX],
                     struct sw_agreement *agreement);

/** Composes the plaintext of the response that made this agreement, from what it is made of. */
void sw_response_compose(const uint8_t me[SW_ME_BYTES], const struct sw_agreement *agreement,
                         const uint8_t hash[SW_HASH_BYTES], const uint8_t point[SW_POINT_BYTES],
                         size_t length, uint8_t plain[SW_INIT_MAX]);

/** Where E_r is in the plaintext of a response. */
const uint8_t *sw_response_point(const uint8_t *plain);

/** Composes a cookie message that answers the init of this hash and length, and is never longer;
 * returns its length. */
size_t sw_cookie_message_make(const uint8_t me[SW_ME_BYTES], const uint8_t hash[SW_HASH_BYTES],
                              const uint8_t cookie[SW_COOKIE_BYTES], size_t init_length,
                              uint8_t plain[SW_INIT_MAX]);

/** The hash by which a response or cookie names the init it answers. */
void sw_message_hash(const uint8_t *plain, size_t length, uint8_t hash[SW_HASH_BYTES]);

#endif
