#include "protocol/paths.h"

#include <assert.h>
#include <sodium.h>

#include "protocol/control.h"
#include "protocol/link_state.h"

#define NONE UINT64_MAX

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

/* ---- when probes are due ---- */

/* Intervals are random, so that links cannot be recognized by them; and never longer than asked for,
 * so that NAT mappings are kept. */
static uint64_t shortened(uint64_t interval) {
  return interval - sw_jitter(interval / SW_PROBE_SPREAD);
}

static uint64_t after(const struct sw_link *link, uint64_t interval) {
  return link->now + shortened(interval);
}

/* How long to wait for an ack before the next probe. */
static uint64_t patience(const struct sw_candidate *row) {
  return later(earlier(sw_candidate_ack_time(row), SW_PROBE_WAIT_MOST), SW_PROBE_WAIT_LEAST);
}

/* Whether the link is to return to this path. */
static bool is_better(const struct sw_paths *paths, const struct sw_candidate *row) {
  return paths->active && row != paths->active && row->rank < paths->active->rank && !paths->led;
}

static bool is_steady(const struct sw_link *link, const struct sw_candidate *row) {
  return row->steady_since && link->now - row->steady_since >= SW_RETURN_AFTER;
}

/* When a path is probed next while nothing is wrong. */
static uint64_t regular(const struct sw_link *link, const struct sw_candidate *row) {
  const struct sw_paths *paths = &link->paths;
  uint64_t interval = link->persistent_keepalive ? link->persistent_keepalive : NONE;
  if (row == paths->active && paths->used) interval = SW_PROBE_BUSY;
  if (row != paths->active && !sw_candidate_is_configured(row)) return NONE;
  if (is_better(paths, row)) interval = earlier(interval, SW_RETURN_PROBE);
  if (interval == NONE) return NONE;
  return (row->probe_time ? row->probe_time : link->now) + shortened(interval);
}

void sw_paths_keepalive_changed(struct sw_link *link) {
  struct sw_paths *paths = &link->paths;
  if (paths->active && !paths->doubt_since) paths->active->probe_at = regular(link, paths->active);
}

uint64_t sw_paths_patience(const struct sw_link *link) {
  return later(sw_candidate_ack_time(link->paths.active), SW_PROBE_WAIT_LEAST);
}

void sw_paths_used(struct sw_link *link, size_t length) {
  struct sw_paths *paths = &link->paths;
  const size_t probed = (size_t)earlier(length, SW_MTU_MOST); /* a configured MTU may be larger */
  paths->longest = (size_t)later(paths->longest, probed);
  if (paths->used || !paths->active) return;
  paths->used = true;
  paths->active->probe_at = earlier(paths->active->probe_at, after(link, SW_PROBE_BUSY));
}

/* ---- the active path ---- */

/* Whether this path takes the place of the active one as soon as it answers.  After the peer has been
 * followed to an unknown address that is so for a while: perhaps an attacker relays from there, and
 * was lucky. */
static bool is_watched(const struct sw_link *link, const struct sw_candidate *row) {
  const struct sw_paths *paths = &link->paths;
  return row->id && row != paths->active && link->now < paths->watched_until &&
         (row->id == paths->former || sw_candidate_is_configured(row));
}

static void end_doubt(struct sw_link *link) {
  struct sw_paths *paths = &link->paths;
  const uint64_t since = paths->doubt_since ? paths->doubt_since : NONE;
  paths->doubt_since = 0;
  paths->contest_at = link->now + SW_CONTEST_AGAIN;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &paths->rows[i];
    if (!row->id || row == paths->active) continue;
    if (is_watched(link, row) || row->id == link->move.id) continue;
    if (row->heard_time >= since) row->contest_at = link->now + SW_CONTEST_LOST;
    row->probe_at = sw_candidate_is_configured(row) && !sw_candidate_is_validated(row) &&
                            row->unanswered < SW_TRIES
                        ? after(link, SW_CANDIDATE_PROBE)
                        : regular(link, row);
  }
}

