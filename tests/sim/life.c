#include <string.h>

#include "calm.h"
#include "scenarios.h"
#include "verdict.h"

static struct sw_link *link_of(struct world *world, unsigned side) {
  return world->hosts[side].link;
}

static uint64_t delivered(const struct world *world, unsigned side) {
  const struct traffic *traffic = &world->traffic[side];
  uint64_t count = 0;
  for (uint64_t i = 0; i < traffic->count; i++) count += traffic->packets[i].delivered;
  return count;
}

/* ---- starts ---- */

static void start_at_once(struct world *world) {
  for (unsigned side = 0; side < 2; side++)
    world->network.paths[side].delay = dice_between(&world->dice, 0, 500) * SW_MILLISECOND;
  bring_up(world);
  calm_verify(world, true);
}

static void start_late(struct world *world) {
  world->hosts[B].endpoint_count = 0;
  world_start(world, B);
  world_run(world, 3600 * SW_SECOND);
  expect(host_state(&world->hosts[B]) == SW_LINK_WAITING, "B waits");
  expect(world->tap.count == 0, "a link that knows no address sends nothing");
  world_start(world, A);
  await_agreement(world, 2 * round_trip(world), "the link is up as soon as the other side starts");
}

/* Odd seeds: with traffic, so that packets confirm a session as well as probes do. */
static bool lose_one(void *context, size_t recording) {
  const struct world *world = context;
  return recording != (world->seed - 1) / 2;
}

static void lose_at_any_point(struct world *world) {
  world->hosts[B].endpoint_count = 0;
  world->network.intercept = lose_one;
  world->network.context = world;
  for (unsigned side = 0; side < 2; side++) {
    world_start(world, side);
    if (world->seed % 2) world_traffic(world, side, 20 * SW_MILLISECOND);
  }
  await_agreement(world, SW_RETRY_FIRST + RETRY_SLACK + 3 * round_trip(world),
                  "one retry is enough after a lost datagram");
  calm_verify(world, true);
}

static void try_for_ever(struct world *world) {
  world_start(world, A);
  world_run(world, 3600 * SW_SECOND);
  const size_t inits = world_count(world, A, DATAGRAM_INIT, 0);
  expect(inits >= 3600 / 6 && inits <= 3600 / 5 + 3, "it retries every 5 s");
  world_start(world, B);
  await_agreement(world, 2 * round_trip(world), "the link is up as soon as the other side starts");
}

/* ---- restarts and ends ---- */

static void restart_with_endpoint(struct world *world) {
  const unsigned side = world->seed % 2;
  world->hosts[!side].endpoint_count = 0;
  bring_up(world);
  world_run(world, dice_below(&world->dice, 300) * SW_SECOND);
  const uint64_t trip = round_trip(world);
  world_kill(world, side);
  world_start(world, side);
  world_run(world, trip);
  expect(world_send(world, side), "it can send after one round trip");
  world_run(world, trip / 2);
  expect(delivered(world, side) == 1, "its packet arrives");
  expect(world_send(world, !side), "the other side sends in the new session");
  world_run(world, trip / 2);
  expect(delivered(world, !side) == 1, "the packet of the other side arrives");
  expect(world_agrees(world), "the link is back");
}

static void restart_without_endpoint(struct world *world) {
  world->hosts[B].endpoint_count = 0;
  world->refusals = true;
  bring_up(world);
  world_run(world, 30 * SW_SECOND);
  start_traffic(world, 50 * SW_MILLISECOND);
  world_run(world, SW_SECOND);
  world_kill(world, B);
  world_run(world, dice_between(&world->dice, 1, 20) * SW_SECOND);
  world_start(world, B);
  await_agreement(world, SW_REFUSED_RETRY * 2 + 2 * round_trip(world),
                  "ICMP errors reveal the restart, and the link is back at once");
}

static void close_is_reported(struct world *world) {
  bring_up(world);
  world_run(world, SW_SECOND);
  world_close(world, B);
  world_kill(world, B);
  world_run(world, round_trip(world) / 2);
  expect(host_state(&world->hosts[A]) == SW_LINK_CONNECTING,
         "the peer knows that the link is closed");
  expect(sw_link_status(link_of(world, A))->closed_time == world->now,
         "the peer knows the time of the close");
  expect(!world_send(world, A), "packets are refused at once");
  const size_t since = world->tap.count;
  world_run(world, SW_RETRY_FIRST + SW_RETRY_JITTER);
  expect(world_count(world, A, DATAGRAM_INIT, since) == 1, "it retries after a second");
  world_start(world, B);
  await_agreement(world, 2 * round_trip(world), "the link is up as soon as the other side starts");
}

