#include "wiretap.h"

#include <assert.h>
#include <stdlib.h>

#include "verdict.h"

/* Inits that a link may send in a second: one every 75 ms under ICMP errors, and their repetitions
 * with a cookie. */
#define INITS_A_SECOND 30

/* A value that must not be used twice: a data key (by session and sender) with a counter, the nonce
 * of a handshake message, the start of an ephemeral key.  Responses are stored for comparison. */
struct nonce {
  uint64_t words[3];
  enum { NONCE_NONE, NONCE_DATA, NONCE_HANDSHAKE, NONCE_POINT, NONCE_RESPONSE } type;
};

struct sending {
  uint32_t session;
  unsigned sender, life;
  uint64_t first; /* the sender's clock at the first */
};

const char *datagram_name(enum datagram_kind kind) {
  static const char *const names[DATAGRAM_KINDS] = {
      [DATAGRAM_INIT] = "init",     [DATAGRAM_RESPONSE] = "response",
      [DATAGRAM_COOKIE] = "cookie", [DATAGRAM_PACKET] = "packet",
      [DATAGRAM_PROBE] = "probe",   [DATAGRAM_PROBE_ACK] = "probe ack",
      [DATAGRAM_CLOSE] = "close",
  };
  return names[kind];
}

void wiretap_start(struct wiretap *tap) {
  *tap = (struct wiretap){.nonce_capacity = 4096};
  for (unsigned i = 0; i < KEYS; i++) {
    const struct sw_psk psk = key_psk(i);
    sw_keys_derive(&psk, &tap->keys[i]);
  }
  tap->nonces = calloc(tap->nonce_capacity, sizeof(*tap->nonces));
  assert(tap->nonces);
  crypto_generichash_init(&tap->digest, NULL, 0, sizeof(uint64_t));
}

void wiretap_forget(struct wiretap *tap) {
  for (size_t i = 0; i < tap->count; i++) free(tap->recordings[i].bytes);
  memset(tap->nonces, 0, tap->nonce_capacity * sizeof(*tap->nonces));
  tap->count = tap->nonce_count = tap->sending_count = 0;
}

void wiretap_free(struct wiretap *tap) {
  wiretap_forget(tap);
  free(tap->recordings);
  free(tap->nonces);
  free(tap->sendings);
}

/* Makes room for one more element; returns the array, possibly moved. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return array;
  *capacity = *capacity ? 2 * *capacity : 256;
  array = realloc(array, *capacity * size);
  assert(array);
  return array;
}

/* ---- nonces ---- */

static struct nonce *nonce_place(struct nonce *nonces, size_t capacity, const struct nonce *nonce) {
  uint64_t hash = nonce->words[0] * UINT64_C(0x9e3779b97f4a7c15);
  hash = (hash ^ hash >> 29 ^ nonce->words[1]) * UINT64_C(0xbf58476d1ce4e5b9);
  for (size_t i = hash >> 20;; i++) {
    struct nonce *place = &nonces[i & (capacity - 1)];
    if (place->type == NONCE_NONE) return place;
    if (place->type == nonce->type && memcmp(place->words, nonce->words, sizeof(nonce->words)) == 0)
      return place;
  }
}

static void nonces_double(struct wiretap *tap) {
  const size_t capacity = 2 * tap->nonce_capacity;
  struct nonce *nonces = calloc(capacity, sizeof(*nonces));
  assert(nonces);
  for (size_t i = 0; i < tap->nonce_capacity; i++)
    if (tap->nonces[i].type != NONCE_NONE)
      *nonce_place(nonces, capacity, &tap->nonces[i]) = tap->nonces[i];
  free(tap->nonces);
  tap->nonces = nonces;
  tap->nonce_capacity = capacity;
}

static void nonce_use(struct wiretap *tap, const struct nonce *nonce) {
  if (2 * tap->nonce_count >= tap->nonce_capacity) nonces_double(tap);
  struct nonce *place = nonce_place(tap->nonces, tap->nonce_capacity, nonce);
  static const char *const names[] = {[NONCE_DATA] = "a nonce of data",
                                      [NONCE_HANDSHAKE] = "a nonce of a handshake",
                                      [NONCE_POINT] = "an ephemeral key",
                                      [NONCE_RESPONSE] = "a response"};
  if (place->type != NONCE_NONE) verdict_fail("%s was used twice", names[nonce->type]);
  *place = *nonce;
  tap->nonce_count++;
}

/* ---- what is sent ---- */

static void point_use(struct wiretap *tap, const uint8_t point[SW_POINT_BYTES]) {
  struct nonce nonce = {.type = NONCE_POINT};
  memcpy(nonce.words, point, sizeof(nonce.words));
  nonce_use(tap, &nonce);
}

static void init_use(struct wiretap *tap, uint64_t now, unsigned sender,
                     const struct sw_handshake_message *init) {
  /* the latest init may be repeated: with a cookie, or under ICMP errors */
  if (memcmp(tap->point[sender], init->point, SW_POINT_BYTES) != 0) {
    memcpy(tap->point[sender], init->point, SW_POINT_BYTES);
    point_use(tap, init->point);
  }
  if (now - tap->init_times[sender] >= SW_SECOND) {
    tap->init_times[sender] = now;
    tap->inits[sender] = 0;
  }
  if (++tap->inits[sender] > INITS_A_SECOND)
    verdict_fail("a link sent more than %d inits within a second", INITS_A_SECOND);
}

