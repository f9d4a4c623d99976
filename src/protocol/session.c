#include "protocol/session.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

void sw_session_start(struct sw_session *session, const struct sw_agreement *agreement,
                      bool initiator, const struct sw_path *path, uint64_t now) {
  assert(agreement->local != 0 && agreement->remote != 0);
  const uint64_t jitter =
      randombytes_uniform((uint32_t)(SW_REKEY_JITTER / SW_MILLISECOND)) * SW_MILLISECOND;
  *session = (struct sw_session){
      .state = SW_SESSION_UNCONFIRMED,
      .keys = agreement->keys,
      .local = agreement->local,
      .remote = agreement->remote,
      .initiator = initiator,
      .created = now,
      .rekey_at = now + (initiator ? SW_REKEY_AFTER - jitter : SW_REKEY_OTHER_AFTER + jitter),
      .probe_at = now,
      .probe_interval = SW_CONFIRM_FIRST,
      .path = *path,
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
  const bool unconfirmed = session->state == SW_SESSION_UNCONFIRMED;
  return session->created + (unconfirmed ? SW_PENDING_LIFETIME : SW_REJECT_AFTER);
}

uint64_t sw_session_rekey_time(const struct sw_session *session) {
  return session->counter >= SW_REKEY_AFTER_COUNTER ? 0 : session->rekey_at;
}

int sw_session_seal_begin(struct sw_session *session, uint64_t now, enum sw_kind kind,
                          unsigned count, struct sw_sealing *sealing) {
  if (session->counter + count > SW_REJECT_AFTER_COUNTER || sw_session_expired(session, now))
    return -EKEYEXPIRED;
  *sealing = (struct sw_sealing){
      .box = &session->seal,
      .mask = session->keys->mask,
      .session = session->remote,
      .word = session->counter | (uint64_t)kind << SW_COUNTER_BITS,
      .count = count,
  };
  session->counter += count;
  return 0;
}

static size_t finish_seal(const struct sw_sealing *sealing, uint64_t word, size_t length,
                          uint8_t *datagram) {
  sw_header_write(sealing->mask, (struct sw_header){.session = sealing->session, .word = word},
                  datagram);
  return SW_OVERHEAD + length;
}

size_t sw_sealing_run(const struct sw_sealing *sealing, unsigned index, uint8_t *packet,
                      size_t length, uint8_t *datagram) {
  assert(index < sealing->count && length >= 1 && length <= SW_PACKET_MAX);
  const uint64_t word = sealing->word + index;
  sw_secretbox_seal_fast(sealing->box, word, packet, length, datagram + SW_TAG_OFFSET,
                         datagram + SW_BODY_OFFSET);
  return finish_seal(sealing, word, length, datagram);
}

int64_t sw_session_seal(struct sw_session *session, uint64_t now, enum sw_kind kind,
                        const uint8_t *plain, size_t length, uint8_t *datagram) {
  struct sw_sealing sealing;
  const int refused = sw_session_seal_begin(session, now, kind, 1, &sealing);
  if (refused) return refused;
  sw_secretbox_seal(sealing.box, sealing.word, plain, length, datagram + SW_TAG_OFFSET,
                    datagram + SW_BODY_OFFSET);
  return (int64_t)finish_seal(&sealing, sealing.word, length, datagram);
}

static int refuse(enum sw_drop *drop, enum sw_drop reason) {
  *drop = reason;
  return -1;
}

int sw_session_open_check(const struct sw_session *session, uint64_t now, uint64_t word,
                          enum sw_drop *drop) {
  const uint64_t counter = word & SW_COUNTER_MASK;
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
  return 0;
}

void sw_opening_run(struct sw_opening *opening) {
  if (!opening->box) return;
  opening->verified = (opening->exact ? sw_secretbox_open : sw_secretbox_open_fast)(
      opening->box, opening->word, opening->datagram + SW_BODY_OFFSET,
      opening->length - SW_OVERHEAD, opening->datagram + SW_TAG_OFFSET, opening->packet);
}

int sw_session_open(struct sw_session *session, uint64_t now, struct sw_opening *opening,
                    enum sw_drop *drop) {
  assert(opening->length >= SW_OVERHEAD);
  if (sw_session_open_check(session, now, opening->word, drop) != 0) return -1;
  if (opening->box != &session->open) {
    opening->box = &session->open;
    sw_opening_run(opening);
  }
  if (!opening->verified) return refuse(drop, SW_DROP_TAG);
  sw_replay_commit(&session->replay, opening->word & SW_COUNTER_MASK);
  return 0;
}
