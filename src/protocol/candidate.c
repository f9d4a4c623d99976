#include "protocol/candidate.h"

#include <sodium.h>
#include <string.h>

bool sw_candidate_is_configured(const struct sw_candidate *row) {
  return row->rank != SW_RANK_NONE;
}

bool sw_candidate_is_validated(const struct sw_candidate *row) {
  return row->answer_time != 0;
}

bool sw_candidate_is_on(const struct sw_candidate *row, const struct sw_path *path) {
  static const uint8_t any[SW_IP_BYTES];
  return row->id && sw_address_equal(&row->path.peer, &path->peer) &&
         (memcmp(row->path.local, path->local, SW_IP_BYTES) == 0 ||
          memcmp(row->path.local, any, SW_IP_BYTES) == 0 ||
          memcmp(path->local, any, SW_IP_BYTES) == 0);
}

/* ---- probes ---- */

uint64_t sw_candidate_ack_time(const struct sw_candidate *row) {
  const uint64_t most = row->rtt + 4 * row->deviation;
  if (!row->rtt) return SW_PROBE_WAIT_MOST;
  return most < SW_PENDING_LIFETIME ? most : SW_PENDING_LIFETIME;
}

uint64_t sw_candidate_probed(struct sw_candidate *row, uint64_t now) {
  const uint64_t token = (uint64_t)row->id << 32 | row->next;
  row->probe_time = now;
  row->sent[row->next++ % SW_PROBES_KEPT] = now;
  row->unanswered++;
  return token;
}

uint64_t sw_candidate_sent(const struct sw_candidate *row, uint32_t number) {
  return row->next - number - 1 < SW_PROBES_KEPT ? row->sent[number % SW_PROBES_KEPT] : 0;
}

static void measure(struct sw_candidate *row, uint64_t rtt) {
  if (!row->rtt) {
    row->rtt = rtt ? rtt : 1;
    row->deviation = rtt / 2;
    return;
  }
  const uint64_t difference = rtt > row->rtt ? rtt - row->rtt : row->rtt - rtt;
  row->deviation = (3 * row->deviation + difference) / 4;
  row->rtt = (7 * row->rtt + rtt) / 8;
  if (!row->rtt) row->rtt = 1;
}

void sw_candidate_answered(struct sw_candidate *row, uint32_t number, bool there, uint64_t now) {
  uint64_t *sent = &row->sent[number % SW_PROBES_KEPT];
  measure(row, now - *sent);
  row->answer_time = now;
  row->unanswered = 0;
  if (!there) return;
  *sent = 0;
  if (!row->steady_since) row->steady_since = now;
}

void sw_candidate_note_lost(struct sw_candidate *row, uint64_t now) {
  const uint64_t time = sw_candidate_ack_time(row);
  const uint64_t lost = time > SW_PROBE_WAIT_MOST ? time : SW_PROBE_WAIT_MOST;
  for (unsigned i = 0; i < SW_PROBES_KEPT; i++) {
    if (!row->sent[i] || now - row->sent[i] < lost) continue;
    row->sent[i] = 0;
    row->lost++;
    row->steady_since = 0;
  }
}

/* ---- the table ---- */

struct sw_candidate *sw_candidates_find(struct sw_candidate *rows, const struct sw_path *path) {
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    if (sw_candidate_is_on(&rows[i], path)) return &rows[i];
  return NULL;
}

struct sw_candidate *sw_candidates_find_id(struct sw_candidate *rows, uint32_t id) {
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    if (id && rows[i].id == id) return &rows[i];
  return NULL;
}

bool sw_candidates_configured(const struct sw_candidate *rows, const struct sw_address *peer) {
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    const struct sw_candidate *row = &rows[i];
    if (row->id && sw_candidate_is_configured(row) &&
        (!peer || sw_address_equal(&row->path.peer, peer)))
      return true;
  }
  return false;
}

/* A row for a new candidate, or NULL. */
static struct sw_candidate *place(struct sw_candidate *rows, const struct sw_candidate *keep) {
  struct sw_candidate *oldest = NULL;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &rows[i];
    if (!row->id) return row;
    if (row == keep || sw_candidate_is_configured(row)) continue;
    if (!oldest || row->heard_time < oldest->heard_time) oldest = row;
  }
  return oldest;
}

struct sw_candidate *sw_candidates_add(struct sw_candidate *rows, const struct sw_candidate *keep,
                                       const struct sw_path *path, uint32_t rank) {
  struct sw_candidate *row = path->peer.port ? place(rows, keep) : NULL;
  if (!row) return NULL;
  uint32_t id;
  do randombytes_buf(&id, sizeof(id));
  while (id == 0 || sw_candidates_find_id(rows, id));
  *row = (struct sw_candidate){.id = id, .path = *path, .rank = rank, .probe_at = UINT64_MAX};
  return row;
}

void sw_candidates_adopt(struct sw_candidate *rows, const struct sw_candidate *keep,
                         struct sw_candidate *row, const uint8_t local[SW_IP_BYTES]) {
  memcpy(row->path.local, local, SW_IP_BYTES);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *other = &rows[i];
    if (other != row && other != keep && !sw_candidate_is_configured(other) &&
        sw_candidate_is_on(other, &row->path))
      *other = (struct sw_candidate){0};
  }
}

static struct sw_candidate *find_peer(struct sw_candidate *rows, struct sw_candidate *first,
                                      const struct sw_address *peer) {
  if (first && sw_address_equal(&first->path.peer, peer)) return first;
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    if (rows[i].id && sw_address_equal(&rows[i].path.peer, peer)) return &rows[i];
  return NULL;
}

/* Those that are known get their ranks first, so that none of them makes room for a new one. */
void sw_candidates_configure(struct sw_candidate *rows, struct sw_candidate *keep,
                             const struct sw_address *addresses, size_t count) {
  if (count > SW_ENDPOINTS_MAX) count = SW_ENDPOINTS_MAX;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) rows[i].rank = SW_RANK_NONE;
  for (uint32_t rank = 0; rank < count; rank++) {
    struct sw_candidate *row = find_peer(rows, keep, &addresses[rank]);
    if (row && !sw_candidate_is_configured(row)) row->rank = rank;
  }
  for (uint32_t rank = 0; rank < count; rank++)
    if (!find_peer(rows, keep, &addresses[rank]))
      sw_candidates_add(rows, keep, &(struct sw_path){.peer = addresses[rank]}, rank);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &rows[i];
    if (row != keep && !sw_candidate_is_configured(row) && !sw_candidate_is_validated(row))
      *row = (struct sw_candidate){0};
  }
}