/* A set of values: sizes, or times in milliseconds. */
struct variety {
  bool had[4096];
  unsigned count;
};

static void vary(struct variety *variety, uint64_t value) {
  expect(value < sizeof(variety->had), "the value is in range");
  variety->count += !variety->had[value];
  variety->had[value] = true;
}

/* Probes of the MTU are as long as packets. */
static bool is_long(const struct recording *recording) {
  return recording->kind == DATAGRAM_PROBE && recording->length > SW_OVERHEAD + SW_PROBE_MAX;
}

static unsigned sizes(const struct world *world, enum datagram_kind kind) {
  struct variety variety = {0};
  for (size_t i = 0; i < world->tap.count; i++) {
    const struct recording *recording = &world->tap.recordings[i];
    if (recording->kind == kind && !is_long(recording)) vary(&variety, recording->length);
  }
  return variety.count;
}

/* Returns the first datagram that a side sent from recording `since` on. */
static const struct recording *next_of(const struct world *world, unsigned side, size_t since) {
  while (world->tap.recordings[since].sender != side || is_long(&world->tap.recordings[since]))
    since++;
  return &world->tap.recordings[since];
}

#define LINKS 64

/* Many links, one after the other, each up for a while and then closed. */
static void idle_and_end(struct world *world) {
  struct variety probes = {0}, inits = {0};
  for (unsigned side = 0; side < 2; side++) world->hosts[side].persistent_keepalive = SW_SECOND;
  for (unsigned i = 0; i < LINKS; i++) {
    bring_up(world);
    world_run(world, 200 * SW_MILLISECOND); /* the confirming probes, and their acks */
    const size_t idle = world->tap.count;
    const uint64_t confirmed = sw_link_status(link_of(world, A))->handshake_time;
    world_run(world, 2 * SW_SECOND);
    vary(&probes, (next_of(world, A, idle)->clock[A] - confirmed) / SW_MILLISECOND);
    world_close(world, B);
    const size_t end = world->tap.count;
    world_run(world, 2 * SW_SECOND);
    const uint64_t closed = sw_link_status(link_of(world, A))->closed_time;
    vary(&inits, (next_of(world, A, end)->clock[A] - closed) / SW_MILLISECOND);
    for (unsigned side = 0; side < 2; side++) world_kill(world, side);
  }
  expect(probes.count >= LINKS / 4, "the intervals of probes vary");
  expect(inits.count >= LINKS / 4, "the delays of inits after a close vary");
  const enum datagram_kind kinds[] = {DATAGRAM_INIT, DATAGRAM_RESPONSE, DATAGRAM_PROBE,
                                      DATAGRAM_PROBE_ACK, DATAGRAM_CLOSE};
  for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
    expect(sizes(world, kinds[i]) >= LINKS / 4, "the sizes of each kind of datagram vary");
}

static void expect_mappings_kept(const struct world *world, unsigned side, size_t since) {
  const struct recording *last = next_of(world, side, since);
  for (size_t i = since; i < world->tap.count; i++) {
    const struct recording *recording = &world->tap.recordings[i];
    if (recording->sender != side) continue;
    expect(recording->clock[side] - last->clock[side] <= world->hosts[side].persistent_keepalive,
           "a NAT sees a datagram every PersistentKeepalive");
    last = recording;
  }
}

static bool lose_first_close(void *context, size_t recording) {
  bool *lost = context;
  const bool lose = !*lost;
  *lost = true;
  (void)recording;
  return !lose;
}

/* After a rekey the close in the former session is lost.  A delayed packet of that session arrives
 * after the close in the current session. */
static void straggle(struct world *world) {
  world->hosts[B].endpoint_count = 0;
  bring_up(world);
  world->network.intercept = lose_all;
  const size_t packet = world->tap.count;
  world_send(world, A);
  world->network.intercept = NULL;
  world_run(world, SW_REKEY_OTHER_AFTER);
  bool lost = false;
  world->network.intercept = lose_first_close;
  world->network.context = &lost;
  world_close(world, A);
  world_run(world, SW_SECOND);
  network_replay(&world->network, world->now, packet, B, &world->tap.recordings[packet].from);
  world_run(world, 2 * (10 * SW_SECOND));
  expect(delivered(world, A) == 1, "the packet is delivered");
  expect(host_state(&world->hosts[B]) == SW_LINK_CONNECTING, "B knows that A is gone");
}