static void doubt(struct sw_link *link, uint64_t time) {
  struct sw_paths *paths = &link->paths;
  if (paths->doubt_since || !paths->active) return;
  paths->doubt_since = link->now;
  paths->doubt_time = time;
  paths->doubt_probes = 0;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) paths->rows[i].probe_at = link->now;
}

void sw_paths_failed(struct sw_link *link) {
  if (link->now >= link->paths.contest_at) doubt(link, SW_DOUBT_TIME);
}

/* A path works: no handshake is needed. */
static void end_silence(struct sw_link *link) {
  if (!link->silent) return;
  link->silent = false;
  link->retry = (struct sw_retry){0};
}

static void forget_long(struct sw_paths *paths) {
  paths->longest = 0;
  paths->long_sent = false;
  paths->long_lost = 0;
}

enum cause {
  NEEDED,    /* the former path is dead, or there was none */
  PREFERRED, /* the former path may be alive: the peer is asked to follow */
  ASKED,     /* the peer asked for it */
  WATCHED,   /* the former path was chosen too early */
};

static void select_path(struct sw_link *link, struct sw_candidate *row, enum cause cause) {
  struct sw_paths *paths = &link->paths;
  if (paths->active && !link->pathmtu.limit) paths->active->mtu = link->pathmtu.found;
  if (paths->active) paths->former = paths->active->id;
  paths->watched_until =
      cause == NEEDED && !sw_candidate_is_configured(row) ? link->now + SW_WATCHED : 0;
  paths->active = row;
  paths->led = cause == ASKED;
  paths->announcements = cause == PREFERRED ? SW_ANNOUNCEMENTS : 0;
  link->move.id = 0;
  end_doubt(link);
  end_silence(link);
  row->unanswered = 0;
  row->probe_at = link->now;
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    if (is_watched(link, &paths->rows[i])) paths->rows[i].probe_at = link->now;
  sw_endpoints_confirmed(&link->endpoints, &row->path.peer, link->now);
  forget_long(paths);
  sw_pathmtu_begin(link, row->mtu);
}

static bool is_heard(const struct sw_paths *paths, const struct sw_candidate *row) {
  return row->heard_time >= paths->doubt_since;
}

/* The candidate that takes the place of a dead path: one that the peer sends on, else the configured
 * one of the lowest rank; NULL: none answers. */
static struct sw_candidate *successor(struct sw_paths *paths) {
  struct sw_candidate *best = NULL;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &paths->rows[i];
    if (row == paths->active || row->answer_time < paths->doubt_since) continue;
    const int preferred = !best ? 1 : is_heard(paths, row) - is_heard(paths, best);
    if (preferred > 0 || (preferred == 0 && row->rank < best->rank)) best = row;
  }
  return best;
}

/* An ack of the last probe has had time to arrive. */
static bool is_dead(const struct sw_link *link) {
  const struct sw_paths *paths = &link->paths;
  return paths->doubt_since && paths->doubt_probes >= SW_DOUBT_PROBES &&
         link->now - paths->doubt_since >= paths->doubt_time + sw_candidate_ack_time(paths->active);
}

static void give_up(struct sw_link *link) {
  struct sw_candidate *best = successor(&link->paths);
  if (best)
    select_path(link, best, NEEDED);
  else
    link->silent = true;
}

void sw_paths_confirmed(struct sw_link *link, const struct sw_path *path, bool first) {
  struct sw_paths *paths = &link->paths;
  struct sw_candidate *row = sw_candidates_find(paths->rows, path);
  if (!row) row = sw_candidates_add(paths->rows, paths->active, path, SW_RANK_NONE);
  assert(row); /* it has a port, and there are more rows than configured ones */
  row->path = *path;
  row->heard_time = row->answer_time = link->now; /* the handshake went there and came back */
  if (row != paths->active && !first && paths->active && !link->silent)
    doubt(link, patience(paths->active));
  else if (row != paths->active || first)
    select_path(link, row, NEEDED);
  else
    end_doubt(link);
  end_silence(link);
}

/* ---- probes ---- */

