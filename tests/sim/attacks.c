#include "calm.h"
#include "scenarios.h"
#include "verdict.h"

#define FLOOD_INTERVAL (1 * SW_MILLISECOND)

static const uint64_t *drops_of(const struct world *world, unsigned side) {
  return world->hosts[side].link->status.drops;
}

/* ---- floods ---- */

/* An attacker that replays recorded datagrams a thousand times a second. */
struct flood {
  struct world *world;
  size_t first, heard; /* the range of recordings to replay: [first, heard) */
  enum datagram_kind kind;
  unsigned victim;
  bool spoofed; /* replay from the original source address */
};

static size_t any_of_kind(const struct flood *flood) {
  for (;;) {
    const size_t recording = dice_between(&flood->world->dice, flood->first, flood->heard - 1);
    if (flood->world->tap.recordings[recording].kind == flood->kind) return recording;
  }
}

static void flood_run(const struct flood *flood, uint64_t duration) {
  struct world *world = flood->world;
  for (const uint64_t end = world->now + duration; world->now < end;) {
    const size_t recording = any_of_kind(flood);
    const struct sw_address from =
        flood->spoofed ? world->tap.recordings[recording].from : network_address(&world->dice);
    network_replay(&world->network, world->now, recording, flood->victim, &from);
    world_run(world, FLOOD_INTERVAL);
  }
}

/* Records inits of five processes of A that retry for 200 s each, and ends the range there. */
static void record_inits(struct flood *flood) {
  struct world *world = flood->world;
  for (unsigned i = 0; i < 5; i++) {
    world_start(world, A);
    world_run(world, 200 * SW_SECOND);
    world_kill(world, A);
  }
  flood->heard = world->tap.count;
}

/* Starts A during the flood.  The link must come up and lose no packet. */
static void connect_under_flood(const struct flood *flood) {
  struct world *world = flood->world;
  const size_t since = world->tap.count;
  const uint64_t begun = world->now;
  world_start(world, A);
  /* a cookie costs one more round trip */
  flood_run(flood, 4 * round_trip(world));
  expect(world_agrees(world), "the link comes up without a retry");
  start_traffic(world, 100 * SW_MILLISECOND);
  const uint64_t up = world->now;
  flood_run(flood, 5 * SW_SECOND);
  stop_traffic(world);
  expect_nothing_lost(world, up);
  const uint64_t lasted = (world->now - begun) / SW_SECOND + 1;
  expect(world_count(world, flood->victim, DATAGRAM_RESPONSE, since) <= SW_LOAD_INITS * lasted,
         "few of the replayed inits cost an X25519");
  world_run(world, SW_PENDING_LIFETIME);
  expect(world->hosts[flood->victim].link->sessions.pending.count == 0,
         "no pending session outlives its lifetime");
}

/* Seed 1: the responder is flooded; seed 2: the initiator. */
static void flood_of_inits(struct world *world) {
  struct flood flood = {.world = world, .kind = DATAGRAM_INIT};
  flood.victim = world->seed == 1 ? B : A;
  record_inits(&flood);
  world->hosts[B].endpoint_count = 0;
  world_start(world, B);
  flood_run(&flood, 3 * SW_SECOND);
  connect_under_flood(&flood);
}

static void flood_of_cookied_inits(struct world *world) {
  struct flood flood = {.world = world, .kind = DATAGRAM_INIT, .victim = B};
  record_inits(&flood);
  world->hosts[B].endpoint_count = 0;
  world_start(world, B);
  flood_run(&flood, 2 * SW_SECOND);
  const size_t first = world->tap.count;
  for (unsigned i = 0; i < 10; i++) {
    world_start(world, A);
    flood_run(&flood, 4 * round_trip(world));
    expect(world_agrees(world), "the link comes up with a cookie");
    world_kill(world, A);
  }
  expect(sw_link_status(world->hosts[B].link)->cookies_sent > 10, "B sends cookies");
  flood.heard = world->tap.count;
  flood.spoofed = true;
  flood_run(&flood, 6 * SW_SECOND);
  connect_under_flood(&flood);
  world_kill(world, A);

  flood.first = first;
  flood.spoofed = false;
  const size_t since = world->tap.count;
  flood_run(&flood, 5 * SW_SECOND);
  expect(world_count(world, B, DATAGRAM_RESPONSE, since) <= SW_LOAD_INITS * 5,
         "a cookie is invalid from another address");
}