/* The longest time from a packet to the end of a path that is dead: a probe, its ack, and as many
 * more as are needed. */
#define NOTICED (SW_PROBE_BUSY + SW_PROBE_WAIT_MOST + SW_DOUBT_TIME)

static void silence_is_noticed(struct world *world) {
  const bool idle = world->seed % 2;
  bring_up(world);
  world_run(world, dice_between(&world->dice, 20, 60) * SW_SECOND);
  world->network.paths[B].blackout = true;
  world_run(world, round_trip(world));
  const uint64_t begun = world->now;
  const uint64_t bound = idle ? world->hosts[A].persistent_keepalive : 200 * SW_MILLISECOND;
  if (!idle) world_traffic(world, A, 100 * SW_MILLISECOND);
  while (host_state(&world->hosts[A]) == SW_LINK_UP)
    if (!world_step(world, begun + bound + NOTICED + 4 * round_trip(world)))
      verdict_fail("silence is noticed within 3 s of what was sent");
  world->network.paths[B].blackout = false;
  await_agreement(world, SW_SILENT_PROBE + 2 * round_trip(world), "the link is back");
}

/* ---- sessions ---- */

/* A search for the MTU: three rounds, each probe twice. */
#define SEARCH (3 * 2 * SW_MTU_SIZES)

static void idle_stays_up(struct world *world) {
  const bool probes = world->seed % 2;
  for (unsigned side = 0; side < 2; side++)
    if (!probes) world->hosts[side].persistent_keepalive = 0;
  bring_up(world);
  for (unsigned i = 0; i < 600; i++) {
    world_run(world, SW_SECOND);
    expect(world_agrees(world), "an idle link stays up");
  }
  const uint64_t handshakes = sw_link_status(link_of(world, A))->handshakes;
  expect(handshakes >= 600 / 120 && handshakes <= 2 * (600 / 115 + 1),
         "an idle link renews its sessions");
  if (!probes)
    expect(world->tap.count <= handshakes * 6 + 4 * SEARCH,
           "an idle link sends no needless datagram");
  for (unsigned side = 0; side < 2; side++)
    if (probes) expect_mappings_kept(world, side, 0);
}

static void rekey_loses_nothing(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    world->network.paths[side].delay = dice_below(&world->dice, 300) * SW_MILLISECOND;
    world->network.paths[side].jitter = dice_below(&world->dice, 300) * SW_MILLISECOND;
  }
  bring_up(world);
  world_run(world, SW_SECOND);
  const uint64_t since = world->now;
  start_traffic(world, 50 * SW_MILLISECOND);
  world_run(world, 400 * SW_SECOND);
  stop_traffic(world);
  for (unsigned side = 0; side < 2; side++)
    expect(sw_link_status(link_of(world, side))->handshakes >= 4, "sessions are renewed");
  expect_nothing_lost(world, since);
}

/* The other side's keepalives are the only sign that it is there. */
static void use_one_way(struct world *world, unsigned bad) {
  const unsigned side = world->seed % 2;
  world->hosts[side].persistent_keepalive = 0;
  bring_up(world);
  world_traffic(world, side, 500 * SW_MILLISECOND);
  world->traffic[side].bad = bad;
  for (unsigned i = 0; i < 300; i++) {
    world_run(world, SW_SECOND);
    expect(world_agrees(world), "a link with traffic one way stays up");
  }
  expect(sw_link_status(link_of(world, side))->handshakes <= 2 * 3,
         "it makes no additional handshakes");
}

static void one_way(struct world *world) {
  use_one_way(world, 0);
}

static void refused_packets(struct world *world) {
  use_one_way(world, 1000);
}

/* The counters pass the replay window several times, by packets in order (odd seeds) or by packets
 * that overtake each other (even seeds). */
static void pass_window(struct world *world) {
  const bool in_order = world->seed % 2;
  for (unsigned side = 0; side < 2; side++) {
    if (!in_order) world->network.paths[side].jitter = 2 * SW_SECOND;
    world->network.paths[side].duplicate = in_order ? 0 : 500;
    world_start(world, side);
  }
  await_agreement(world, 30 * SW_SECOND, "the link comes up");
  world_run(world, 3 * SW_SECOND);
  const uint64_t since = world->now;
  const size_t first = world->tap.count;
  world_traffic(world, A, SW_MILLISECOND);
  world_run(world, 30 * SW_SECOND);
  world_traffic(world, A, 0);
  world_run(world, 3 * SW_SECOND);
  expect(traffic_lost(&world->traffic[A], since) == 0, "nothing is lost");
  const uint64_t *drops = sw_link_status(link_of(world, B))->drops;
  expect(drops[SW_DROP_REPLAYED] > 10000 || in_order, "duplicates are counted");
  expect(drops[SW_DROP_OLD] == 0, "no packet is too old");
  network_replay(&world->network, world->now, first, B, &world->tap.recordings[first].from);
  world_run(world, 1);
  expect(drops[SW_DROP_OLD] == 1, "a packet below the window is dropped");
}