uint64_t sw_paths_due(const struct sw_link *link) {
  if (!link->sessions.current) return NONE;
  uint64_t due = NONE;
  for (unsigned i = 0; i < SW_CANDIDATES; i++)
    if (link->paths.rows[i].id) due = earlier(due, link->paths.rows[i].probe_at);
  return due;
}

static size_t seal_probe(struct sw_link *link, struct sw_candidate *row, enum sw_kind kind,
                         size_t least, size_t most, uint8_t *datagram) {
  const uint64_t token = sw_candidate_probed(row, link->now);
  return sw_control_probe(link, link->sessions.current, kind, token, least, most, datagram);
}

static size_t probe_active(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_paths *paths = &link->paths;
  struct sw_candidate *row = paths->active;
  if (!row->unanswered) link->status.probes_sent++;
  sw_candidate_note_lost(row, link->now);
  if (row->unanswered && !paths->doubt_since) {
    link->status.probes_lost++;
    doubt(link, SW_DOUBT_TIME);
  }
  if (!link->silent && is_dead(link)) give_up(link);
  if (row != paths->active) return 0;
  *path = row->path;
  paths->used = false;
  if (!paths->doubt_since) {
    row->probe_at = link->now + patience(row);
  } else {
    /* every other time the kernel chooses our address: the route may have changed */
    if (paths->doubt_probes++ % 2) memset(path->local, 0, SW_IP_BYTES);
    row->probe_at =
        after(link, link->silent ? SW_SILENT_PROBE : paths->doubt_time / SW_DOUBT_PROBES);
  }
  size_t least = SW_PROBE_BYTES, most = SW_PROBE_MAX;
  if (!paths->doubt_since && paths->longest > SW_PROBE_MAX) {
    least = most = paths->longest;
    paths->long_sent = true;
    paths->long_number = row->next;
  }
  if (paths->announcements == 0) return seal_probe(link, row, SW_KIND_PROBE, least, most, datagram);
  paths->announcements--;
  return seal_probe(link, row, SW_KIND_MOVE, least, most, datagram);
}

/* Whether the peer has asked for this path, nobody has copied the request, and the path works. */
static bool may_move(const struct sw_link *link, const struct sw_candidate *row) {
  return link->move.id == row->id && link->move.count >= SW_MOVE_REQUESTS &&
         link->now - link->move.time >= SW_MOVE_WAIT && row->answer_time >= link->move.time;
}

static size_t probe_candidate(struct sw_link *link, struct sw_candidate *row, uint8_t *datagram,
                              struct sw_path *path) {
  const struct sw_paths *paths = &link->paths;
  if (may_move(link, row)) {
    select_path(link, row, ASKED);
    return 0;
  }
  if (link->now - link->move.time >= SW_MOVE_MEMORY) link->move.id = 0;
  sw_candidate_note_lost(row, link->now);
  size_t most = SW_PROBE_MAX;
  if (!sw_candidate_is_configured(row) && !sw_candidate_is_validated(row)) {
    if (row->credit < SW_OVERHEAD + SW_PROBE_BYTES) {
      row->probe_at = NONE; /* until more comes from there */
      return 0;
    }
    most = (size_t)earlier(most, row->credit - SW_OVERHEAD);
    row->check_at = after(link, SW_CANDIDATE_PROBE);
  }
  *path = row->path;
  row->probe_time = link->now; /* the interval to the next one begins now */
  if (link->silent)
    row->probe_at = after(link, SW_SILENT_PROBE);
  else if (paths->doubt_since || is_watched(link, row) || link->move.id == row->id)
    row->probe_at = after(link, SW_CANDIDATE_PROBE);
  else
    row->probe_at = row->unanswered + 1 < SW_TRIES ? link->now + patience(row) : regular(link, row);
  const size_t length = seal_probe(link, row, SW_KIND_CHECK, SW_PROBE_BYTES, most, datagram);
  row->credit -= row->credit < length ? row->credit : length;
  return length;
}

static struct sw_candidate *due_row(struct sw_link *link) {
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &link->paths.rows[i];
    if (row->id && link->now >= row->probe_at) return row;
  }
  return NULL;
}

