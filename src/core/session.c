#include "core/session.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

void sw_session_start(struct sw_session *session, const struct sw_agreement *agreement,
                      bool initiator, const struct sw_address *address, uint64_t now) {
  assert(agreement->local != 0 && agreement->remote != 0);
  const uint64_t earlier =
      randombytes_uniform((uint32_t)(SW_REKEY_JITTER / SW_MILLISECOND)) * SW_MILLISECOND;
  *session = (struct sw_session){
      .local = agreement->local,
      .remote = agreement->remote,
      .initiator = initiator,
      .created = now,
      .rekey_at = now + (initiator ? SW_REKEY_AFTER - earlier : SW_REKEY_OTHER_AFTER),
      .probe_at = now,
      .probe_interval = SW_CONFIRM_FIRST,
      .address = *address,
      .seal = agreement->seal,
      .open = agreement->open,
  };
}

void sw_session_wipe(struct sw_session *session) {
  sodium_memzero(session, sizeof(*session));
}

bool sw_session_expired(const struct sw_session *session, uint64_t now) {
  return now - session->created >= SW_REJECT_AFTER;
}

uint64_t sw_session_end(const struct sw_session *session) {
  return session->created + (session->confirmed ? SW_REJECT_AFTER : SW_PENDING_LIFETIME);
}

bool sw_session_rekey_due(const struct sw_session *session, uint64_t now) {
  return now >= session->rekey_at || session->counter >= SW_REKEY_AFTER_COUNTER;
}

/* Takes the next counter, in the word of a datagram of this kind.  Returns whether there is one. */
static bool next_word(struct sw_session *session, uint64_t now, enum sw_kind kind, uint64_t *word) {
  if (session->counter >= SW_REJECT_AFTER_COUNTER || sw_session_expired(session, now)) return false;
  *word = session->counter | (uint64_t)kind << SW_COUNTER_BITS;
  session->counter++;
  assert(session->counter <= SW_REJECT_AFTER_COUNTER);
  return true;
}

static int64_t finish_seal(const struct sw_session *session, const uint8_t *mask, uint64_t word,
                           size_t length, uint8_t *datagram) {
  sw_header_write(mask, (struct sw_header){.session = session->remote, .word = word}, datagram);
  return (int64_t)(SW_OVERHEAD + length);
}

int64_t sw_session_seal(struct sw_session *session, const uint8_t mask[SW_MASK_KEY_BYTES],
                        uint64_t now, enum sw_kind kind, const uint8_t *plain, size_t length,
                        uint8_t *datagram) {
  uint64_t word;
  if (!next_word(session, now, kind, &word)) return -EKEYEXPIRED;
  sw_secretbox_seal(&session->seal, word, plain, length, datagram + SW_TAG_OFFSET,
                    datagram + SW_BODY_OFFSET);
  return finish_seal(session, mask, word, length, datagram);
}

int64_t sw_session_seal_fast(struct sw_session *session, const uint8_t mask[SW_MASK_KEY_BYTES],
                             uint64_t now, enum sw_kind kind, uint8_t *plain, size_t length,
                             uint8_t *datagram) {
  uint64_t word;
  if (!next_word(session, now, kind, &word)) return -EKEYEXPIRED;
  sw_secretbox_seal_fast(&session->seal, word, plain, length, datagram + SW_TAG_OFFSET,
                         datagram + SW_BODY_OFFSET);
  return finish_seal(session, mask, word, length, datagram);
}

typedef bool open_function(const struct sw_secretbox *box, uint64_t word, const uint8_t *cipher,
                           size_t length, const uint8_t tag[SW_TAG_BYTES], uint8_t *plain);

static int refuse(enum sw_drop *drop, enum sw_drop reason) {
  *drop = reason;
  return -1;
}

static int open_by(open_function *secretbox_open, struct sw_session *session, uint64_t now,
                   struct sw_header header, const uint8_t *datagram, size_t length, uint8_t *plain,
                   enum sw_drop *drop) {
  assert(length >= SW_OVERHEAD);
  const uint64_t counter = header.word & SW_COUNTER_MASK;
  if (sw_session_expired(session, now)) return refuse(drop, SW_DROP_EXPIRED);
  if (counter >= SW_REJECT_AFTER_COUNTER) return refuse(drop, SW_DROP_COUNTER);
  switch (sw_replay_check(&session->replay, counter)) {
  case SW_REPLAY_NEW:
    break;
  case SW_REPLAY_SEEN:
    return refuse(drop, SW_DROP_REPLAYED);
  case SW_REPLAY_OLD:
    return refuse(drop, SW_DROP_OLD);
  }
  if (!secretbox_open(&session->open, header.word, datagram + SW_BODY_OFFSET, length - SW_OVERHEAD,
                      datagram + SW_TAG_OFFSET, plain))
    return refuse(drop, SW_DROP_TAG);
  sw_replay_commit(&session->replay, counter);
  return 0;
}

int sw_session_open(struct sw_session *session, uint64_t now, struct sw_header header,
                    const uint8_t *datagram, size_t length, uint8_t *plain, enum sw_drop *drop) {
  return open_by(sw_secretbox_open, session, now, header, datagram, length, plain, drop);
}

int sw_session_open_fast(struct sw_session *session, uint64_t now, struct sw_header header,
                         const uint8_t *datagram, size_t length, uint8_t *plain,
                         enum sw_drop *drop) {
  return open_by(sw_secretbox_open_fast, session, now, header, datagram, length, plain, drop);
}