/* A NAT that gives each datagram of A a new source address. */
static bool scatter(void *context, size_t recording) {
  struct world *world = context;
  struct network *network = &world->network;
  const struct recording *sent = &world->tap.recordings[recording];
  const uint64_t arrival = world->now + network->paths[sent->sender].delay;
  const struct sw_address from =
      sent->sender == A ? network_address(&world->dice) : network->address[B];
  network_replay(network, arrival, recording, !sent->sender, &from);
  return false;
}

static void no_ping_pong(struct world *world) {
  world->hosts[B].endpoint_count = 0;
  world->network.intercept = scatter;
  world->network.context = world;
  start_both(world);
  for (unsigned i = 0; i < 100; i++) {
    struct sw_cookies *cookies = &world->hosts[B].link->cookies;
    for (unsigned j = 0; j <= SW_LOAD_INITS; j++)
      sw_cookies_count(cookies, host_time(&world->hosts[B], world->now));
    world_run(world, 200 * SW_MILLISECOND);
  }
  expect(sw_link_status(world->hosts[B].link)->cookies_sent > 0, "B sends cookies");
  expect(world_count(world, A, DATAGRAM_INIT, 0) <= 2 * (20 / 5 + 4),
         "at most one init with a cookie per attempt");
}

static void flood_of_packets(struct world *world) {
  bring_up(world);
  for (unsigned i = 0; i < 500; i++) world_send(world, A);
  world_run(world, SW_SECOND);
  const uint64_t replayed = drops_of(world, B)[SW_DROP_REPLAYED];
  const struct flood flood = {
      .world = world, .heard = world->tap.count, .kind = DATAGRAM_PACKET, .victim = B};
  flood_run(&flood, 2 * SW_SECOND);
  expect(drops_of(world, B)[SW_DROP_REPLAYED] >= replayed + 1900, "replays are counted");
  expect(world_agrees(world), "the link stays up");
}

static void flood_of_junk(struct world *world) {
  bring_up(world);
  start_traffic(world, 20 * SW_MILLISECOND);
  const uint64_t since = world->now;
  for (unsigned i = 0; i < 5000; i++) {
    network_junk(&world->network, world->now, i % 2);
    world_run(world, FLOOD_INTERVAL);
  }
  stop_traffic(world);
  expect_nothing_lost(world, since);
  for (unsigned side = 0; side < 2; side++) {
    const struct sw_link_status *status = sw_link_status(world->hosts[side].link);
    expect(status->drops[SW_DROP_SHORT] && status->drops[SW_DROP_SESSION], "junk is counted");
    expect(status->foreign_time >= since, "junk is reported as foreign");
  }
}

/* ---- reflections, forgeries, old recordings ---- */

static void reflect(struct world *world) {
  for (unsigned side = 0; side < 2; side++) world->network.paths[side].reflect = 1000;
  bring_up(world);
  start_traffic(world, 100 * SW_MILLISECOND);
  world_run(world, 10 * SW_SECOND);
  expect(world_agrees(world), "the link stays up");
  for (unsigned side = 0; side < 2; side++) {
    expect(drops_of(world, side)[SW_DROP_REFLECTED] > 0, "a reflected handshake is counted");
    expect(drops_of(world, side)[SW_DROP_SESSION] > 0, "reflected data is counted");
  }
}

static void twice(struct world *world) {
  for (unsigned side = 0; side < 2; side++) world->network.paths[side].duplicate = 1000;
  bring_up(world);
  start_traffic(world, 100 * SW_MILLISECOND);
  world_run(world, 200 * SW_SECOND);
  expect(world_agrees(world), "the link stays up");
  for (unsigned side = 0; side < 2; side++) {
    expect(drops_of(world, side)[SW_DROP_REPEATED_INIT] > 0, "an init is answered once");
    expect(drops_of(world, side)[SW_DROP_UNEXPECTED] > 0, "a response is accepted once");
    expect(drops_of(world, side)[SW_DROP_REPLAYED] > 1000, "data is accepted once");
  }
}