/* A row that is due is probed, and due later, or another path takes its place. */
size_t sw_paths_probe(struct sw_link *link, uint8_t *datagram, struct sw_path *path) {
  struct sw_candidate *row;
  while (link->sessions.current && (row = due_row(link))) {
    const size_t length = row == link->paths.active ? probe_active(link, datagram, path)
                                                    : probe_candidate(link, row, datagram, path);
    if (length) return length;
  }
  return 0;
}

/* A probe that is as long as the packets is lost, while a later, short one is answered: again and
 * again, if long datagrams do not pass any more.  Returns whether to try once more now. */
static bool check_long(struct sw_link *link, uint32_t number) {
  struct sw_paths *paths = &link->paths;
  if (!paths->long_sent) return false;
  if (number == paths->long_number) {
    forget_long(paths);
    return false;
  }
  if (number - paths->long_number > SW_PROBES_KEPT) return false; /* of an earlier one */
  paths->long_sent = false;
  if (++paths->long_lost < SW_LONG_LOST) return true;
  forget_long(paths);
  sw_pathmtu_hint(link);
  return false;
}

/* An observed address is validated by an answer that comes from there: else anybody could have a
 * side send to an address of his choice.  For any other path an answer from anywhere shows that the
 * probe arrived: a copy of the answer that is faster does not hide it. */
void sw_paths_acknowledged(struct sw_link *link, uint64_t token, const struct sw_path *path) {
  struct sw_paths *paths = &link->paths;
  const uint32_t id = (uint32_t)(token >> 32), number = (uint32_t)token;
  struct sw_candidate *row = sw_candidates_find_id(paths->rows, id);
  if (!row || !sw_candidate_sent(row, number)) return;
  const bool there = sw_address_equal(&row->path.peer, &path->peer);
  if (!sw_candidate_is_validated(row) && !sw_candidate_is_configured(row) && !there) {
    row->credit = 0;
    row->check_at = link->now + SW_CONTEST_LOST;
    row->probe_at = NONE;
    return;
  }
  if (there) sw_candidates_adopt(paths->rows, paths->active, row, path->local);
  sw_candidate_answered(row, number, there, link->now);
  if (row == paths->active) {
    end_silence(link);
    if (paths->doubt_since) end_doubt(link);
    row->probe_at = paths->announcements ? after(link, SW_CANDIDATE_PROBE) : regular(link, row);
    if (check_long(link, number)) row->probe_at = link->now;
    return;
  }
  if (is_watched(link, row))
    select_path(link, row, WATCHED);
  else if (link->silent)
    select_path(link, row, NEEDED);
  else if (is_better(paths, row) && is_steady(link, row))
    select_path(link, row, PREFERRED);
  else if (link->move.id != row->id && !paths->doubt_since)
    row->probe_at = regular(link, row);
}

/* ---- what is received ---- */

static bool is_sent_on_active(enum sw_kind kind) {
  return kind == SW_KIND_PACKET || kind == SW_KIND_PACKET_PARTIAL || kind == SW_KIND_PROBE ||
         kind == SW_KIND_MOVE;
}

/* A side that has configured addresses follows to these only. */
static void note_move(struct sw_link *link, const struct sw_candidate *row,
                      const struct sw_opening *opening) {
  struct sw_move *move = &link->move;
  const bool recent = move->id && link->now - move->time < SW_MOVE_MEMORY;
  if (!sw_candidate_is_configured(row) && sw_candidates_configured(link->paths.rows, NULL)) return;
  if (recent && (move->id != row->id || move->session != opening->session)) return;
  if (!recent)
    *move = (struct sw_move){.id = row->id, .session = opening->session, .time = link->now};
  if (move->count < SW_ANNOUNCEMENTS) move->words[move->count++] = opening->word;
}

/* Asks the peer to send on the active path if it prefers a worse one. */
static void ask(struct sw_link *link, const struct sw_candidate *row) {
  struct sw_paths *paths = &link->paths;
  if (row->rank <= paths->active->rank || !sw_candidate_is_validated(row) || paths->led ||
      link->now < paths->announce_at || !is_steady(link, paths->active))
    return;
  paths->announcements = SW_ANNOUNCEMENTS;
  paths->announce_at = link->now + SW_RETURN_AFTER;
  paths->active->probe_at = link->now;
}