static void counters_near_rekey(struct world *world) {
  const unsigned side = world->seed % 2;
  bring_up(world);
  world_run(world, SW_SECOND);
  const uint64_t since = world->now;
  link_of(world, side)->sessions.current->counter = SW_REKEY_AFTER_COUNTER - 10;
  const uint64_t handshakes = sw_link_status(link_of(world, side))->handshakes;
  world_traffic(world, side, 10 * SW_MILLISECOND);
  world_run(world, SW_SECOND);
  world_traffic(world, side, 0);
  world_run(world, SW_SECOND);
  expect(sw_link_status(link_of(world, side))->handshakes == handshakes + 1,
         "the link is rekeyed once");
  expect(link_of(world, side)->sessions.current->counter < 1000, "counters start again");
  expect(traffic_lost(&world->traffic[side], since) == 0, "nothing is lost");
}

static void counters_at_the_end(struct world *world) {
  bring_up(world);
  world_run(world, SW_SECOND);
  for (unsigned side = 0; side < 2; side++) world->network.paths[side].blackout = true;
  struct sw_session *session = link_of(world, A)->sessions.current;
  session->counter = SW_REJECT_AFTER_COUNTER - 3;
  for (unsigned i = 0; i < 3; i++) expect(world_send(world, A), "the last counters are used");
  for (unsigned i = 0; i < 3; i++) expect(!world_send(world, A), "no counter is used twice");
  world_run(world, 30 * SW_SECOND); /* keepalives and probes must not use them either */
  calm_verify(world, true);
}

static void other_side_rekeys(struct world *world) {
  world->hosts[B].endpoint_count = 0; /* A is the initiator */
  bring_up(world);
  world_run(world, 100 * SW_SECOND);
  host_clock_stop(&world->hosts[A], world->now);
  world_run(world, SW_REKEY_OTHER_AFTER - 101 * SW_SECOND);
  expect(sw_link_status(link_of(world, B))->handshakes == 1,
         "the responder leaves the initiator time to rekey");
  world_run(world, SW_REKEY_JITTER + 3 * SW_SECOND);
  expect(sw_link_status(link_of(world, B))->handshakes == 2, "then the responder rekeys");
  expect(world_agrees(world), "both sides use the new session");
}

static bool hold_probes(void *context, size_t recording) {
  const struct world *world = context;
  return world->tap.recordings[recording].kind != DATAGRAM_PROBE;
}

static void late_confirmation(struct world *world) {
  bring_up(world);
  world_kill(world, A);
  world->network.intercept = hold_probes;
  world->network.context = world;
  world_start(world, A);
  world_run(world, round_trip(world));
  size_t probe = world->tap.count - 1;
  while (world->tap.recordings[probe].kind != DATAGRAM_PROBE) probe--;
  expect(world->tap.recordings[probe].life[A] == 2, "the second process of A made a session");

  world_kill(world, A);
  world->network.intercept = NULL;
  world_start(world, A);
  await_agreement(world, 2 * round_trip(world), "the third process of A made a session");
  network_replay(&world->network, world->now, probe, B, &world->tap.recordings[probe].from);
  world_run(world, SW_SECOND);
  expect(world_agrees(world), "B sends in the session of the running process");
}

struct half {
  struct world *world;
  bool deaf; /* B receives nothing but responses */
  bool mute; /* inits are lost */
};

static bool half_lose(void *context, size_t recording) {
  const struct half *half = context;
  const struct recording *sent = &half->world->tap.recordings[recording];
  if (half->mute && sent->kind == DATAGRAM_INIT) return false;
  return sent->sender == B || !half->deaf || sent->kind == DATAGRAM_RESPONSE;
}

/* B starts a session because A is silent.  A confirms it.  B does not receive the confirmation,
 * discards the session, and then receives packets of A in the session before. */