static void two_keys(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    world_keys(world, side, (unsigned[]){1 + side}, 1);
    world_start(world, side);
    world_traffic(world, side, SW_SECOND);
  }
  world_run(world, 60 * SW_SECOND);
  for (unsigned side = 0; side < 2; side++) {
    const struct sw_link_status *status = sw_link_status(world->hosts[side].link);
    expect(status->state == SW_LINK_CONNECTING, "the link does not come up");
    expect(status->packets_in == 0, "no packet is delivered");
    expect(status->drops[SW_DROP_SESSION] >= 10, "datagrams sealed with the other key are counted");
    expect(status->foreign_time > 0 &&
               sw_address_equal(&status->foreign, &world->network.address[!side]),
           "their source address is reported");
  }
  for (unsigned i = 0; i < world->tap.count; i++)
    expect(world->tap.recordings[i].kind == DATAGRAM_INIT, "no init is answered");
}

/* The attacker has recorded the link under its old key. */
static void replay_old_key(struct world *world) {
  bring_up(world);
  start_traffic(world, 100 * SW_MILLISECOND);
  world_run(world, 150 * SW_SECOND);
  const size_t recorded = world->tap.count;
  for (unsigned side = 0; side < 2; side++) world_keys(world, side, (unsigned[]){1, 0}, 2);
  world_run(world, 2 * SW_SECOND);
  for (unsigned side = 0; side < 2; side++) world_keys(world, side, (unsigned[]){1}, 1);
  world_run(world, 2 * SW_SECOND);
  const uint64_t since = world->now;
  uint64_t received[2];
  for (unsigned side = 0; side < 2; side++) received[side] = drops_of(world, side)[SW_DROP_SESSION];
  for (size_t i = 0; i < recorded; i++) {
    const bool spoofed = dice_chance(&world->dice, 500);
    const struct sw_address from =
        spoofed ? world->tap.recordings[i].from : network_address(&world->dice);
    network_replay(&world->network, world->now, i, (unsigned)dice_below(&world->dice, 2), &from);
    if (i % 10 == 0) world_run(world, SW_MILLISECOND);
  }
  stop_traffic(world);
  expect_nothing_lost(world, since);
  expect(world_agrees(world), "the link stays up");
  uint64_t dropped = 0;
  for (unsigned side = 0; side < 2; side++)
    dropped += drops_of(world, side)[SW_DROP_SESSION] - received[side];
  expect(dropped == recorded, "every recording is one of a stranger");
}

static void outlive(struct world *world) {
  bring_up(world);
  const size_t first = world->tap.count;
  world->network.intercept = lose_all;
  for (unsigned i = 0; i < 100; i++) world_send(world, A);
  world->network.intercept = NULL;
  const size_t last = world->tap.count;
  world_run(world, 170 * SW_SECOND);
  const uint64_t delivered = world->hosts[B].packets_in;
  for (size_t i = first; i < first + 50; i++)
    network_replay(&world->network, world->now, i, B, &world->tap.recordings[i].from);
  world_run(world, 10 * SW_SECOND - 1);
  expect(world->hosts[B].packets_in == delivered + 50, "a packet delayed by 170 s is delivered");
  for (size_t i = first + 50; i < last; i++)
    network_replay(&world->network, world->now, i, B, &world->tap.recordings[i].from);
  world_run(world, SW_SECOND);
  expect(world->hosts[B].packets_in == delivered + 50, "a packet delayed by 180 s is not");
}

struct alteration {
  struct world *world;
  bool done[2][DATAGRAM_KINDS];
};