/* A response may be sent again, but only to the same address. */
static void response_use(struct wiretap *tap, const struct recording *what, const uint8_t *plain,
                         size_t length, const uint8_t *point) {
  struct nonce nonce = {.type = NONCE_RESPONSE};
  crypto_generichash((uint8_t *)nonce.words, sizeof(nonce.words), plain, length,
                     (const uint8_t *)&what->to, sizeof(what->to));
  if (nonce_place(tap->nonces, tap->nonce_capacity, &nonce)->type != NONCE_NONE) return;
  nonce_use(tap, &nonce);
  point_use(tap, point);
}

static enum datagram_kind handshake_kind(struct wiretap *tap, uint64_t now,
                                         const struct recording *what, struct sw_header header) {
  struct nonce nonce = {.words = {header.word}, .type = NONCE_HANDSHAKE};
  memcpy(&nonce.words[1], what->bytes + SW_BODY_OFFSET, SW_HANDSHAKE_NONCE_BYTES);
  nonce_use(tap, &nonce);

  uint8_t plain[SW_INIT_MAX];
  struct sw_handshake_message message;
  const int length =
      sw_message_open(&tap->keys[what->key], header, what->bytes, what->length, plain);
  if (length < 0 || sw_message_parse(plain, (size_t)length, &message) != 0)
    verdict_fail("a link sent a handshake message that does not open");
  switch (message.type) {
  case SW_MESSAGE_INIT:
    init_use(tap, now, what->sender, &message);
    return DATAGRAM_INIT;
  case SW_MESSAGE_RESPONSE:
    response_use(tap, what, plain, (size_t)length, message.point);
    return DATAGRAM_RESPONSE;
  case SW_MESSAGE_COOKIE:
    break;
  }
  return DATAGRAM_COOKIE;
}

static void session_use(struct wiretap *tap, const struct recording *what, uint32_t session) {
  const unsigned life = what->life[what->sender];
  const uint64_t clock = what->clock[what->sender];
  for (size_t i = tap->sending_count; i-- > 0;) {
    const struct sending *sending = &tap->sendings[i];
    if (sending->session != session || sending->sender != what->sender || sending->life != life)
      continue;
    if (clock - sending->first >= SW_REJECT_AFTER)
      verdict_fail("a datagram was sent in a session past its lifetime");
    return;
  }
  tap->sendings =
      grow(tap->sendings, tap->sending_count, &tap->sending_capacity, sizeof(*tap->sendings));
  tap->sendings[tap->sending_count++] = (struct sending){session, what->sender, life, clock};
}

static enum datagram_kind own_kind(const struct recording *what, enum datagram_kind kind) {
  expect(what->length >= SW_OVERHEAD + SW_PROBE_BYTES && what->length <= SW_OVERHEAD + SW_PROBE_MAX,
         "all control datagrams of a session have sizes of one range");
  return kind;
}

static enum datagram_kind data_kind(struct wiretap *tap, const struct recording *what,
                                    struct sw_header header) {
  session_use(tap, what, header.session);
  /* Not the whole word: a counter must not repeat under another kind either. */
  const uint64_t key =
      (uint64_t)header.session << 32 | what->life[what->sender] << 1 | what->sender;
  nonce_use(tap,
            &(struct nonce){.words = {header.word & SW_COUNTER_MASK, key}, .type = NONCE_DATA});
  switch (header.word >> SW_COUNTER_BITS) {
  case SW_KIND_PACKET:
    expect(what->length > SW_OVERHEAD, "no link sends empty packets");
    return DATAGRAM_PACKET;
  case SW_KIND_PROBE:
  case SW_KIND_CHECK:
  case SW_KIND_MOVE:
    /* a probe of the MTU is as long as a packet */
    return what->length > SW_OVERHEAD + SW_PROBE_MAX ? DATAGRAM_PROBE
                                                     : own_kind(what, DATAGRAM_PROBE);
  case SW_KIND_PROBE_ACK:
    return own_kind(what, DATAGRAM_PROBE_ACK);
  case SW_KIND_CLOSE:
    return own_kind(what, DATAGRAM_CLOSE);
  }
  verdict_fail("a link sent a datagram of unknown kind");
}

size_t wiretap_record(struct wiretap *tap, uint64_t now, const struct recording *what,
                      const uint8_t *bytes, size_t length) {
  assert(length >= SW_OVERHEAD);
  tap->recordings = grow(tap->recordings, tap->count, &tap->capacity, sizeof(*tap->recordings));
  struct recording *recording = &tap->recordings[tap->count];
  *recording = *what;
  recording->bytes = malloc(length);
  assert(recording->bytes);
  memcpy(recording->bytes, bytes, length);
  recording->length = length;
  const struct sw_header header = sw_header_read(tap->keys[what->key].mask, bytes);
  recording->kind = header.session == SW_SESSION_HANDSHAKE
                        ? handshake_kind(tap, now, recording, header)
                        : data_kind(tap, recording, header);

  const uint64_t circumstances[] = {now, what->sender, length, what->to.port};
  crypto_generichash_update(&tap->digest, (const uint8_t *)circumstances, sizeof(circumstances));
  crypto_generichash_update(&tap->digest, what->to.ip, SW_IP_BYTES);
  crypto_generichash_update(&tap->digest, bytes, length);
  return tap->count++;
}

uint64_t wiretap_digest(const struct wiretap *tap) {
  crypto_generichash_state state = tap->digest;
  uint64_t digest;
  crypto_generichash_final(&state, (uint8_t *)&digest, sizeof(digest));
  return digest;
}