static void half_confirmation(struct world *world) {
  for (unsigned side = 0; side < 2; side++) world->hosts[side].persistent_keepalive = 4 * SW_SECOND;
  world->hosts[A].endpoint_count = 0; /* one session at the start */
  bring_up(world);
  world_traffic(world, B, 500 * SW_MILLISECOND);
  world_run(world, 5 * SW_SECOND);
  struct half half = {.world = world, .deaf = true};
  world->network.intercept = half_lose;
  world->network.context = &half;
  const uint64_t until = world->now + (15 * SW_SECOND) + 5 * SW_SECOND;
  const uint32_t former = link_of(world, A)->sessions.current->local;
  while (link_of(world, A)->sessions.current->local == former)
    if (!world_step(world, until)) verdict_fail("A confirms a session");
  half.mute = true;
  world_run(world, SW_PENDING_LIFETIME + SW_SECOND);
  half.deaf = false;
  world_run(world, world->hosts[B].persistent_keepalive + SW_SECOND);
  expect(link_of(world, B)->sessions.current->remote == former,
         "B receives packets of A in the former session");
  half.mute = false;
  await_agreement(world, SW_RETRY_LAST + RETRY_SLACK + 3 * round_trip(world),
                  "both sides use one session again");
}

/* ---- clocks and addresses ---- */

#define DAY (86400 * SW_SECOND)

/* As many days as the number of the seed: a run of seed 365 is a year. */
static void long_life(struct world *world) {
  bring_up(world);
  start_traffic(world, 60 * SW_SECOND);
  for (uint64_t day = 0; day < world->seed; day++) {
    const uint64_t since = world->now;
    const uint64_t handshakes = sw_link_status(link_of(world, A))->handshakes;
    world_run(world, DAY);
    expect(world_agrees(world), "the link is up");
    const uint64_t renewed = sw_link_status(link_of(world, A))->handshakes - handshakes;
    expect(renewed >= DAY / SW_REKEY_AFTER - 1 &&
               renewed <= DAY / (SW_REKEY_AFTER - SW_REKEY_JITTER) + 1,
           "its sessions are renewed in time");
    stop_traffic(world);
    expect_nothing_lost(world, since);
    wiretap_forget(&world->tap);
    start_traffic(world, 60 * SW_SECOND);
  }
}

static void suspend(struct world *world) {
  bring_up(world);
  world_run(world, dice_below(&world->dice, 200) * SW_SECOND);
  const uint64_t who = world->seed % 3;
  for (unsigned side = 0; side < 2; side++)
    if (who == side || who == 2) host_clock_jump(&world->hosts[side], 3600 * (int64_t)SW_SECOND);
  if (who != 2)
    expect(!world_send(world, (unsigned)who), "no packet is sealed in an expired session");
  world_run(world, SW_MILLISECOND);
  expect(!world_agrees(world), "the sessions have ended");
  await_agreement(world, SW_SECOND, "the link is back as soon as the suspend ends");
  calm_verify(world, true);
}

/* Without probes, or with so many that they could mislead the link. */
static void rebind(struct world *world) {
  const unsigned side = world->seed % 2;
  static const uint64_t keepalives[] = {0, 5 * SW_SECOND, 25 * SW_SECOND};
  for (unsigned i = 0; i < 2; i++)
    world->hosts[i].persistent_keepalive = keepalives[world->seed % 3];
  world->hosts[!side].endpoint_count = 0;
  bring_up(world);
  start_traffic(world, SW_SECOND);
  world_run(world, 20 * SW_SECOND);
  world_rebind(world, side, world->seed > 3);
  await_agreement(world, 2 * SW_SECOND + NOTICED + 2 * round_trip(world),
                  "the link is back from the new address within 3 s of what was sent");
}

static void wrong_endpoints_first(struct world *world) {
  world->hosts[B].endpoint_count = 0;
  world_resolve(world, A, HOST_ENDPOINTS);
  start_both(world);
  await_agreement(world, (1 + 2) * SW_SECOND + 2 * RETRY_SLACK + 2 * round_trip(world),
                  "each endpoint is tried in turn");
}

/* ---- keys ---- */

static void expect_key(const struct world *world, unsigned number) {
  char fingerprint[SW_FINGERPRINT_TEXT];
  const struct sw_psk psk = key_psk(number);
  sw_psk_fingerprint(&psk, fingerprint);
  for (unsigned side = 0; side < 2; side++)
    expect(strcmp(sw_link_status(world->hosts[side].link)->fingerprint, fingerprint) == 0,
           "both sides show the key that they use");
}