/* Delivers every altered form of a datagram just before the datagram itself. */
static bool alter(void *context, size_t recording) {
  struct alteration *alteration = context;
  struct world *world = alteration->world;
  const struct recording *genuine = &world->tap.recordings[recording];
  bool *done = &alteration->done[genuine->sender][genuine->kind];
  if (*done) return true;
  *done = true;
  const unsigned victim = !genuine->sender;
  uint8_t bytes[SW_CONTROL_MAX + 1] = {0};
  expect(genuine->length < sizeof(bytes), "datagrams here are small");
  memcpy(bytes, genuine->bytes, genuine->length);
  for (size_t bit = 0; bit < 8 * genuine->length; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    network_inject(&world->network, world->now, bytes, genuine->length, victim, &genuine->from);
    bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (size_t length = 0; length < genuine->length; length++)
    network_inject(&world->network, world->now, bytes, length, victim, &genuine->from);
  network_inject(&world->network, world->now, bytes, genuine->length + 1, victim, &genuine->from);
  return true;
}

/* Each kind is sent by at least one side.  Only a host under load sends cookies. */
static void alter_everything(struct world *world) {
  struct alteration alteration = {.world = world};
  world->network.intercept = alter;
  world->network.context = &alteration;
  world->hosts[B].endpoint_count = 0;
  world_start(world, B);
  struct sw_link *link = world->hosts[B].link;
  for (unsigned i = 0; i <= SW_LOAD_INITS; i++) sw_cookies_count(&link->cookies, world->now);
  world_start(world, A);
  await_agreement(world, 4 * round_trip(world), "alterations do not delay the link");
  expect(sw_link_status(link)->cookies_sent == 1, "B sends one cookie");
  for (unsigned side = 0; side < 2; side++) {
    expect(world_send(world, side), "a packet is sent");
    world_run(world, 2 * (10 * SW_SECOND));
    expect(traffic_lost(&world->traffic[side], 0) == 0, "the packet arrives");
  }
  world_run(world, 2 * world->hosts[A].persistent_keepalive);
  expect(world_agrees(world), "alterations do not disturb the link");
  world_close(world, A);
  world_run(world, SW_SECOND);
  expect(host_state(&world->hosts[B]) == SW_LINK_CONNECTING, "the close arrives");
  for (unsigned kind = 0; kind < DATAGRAM_KINDS; kind++)
    expect(alteration.done[A][kind] || alteration.done[B][kind],
           "each kind of datagram is altered");
}

static void refuse_for(struct world *world, uint64_t duration) {
  for (const uint64_t end = world->now + duration; world->now < end;) {
    for (unsigned side = 0; side < 2; side++)
      world_refuse(world, side, &world->network.address[!side]);
    world_run(world, 10 * SW_MILLISECOND);
  }
}

/* Forged reports arrive a hundred times a second.  A round trip takes three times as long as the
 * fastest retry. */
static void forge_refusals(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    world->network.paths[side].delay = 150 * SW_MILLISECOND;
    world_start(world, side);
  }
  refuse_for(world, 2 * round_trip(world));
  expect(world_agrees(world), "the link comes up without a retry");
  const uint64_t up = world->now;
  start_traffic(world, 200 * SW_MILLISECOND);
  refuse_for(world, 300 * SW_SECOND);
  stop_traffic(world);
  expect(world_agrees(world), "the link stays up");
  expect_nothing_lost(world, up);
  expect(world_count(world, A, DATAGRAM_INIT, 0) < 2 * 300, "the reports cause few inits");
}

struct copying {
  struct world *world;
  struct sw_address attacker;
};

/* Delivers a copy of each datagram from the attacker's address before the datagram itself.
 * Datagrams sent to the attacker's address are lost: an attacker that relays them as well is a
 * router, which is legitimate. */
static bool copy_first(void *context, size_t recording) {
  struct copying *copying = context;
  struct world *world = copying->world;
  const struct recording *heard = &world->tap.recordings[recording];
  const unsigned victim = !heard->sender;
  if (sw_address_equal(&heard->to, &world->network.address[victim]))
    network_replay(&world->network, world->now, recording, victim, &copying->attacker);
  return true;
}

static void hijack(struct world *world) {
  struct copying copying = {.world = world, .attacker = network_address(&world->dice)};
  world->network.intercept = copy_first;
  world->network.context = &copying;
  if (world->seed % 2) world->hosts[B].endpoint_count = 0;
  start_both(world);
  await_agreement(world, 3 * round_trip(world), "the link comes up between the two hosts");
  const uint64_t up = world->now;
  start_traffic(world, 200 * SW_MILLISECOND);
  world_run(world, 200 * SW_SECOND);
  stop_traffic(world);
  expect(world_agrees(world), "the link stays between the two hosts");
  expect_nothing_lost(world, up);
}

/* Delivers a copy of the first datagram of each session from the attacker's address, just after the
 * datagram itself. */
static bool copy_last(void *context, size_t recording) {
  struct world *world = context;
  const struct recording *heard = &world->tap.recordings[recording];
  const struct path *path = &world->network.paths[heard->sender];
  if (heard->kind == DATAGRAM_PROBE || heard->kind == DATAGRAM_PACKET)
    network_replay(&world->network, world->now + path->delay + path->jitter + 1, recording,
                   !heard->sender, &world->network.attacker);
  return true;
}

/* The attacker wins the races for init and response, so that no handshake completes while it is
 * present. */
static void relay_all_but_first(struct world *world) {
  if (world->seed % 2) world->hosts[B].endpoint_count = 0;
  start_both(world);
  await_agreement(world, 3 * round_trip(world), "the link comes up");
  world->network.attacker = network_address(&world->dice);
  world->network.hijack = 1000;
  world->network.intercept = copy_last;
  world->network.context = world;
  world_run(world, 400 * SW_SECOND);
  world->network.hijack = 0;
  world->network.intercept = NULL;
  await_agreement(world, 30 * SW_SECOND, "the link comes up again between the two hosts");
}

