#include "states.h"

#include <assert.h>

#define STATES_MAX (1 << 22) /* a power of two */

/* Open addressing; 0: empty. */
static uint64_t states[STATES_MAX];
static size_t count;

/* Appends a number below `limit`; what is more counts as the largest. */
static void append(uint64_t *state, uint64_t number, uint64_t limit) {
  *state = *state * limit + (number < limit ? number : limit - 1);
}

static void append_sessions(uint64_t *state, const struct sw_sessions *sessions) {
  unsigned confirmed = 0;
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    confirmed += sessions->rows[i].state == SW_SESSION_CONFIRMED;
  append(state, confirmed, SW_SESSIONS + 1);
  append(state, sessions->current != NULL, 2);
  append(state, sw_sessions_unconfirmed(sessions) != NULL, 2);
  append(state, sessions->pending.count, 4);
}

static void append_host(uint64_t *state, const struct host *host) {
  if (!host->link) {
    append(state, SW_LINK_CLOSED + 1, SW_LINK_CLOSED + 2);
    return;
  }
  const struct sw_link_status *status = sw_link_status(host->link);
  append(state, status->state, SW_LINK_CLOSED + 2);
  append_sessions(state, &host->link->sessions);
  append(state, status->attempts, 3);
  append(state, status->path_count, SW_PATHS_MAX + 1);
  append(state, status->endpoint_count, 5);
  append(state, status->fragments, 2);
  append(state, host->key_count, SW_PSKS_MAX + 1);
}

void states_see(const struct host hosts[2]) {
  uint64_t state = 1;
  append_host(&state, &hosts[0]);
  append_host(&state, &hosts[1]);
  size_t i = state * UINT64_C(0x9e3779b97f4a7c15) >> 42;
  for (; states[i] != 0; i = (i + 1) % STATES_MAX)
    if (states[i] == state) return;
  states[i] = state;
  count++;
  assert(count < STATES_MAX / 2);
}

size_t states_count(void) {
  return count;
}