/* Both sides get these keys, in any order, and not at the same time. */
static void both_get(struct world *world, const unsigned *numbers, unsigned count) {
  const unsigned first = (unsigned)dice_below(&world->dice, 2);
  for (unsigned i = 0; i < 2; i++) {
    world_keys(world, i ? !first : first, numbers, count);
    world_run(world, dice_between(&world->dice, 0, 100) * 50 * SW_MILLISECOND);
  }
  world_run(world, SW_PENDING_LIFETIME + 2 * round_trip(world));
}

/* Even seeds: again and again, so that renewals fall into every step. */
static void rotate(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    world->network.paths[side].delay = dice_below(&world->dice, 300) * SW_MILLISECOND;
    world->network.paths[side].jitter = dice_below(&world->dice, 300) * SW_MILLISECOND;
  }
  bring_up(world);
  world_run(world, SW_SECOND);
  const uint64_t since = world->now;
  start_traffic(world, 50 * SW_MILLISECOND);
  for (unsigned old = 0; old + 1 < KEYS; old++) {
    world_run(world, dice_below(&world->dice, world->seed % 2 ? 5 : 60) * SW_SECOND);
    both_get(world, (unsigned[]){old, old + 1}, 2);
    expect_key(world, old);
    both_get(world, (unsigned[]){old + 1, old}, 2);
    expect_key(world, old + 1);
    both_get(world, (unsigned[]){old + 1}, 1);
    expect_key(world, old + 1);
  }
  stop_traffic(world);
  expect_nothing_lost(world, since);
}

static void first_key_is_unknown(struct world *world) {
  const unsigned side = world->seed % 2;
  world_keys(world, side, (unsigned[]){1, 0}, 2);
  world->hosts[!side].endpoint_count = 0;
  start_both(world);
  await_agreement(world, SW_RETRY_FIRST + RETRY_SLACK + 2 * round_trip(world),
                  "the second init is sealed with the second key");
  expect_key(world, 0);
  world_run(world, SW_SECOND);
  const uint64_t since = world->now;
  start_traffic(world, 50 * SW_MILLISECOND);
  world_run(world, 400 * SW_SECOND);
  stop_traffic(world);
  expect_nothing_lost(world, since);
  world_keys(world, !side, (unsigned[]){0, 1}, 2);
  world_run(world, SW_REKEY_OTHER_AFTER);
  expect_key(world, 1);
}

static void remove_key_in_use(struct world *world) {
  const unsigned side = world->seed % 2;
  for (unsigned i = 0; i < 2; i++) world_keys(world, i, (unsigned[]){0, 1}, 2);
  bring_up(world);
  world_run(world, dice_below(&world->dice, 300) * SW_SECOND);
  expect_key(world, 0);
  world_keys(world, side, (unsigned[]){1}, 1);
  expect(!world_send(world, side), "no packet is sent under the removed key");
  await_agreement(world, 2 * round_trip(world), "the link is back with the other key");
  expect_key(world, 1);
}

/* ---- path MTU ---- */

static void set_mtu(struct world *world, size_t least, size_t most) {
  for (unsigned side = 0; side < 2; side++)
    world->network.paths[side].mtu = dice_between(&world->dice, least, most);
}

static void expect_mtu(struct world *world, const char *statement) {
  for (unsigned side = 0; side < 2; side++) {
    const struct sw_link_status *status = sw_link_status(link_of(world, side));
    expect(status->path_mtu == calm_mtu(world, side), statement);
    expect(!status->fragments, "nothing has to be fragmented");
  }
}

#define LEAST (SW_MTU_LEAST + SW_OVERHEAD)

static void find_mtu(struct world *world) {
  const bool jumbo = world->seed % 4 == 0;
  set_mtu(world, LEAST, jumbo ? 9100 : 1500);
  bring_up(world);
  world_run(world, 2 * SW_SECOND);
  if (!jumbo) expect_mtu(world, "the MTU is found within 2 s");
  world_run(world, 5 * SW_SECOND);
  expect_mtu(world, "the MTU is found");
}

/* Packets of many sizes, some of them as long as the interface allows. */
static void black_hole(struct world *world) {
  set_mtu(world, 1472, 1500);
  bring_up(world);
  world_run(world, 5 * SW_SECOND);
  start_traffic(world, 2 * SW_MILLISECOND); /* one packet in 300 is longer than 1350 bytes */
  world_run(world, 10 * SW_SECOND);
  set_mtu(world, LEAST, 1350);
  world_run(world, 5 * SW_SECOND);
  expect_mtu(world, "a smaller MTU is found within 5 s");
  const uint64_t since = world->now;
  world_run(world, 60 * SW_SECOND);
  stop_traffic(world);
  expect_nothing_lost(world, since);
  set_mtu(world, 1472, 1500);
  world_run(world, SW_MTU_AGAIN + 5 * SW_SECOND);
  expect_mtu(world, "a larger MTU is found within 10 minutes");
}