/* Copies, spoofs and relays everything, as fast as it likes, but drops nothing.  It is there before
 * the link if both sides know the other's address. */
static void relay_everything(struct world *world) {
  struct dice *dice = &world->dice;
  struct network *network = &world->network;
  const bool known = dice_chance(dice, 500);
  const bool second = dice_chance(dice, 500);
  network->attacker = network_address(dice);
  world->diverted_most = SW_SECOND;
  for (unsigned side = 0; side < 2; side++) {
    network->paths[side] =
        (struct path){.delay = dice_between(dice, 1, 200) * SW_MILLISECOND,
                      .jitter = dice_below(dice, 50) * SW_MILLISECOND,
                      .mtu = NETWORK_MTU,
                      .loss = dice_chance(dice, 500) ? 0 : (unsigned)dice_below(dice, 50)};
    network->second_paths[side] = network->paths[side];
  }
  if (second) world_second(world);
  if (!known) world->hosts[dice_below(dice, 2)].endpoint_count = 0;
  network->fast = dice_chance(dice, 500);
  network->relay = dice_chance(dice, 500) ? 1000 : (unsigned)dice_below(dice, 1000);
  if (!known) {
    const unsigned relay = network->relay;
    network->relay = 0;
    start_both(world);
    await_agreement(world, 30 * SW_SECOND, "the link comes up");
    world_run(world, 2 * SW_SECOND);
    network->relay = relay;
  } else {
    start_both(world);
    await_agreement(world, 60 * SW_SECOND, "the link comes up in spite of the attacker");
  }
  start_traffic(world, dice_between(dice, 20, 1000) * SW_MILLISECOND);
  for (uint64_t i = dice_between(dice, 20, 150); i > 0; i--) {
    world_run(world, SW_SECOND);
    for (unsigned side = 0; side < 2; side++)
      expect(host_state(&world->hosts[side]) == SW_LINK_UP, "the link stays up");
  }
}

/* The same, while the first provider fails and returns. */
static void relay_while_moving(struct world *world) {
  struct network *network = &world->network;
  world->diverted_most = SW_SECOND;
  if (world->seed % 2) world->hosts[B].endpoint_count = 0;
  world_second(world);
  start_both(world);
  await_agreement(world, 2 * round_trip(world), "the link comes up");
  world_run(world, 5 * SW_SECOND);
  network->attacker = network_address(&world->dice);
  network->relay = 1000;
  network->fast = world->seed / 2 % 2;
  start_traffic(world, 200 * SW_MILLISECOND);
  for (unsigned i = 0; i < 4; i++) {
    for (unsigned side = 0; side < 2; side++) network->paths[side].blackout = i % 2 == 0;
    world_run(world, 60 * SW_SECOND);
  }
}

const struct scenario attack_scenarios[ATTACK_SCENARIOS] = {
    {"a thousand replayed inits a second do not prevent a handshake", 2, flood_of_inits},
    {"a thousand replayed inits with cookies a second do not prevent a handshake", 1,
     flood_of_cookied_inits},
    {"a source address that always changes causes no endless exchange of cookies", 1, no_ping_pong},
    {"a thousand replayed packets a second are dropped and counted", 1, flood_of_packets},
    {"a thousand random datagrams a second are dropped and counted", 1, flood_of_junk},
    {"reflected datagrams are dropped and counted", 2, reflect},
    {"duplicated datagrams are dropped and counted", 2, twice},
    {"with different keys no packet is delivered, and both sides count foreign datagrams", 1,
     two_keys},
    {"recordings made under a key that was removed change nothing", 2, replay_old_key},
    {"a session's packets are dropped after its lifetime", 1, outlive},
    {"every bit flip and every truncation of each kind of datagram is dropped", 1,
     alter_everything},
    {"forged ICMP errors do not disturb the link", 1, forge_refusals},
    {"a copy that arrives first from another address does not move the link", 2, hijack},
    {"a relay that is slower than the direct path does not move the link", 2, relay_all_but_first},
    {"one who copies, spoofs and relays but drops nothing does not move a link that works", 100,
     relay_everything},
    {"nor does he divert it while it moves from one provider to the other", 20, relay_while_moving},
};
