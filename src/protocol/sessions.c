#include "protocol/sessions.h"

#include <assert.h>
#include <sodium.h>

struct sw_session *sw_sessions_find(struct sw_sessions *sessions, uint32_t id) {
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (sessions->rows[i].local == id) return &sessions->rows[i];
  return NULL;
}

struct sw_session *sw_sessions_unconfirmed(const struct sw_sessions *sessions) {
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (sessions->rows[i].state == SW_SESSION_UNCONFIRMED)
      return (struct sw_session *)&sessions->rows[i];
  return NULL;
}

struct sw_session *sw_sessions_sending(const struct sw_sessions *sessions) {
  return sessions->current ? sessions->current : sw_sessions_unconfirmed(sessions);
}

struct sw_session *sw_sessions_any(const struct sw_sessions *sessions) {
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (sessions->rows[i].state != SW_SESSION_EMPTY) return (struct sw_session *)&sessions->rows[i];
  return NULL;
}

struct sw_session *sw_sessions_place(struct sw_sessions *sessions) {
  struct sw_session *oldest = NULL;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &sessions->rows[i];
    if (session->state == SW_SESSION_EMPTY) return session;
    if (session == sessions->current) continue;
    if (!oldest || session->created < oldest->created) oldest = session;
  }
  assert(oldest); /* only one is current */
  sw_sessions_wipe(sessions, oldest);
  return oldest;
}

uint32_t sw_sessions_id(struct sw_sessions *sessions, uint32_t reserved) {
  for (;;) {
    uint32_t id;
    randombytes_buf(&id, sizeof(id));
    if (id != SW_SESSION_HANDSHAKE && id != reserved && !sw_sessions_find(sessions, id) &&
        !sw_pending_find(&sessions->pending, id))
      return id;
  }
}

bool sw_sessions_confirm(struct sw_sessions *sessions, struct sw_session *session) {
  session->state = SW_SESSION_CONFIRMED;
  if (sessions->current && sessions->current->created > session->created) return false;
  sessions->current = session;
  return true;
}

void sw_sessions_wipe(struct sw_sessions *sessions, struct sw_session *session) {
  if (session == sessions->current) sessions->current = NULL;
  sw_session_wipe(session);
  sessions->wiped = true;
}

void sw_sessions_wipe_key(struct sw_sessions *sessions, const struct sw_keys *keys) {
  struct sw_pending *pending = &sessions->pending;
  for (unsigned i = pending->count; i-- > 0;)
    if (pending->entries[i].agreement.keys == keys)
      sw_pending_remove(pending, &pending->entries[i]);
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (sessions->rows[i].keys == keys) sw_sessions_wipe(sessions, &sessions->rows[i]);
  sessions->wiped = true;
}

void sw_sessions_expire(struct sw_sessions *sessions, uint64_t now) {
  const unsigned pending = sessions->pending.count;
  sw_pending_expire(&sessions->pending, now);
  sessions->wiped |= sessions->pending.count != pending;
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    struct sw_session *session = &sessions->rows[i];
    if (session->state != SW_SESSION_EMPTY && now >= sw_session_end(session))
      sw_sessions_wipe(sessions, session);
  }
}

uint64_t sw_sessions_deadline(const struct sw_sessions *sessions) {
  uint64_t deadline = sw_pending_deadline(&sessions->pending);
  for (unsigned i = 0; i < SW_SESSIONS; i++) {
    const struct sw_session *session = &sessions->rows[i];
    if (session->state != SW_SESSION_EMPTY && sw_session_end(session) < deadline)
      deadline = sw_session_end(session);
  }
  return deadline;
}
