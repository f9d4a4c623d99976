#include "protocol/control.h"

#include <assert.h>
#include <sodium.h>

/* Seals a token and random padding, `most` bytes in all at most. */
static size_t seal_token(struct sw_link *link, struct sw_session *session, enum sw_kind kind,
                         uint64_t token, size_t most, uint8_t *datagram, struct sw_path *path) {
  assert(most >= SW_PROBE_BYTES);
  uint8_t plain[SW_PROBE_MAX] = {0};
  sw_store64(plain, token);
  if (most > SW_PROBE_MAX) most = SW_PROBE_MAX;
  const size_t length = SW_PROBE_BYTES + randombytes_uniform((uint32_t)(most - SW_PROBE_BYTES + 1));
  const int64_t sealed = sw_session_seal(session, link->now, kind, plain, length, datagram);
  if (sealed < 0) return 0;
  *path = session->path;
  sw_schedule_sent(link, kind == SW_KIND_PROBE);
  return (size_t)sealed;
}

static uint64_t random_token(void) {
  uint64_t token;
  randombytes_buf(&token, sizeof(token));
  return token;
}

static void count_lost_probes(struct sw_link *link) {
  for (unsigned i = 0; i < SW_PROBES; i++) {
    link->status.probes_lost += link->probes[i].periodic;
    link->probes[i].periodic = false;
  }
}

size_t sw_control_probe(struct sw_link *link, struct sw_session *session, bool periodic,
                        uint8_t *datagram, struct sw_path *path) {
  if (periodic) count_lost_probes(link);
  struct sw_probe *const probe = &link->probes[link->probe_next++ % SW_PROBES];
  *probe = (struct sw_probe){.token = random_token(), .sent = link->now, .periodic = periodic};
  link->status.probes_sent += periodic;
  return seal_token(link, session, SW_KIND_PROBE, probe->token, SW_PROBE_MAX, datagram, path);
}

size_t sw_control_ack(struct sw_link *link, struct sw_session *session, uint64_t token,
                      size_t length, uint8_t *datagram, struct sw_path *path) {
  return seal_token(link, session, SW_KIND_PROBE_ACK, token, length, datagram, path);
}

void sw_control_acknowledged(struct sw_link *link, uint64_t token) {
  for (unsigned i = 0; i < SW_PROBES; i++) {
    struct sw_probe *probe = &link->probes[i];
    if (!probe->sent || probe->token != token) continue;
    const uint64_t rtt = link->now - probe->sent;
    link->status.rtt = link->status.rtt ? (7 * link->status.rtt + rtt) / 8 : rtt;
    *probe = (struct sw_probe){0};
  }
}

size_t sw_control_keepalive(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                            struct sw_path *path) {
  return seal_token(link, session, SW_KIND_PROBE_ACK, random_token(), SW_PROBE_MAX, datagram, path);
}

size_t sw_control_farewell(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                           struct sw_path *path) {
  return seal_token(link, session, SW_KIND_CLOSE, 0, SW_PROBE_MAX, datagram, path);
}