static void expect_fragments(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    const struct sw_link_status *status = sw_link_status(link_of(world, side));
    expect(status->fragments && status->path_mtu == SW_MTU_LEAST,
           "datagrams have to be fragmented");
    expect(status->state == SW_LINK_UP, "the link is up");
  }
}

static void small_path(struct world *world) {
  set_mtu(world, 800, LEAST - 1);
  bring_up(world);
  world_run(world, 5 * SW_SECOND);
  expect_fragments(world);
  const uint64_t since = world->now;
  start_traffic(world, SW_SECOND);
  for (unsigned i = 0; i < 3; i++) {
    world_run(world, SW_MTU_AGAIN);
    expect_fragments(world);
  }
  stop_traffic(world);
  expect_nothing_lost(world, since);
  set_mtu(world, 1472, 1500);
  world_run(world, SW_MTU_AGAIN + 5 * SW_SECOND);
  expect_mtu(world, "no longer than necessary");
}

/* Both sides have MTU = 1420. */
static void configured_mtu(struct world *world) {
  const uint32_t mtu = 1420;
  set_mtu(world, LEAST, mtu + SW_OVERHEAD - 1);
  for (unsigned side = 0; side < 2; side++) world->hosts[side].mtu = mtu;
  bring_up(world);
  const uint64_t since = world->now;
  start_traffic(world, SW_SECOND);
  for (unsigned i = 0; i < 3; i++) {
    world_run(world, i ? SW_MTU_AGAIN : 2 * SW_SECOND);
    for (unsigned side = 0; side < 2; side++) {
      const struct sw_link_status *status = sw_link_status(link_of(world, side));
      expect(status->fragments, "the status says that the path carries less than is configured");
      expect(status->path_mtu == calm_mtu(world, side), "and how much");
    }
  }
  set_mtu(world, mtu + SW_OVERHEAD, 1500);
  world_run(world, SW_MTU_AGAIN + 5 * SW_SECOND);
  stop_traffic(world);
  expect_nothing_lost(world, since);
  for (unsigned side = 0; side < 2; side++) {
    const struct sw_link_status *status = sw_link_status(link_of(world, side));
    expect(!status->fragments && status->path_mtu == mtu, "and when it carries it again");
  }
}

/* ---- two providers ---- */

/* A has the two addresses of B; odd seeds: B has two endpoints, too.  All packets of both sides. */
static void bring_up_second(struct world *world) {
  if (world->seed % 2) world->hosts[B].endpoint_count = 0;
  world_second(world);
  start_both(world);
  await_agreement(world, 2 * round_trip(world), "the link comes up");
  start_traffic(world, 100 * SW_MILLISECOND);
  world_run(world, 60 * SW_SECOND);
}

static bool is_on_second(const struct world *world, unsigned side) {
  return host_sends_to(&world->hosts[side], &world->network.second[!side]);
}

/* Whether the first provider fails for what a side sends: seeds 1 to 4: for one side only. */
static bool is_cut(const struct world *world, unsigned side) {
  const uint64_t kind = (world->seed - 1) / 2 % 3;
  return kind == 2 || kind == side;
}

static void cut_first(struct world *world, bool cut) {
  for (unsigned side = 0; side < 2; side++)
    if (is_cut(world, side)) world->network.paths[side].blackout = cut;
}

#define FAILOVER (3 * SW_SECOND)

static void second_provider(struct world *world) {
  bring_up_second(world);
  for (unsigned side = 0; side < 2; side++)
    expect(!is_on_second(world, side), "the first provider is used");
  cut_first(world, true);
  world_run(world, FAILOVER);
  const uint64_t moved = world->now;
  const uint64_t handshakes = sw_link_status(link_of(world, A))->handshakes;
  world_run(world, 50 * SW_SECOND);
  cut_first(world, false);
  world_run(world, SW_RETURN_AFTER - SW_SECOND);
  for (unsigned side = 0; side < 2; side++)
    expect(is_on_second(world, side) || !is_cut(world, side), /* the other may move, too */
           "the second provider is used until the first is reliable");
  world_run(world, 10 * SW_SECOND);
  for (unsigned side = 0; side < 2; side++)
    expect(!is_on_second(world, side), "then the link returns to the first provider");
  world_run(world, 30 * SW_SECOND);
  stop_traffic(world);
  for (unsigned side = 0; side < 2; side++) expect(!is_on_second(world, side), "and stays there");
  expect_nothing_lost(world, moved);
  expect(sw_link_status(link_of(world, A))->handshakes <= handshakes + 3, "the session survives");
}