void sw_paths_received(struct sw_link *link, const struct sw_opening *opening) {
  struct sw_paths *paths = &link->paths;
  const struct sw_path *path = opening->path;
  const enum sw_kind kind = (enum sw_kind)(opening->word >> SW_COUNTER_BITS);
  if (sw_candidate_is_on(paths->active, path)) {
    if (is_sent_on_active(kind)) paths->announcements = 0;
    return;
  }
  if (kind == SW_KIND_PROBE_ACK || kind == SW_KIND_CLOSE) return;
  struct sw_candidate *row = sw_candidates_find(paths->rows, path);
  if (!row) row = sw_candidates_add(paths->rows, paths->active, path, SW_RANK_NONE);
  assert(row);
  if (!sw_candidate_is_validated(row)) {
    row->credit = opening->length;
    row->probe_at = earlier(row->probe_at, later(link->now, row->check_at));
  }
  if (!is_sent_on_active(kind)) return;
  row->heard_time = link->now;
  ask(link, row);
  if (kind == SW_KIND_MOVE) {
    note_move(link, row, opening);
    if (sw_candidate_is_validated(row)) row->probe_at = link->now;
  }
  if (link->now >= paths->contest_at && link->now >= row->contest_at)
    doubt(link, patience(paths->active));
}

/* The address of the copy proves nothing: it is from before the tag is verified. */
void sw_paths_repeated(struct sw_link *link, const struct sw_opening *opening) {
  const struct sw_move *move = &link->move;
  bool asked = false;
  for (unsigned i = 0; i < move->count; i++) asked |= move->words[i] == opening->word;
  if (!move->id || move->session != opening->session || !asked) return;
  const struct sw_candidate *row = sw_candidates_find_id(link->paths.rows, move->id);
  if (row && !sw_address_equal(&row->path.peer, &opening->path->peer)) link->move.id = 0;
}

static bool may_answer(struct sw_paths *paths, const struct sw_path *path) {
  const struct sw_candidate *row = sw_candidates_find(paths->rows, path);
  return (row && sw_candidate_is_validated(row)) ||
         sw_candidates_configured(paths->rows, &path->peer);
}

/* The active path gets an answer even if the probe came from elsewhere: it may be a copy that was
 * faster. */
unsigned sw_paths_reply(struct sw_link *link, const struct sw_path *path,
                        const struct sw_path *to[2]) {
  struct sw_paths *paths = &link->paths;
  const bool elsewhere = paths->active && !sw_candidate_is_on(paths->active, path);
  unsigned count = 0;
  if (!elsewhere || may_answer(paths, path)) to[count++] = path;
  if (elsewhere) to[count++] = &paths->active->path;
  return count;
}

/* ---- configuration ---- */

void sw_paths_configure(struct sw_link *link, const struct sw_address *addresses, size_t count) {
  struct sw_paths *paths = &link->paths;
  sw_candidates_configure(paths->rows, paths->active, addresses, count);
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    struct sw_candidate *row = &paths->rows[i];
    if (row->id && row != paths->active && sw_candidate_is_configured(row) && paths->active)
      row->probe_at = link->now;
  }
}

void sw_paths_report(const struct sw_link *link, struct sw_link_status *status) {
  status->path_count = 0;
  for (unsigned i = 0; i < SW_CANDIDATES; i++) {
    const struct sw_candidate *row = &link->paths.rows[i];
    if (!row->id) continue;
    const bool active = row == link->paths.active;
    status->paths[status->path_count++] =
        (struct sw_path_status){.path = row->path,
                                .rtt = row->rtt,
                                .answer_time = row->answer_time,
                                .probes_sent = row->next,
                                .probes_lost = row->lost,
                                .mtu = active ? link->pathmtu.found : row->mtu,
                                .active = active,
                                .configured = sw_candidate_is_configured(row)};
  }
}