static void flapping_provider(struct world *world) {
  bring_up_second(world);
  unsigned moves = 0;
  bool on_second[2] = {false, false};
  for (unsigned i = 0; i < 20; i++) {
    cut_first(world, i % 2 == 0);
    const uint64_t end = world->now + dice_between(&world->dice, 3, 20) * SW_SECOND;
    while (world_step(world, end)) {
      for (unsigned side = 0; side < 2; side++) {
        moves += is_on_second(world, side) != on_second[side];
        on_second[side] = is_on_second(world, side);
      }
    }
  }
  expect(moves <= 4, "each side moves at most twice");
}

static void lossy_path(struct world *world) {
  bring_up_second(world);
  for (unsigned side = 0; side < 2; side++) world->network.paths[side].loss = 105;
  for (unsigned i = 0; i < 600; i++) {
    world_run(world, SW_SECOND);
    for (unsigned side = 0; side < 2; side++)
      expect(!is_on_second(world, side), "a path that loses a fifth of the round trips is kept");
  }
}

const struct scenario life_scenarios[LIFE_SCENARIOS] = {
    {"both sides starting at once converge", 20, start_at_once},
    {"a side without an endpoint sends nothing until its peer does", 1, start_late},
    {"a datagram lost at any point of the handshake only delays the link", 42, lose_at_any_point},
    {"a link whose peer is absent retries for ever at a steady rate", 1, try_for_ever},
    {"the link is back within one round trip after a side with an endpoint restarts", 8,
     restart_with_endpoint},
    {"the link is back at once after a side without an endpoint restarts, given ICMP errors", 8,
     restart_without_endpoint},
    {"a close is reported to the peer", 1, close_is_reported},
    {"links that connect, idle and close show no constant size or interval", 2, idle_and_end},
    {"a packet that arrives after the close does not reopen the session", 1, straggle},
    {"a silent peer is noticed within 3 s of what was sent", 8, silence_is_noticed},
    {"an idle link stays up and renews its sessions", 4, idle_stays_up},
    {"a rekey under traffic loses nothing", 4, rekey_loses_nothing},
    {"a link with traffic one way stays up without additional handshakes", 2, one_way},
    {"a link whose packets all have a wrong source stays up as well", 2, refused_packets},
    {"packets that overtake each other are delivered once", 4, pass_window},
    {"counters near their limit cause a rekey, and never repeat", 2, counters_near_rekey},
    {"when the counters are used up packets are refused, and no counter repeats", 1,
     counters_at_the_end},
    {"no packet is sent in an earlier process's session that is confirmed late", 1,
     late_confirmation},
    {"a session confirmed on one side only does not divide the two sides", 1, half_confirmation},
    {"a link lives for days: its sessions are renewed in time, and nothing is lost", 3, long_life},
    {"a suspend of an hour ends the sessions, and the link is back at once", 6, suspend},
    {"a peer whose address changes is followed within 3 s of what was sent", 6, rebind},
    {"wrong endpoints are skipped", 10, wrong_endpoints_first},
    {"the MTU of a path is found within 2 s", 40, find_mtu},
    {"a path that stops carrying long datagrams is noticed under traffic", 10, black_hole},
    {"a path that is too small for IPv6 needs fragments", 4, small_path},
    {"a path that carries less than the configured MTU is noticed, and loses nothing", 8,
     configured_mtu},
    {"when a provider fails the link is on the other within 3 s, and returns 30 s after", 12,
     second_provider},
    {"a provider that fails and returns again and again does not move the link each time", 12,
     flapping_provider},
    {"a path that loses datagrams is kept", 6, lossy_path},
    {"the responder rekeys if the initiator does not", 2, other_side_rekeys},
    {"a rotation of the key under traffic loses nothing, whichever side is first", 32, rotate},
    {"a side whose first key the peer does not have uses the second, and loses nothing", 8,
     first_key_is_unknown},
    {"a removed key ends its sessions, and the link is back with the other key at once", 8,
     remove_key_in_use},
};
