#include "hostility.h"

#include <inttypes.h>

#include "calm.h"
#include "verdict.h"

#define PHASES_MAX 4
#define SILENCE 0

/* When each condition ends, for each side; UINT64_MAX: it is not in force. */
struct hostility {
  struct world *world;
  struct dice *dice;
  uint64_t restart[2];
  uint64_t resume[2];
  uint64_t blackout[2]; /* end of the blackout of what the side sends */
  unsigned step[2];     /* of each side in the rotation of keys */
};

static uint64_t seconds(struct dice *dice, uint64_t least, uint64_t most) {
  return dice_between(dice, least * 1000, most * 1000) * SW_MILLISECOND;
}

static int64_t seconds_signed(struct dice *dice, uint64_t least, uint64_t most) {
  return (int64_t)seconds(dice, least, most);
}

/* ---- events ---- */

static void stop_process(struct hostility *hostility, unsigned side) {
  struct world *world = hostility->world;
  struct host *host = &world->hosts[side];
  if (!host->link) return;
  if (dice_chance(hostility->dice, 400)) world_close(world, side);
  if (dice_chance(hostility->dice, 800)) world_kill(world, side);
  host->remembers = dice_chance(hostility->dice, 500);
  hostility->restart[side] =
      world->now + (dice_chance(hostility->dice, 700) ? seconds(hostility->dice, 0, 2)
                                                      : seconds(hostility->dice, 2, 60));
}

/* One step of a rotation on one side: add the next key, prefer it, remove the old one.  No side is
 * more than a step ahead. */
static void rotate(struct hostility *hostility, unsigned side) {
  if (hostility->step[side] > hostility->step[!side]) side = !side;
  if (hostility->step[side] / 3 + 2 >= KEYS) return;
  const unsigned step = ++hostility->step[side];
  const unsigned old = step / 3;
  const unsigned steps[3][SW_PSKS_MAX] = {{old}, {old, old + 1}, {old + 1, old}};
  world_keys(hostility->world, side, steps[step % 3], step % 3 ? 2 : 1);
}

static void rebind(struct hostility *hostility, unsigned side) {
  world_rebind(hostility->world, side, dice_chance(hostility->dice, 500));
}

static void resolve(struct hostility *hostility, unsigned side) {
  if (!hostility->world->hosts[side].endpoint_count) return;
  world_resolve(hostility->world, side, dice_between(hostility->dice, 1, HOST_ENDPOINTS));
}

static void suspend(struct hostility *hostility, unsigned side) {
  const uint64_t most = dice_chance(hostility->dice, 500) ? 100 : 4 * 3600;
  const int64_t by = seconds_signed(hostility->dice, 1, most);
  host_clock_jump(&hostility->world->hosts[side], by);
  world_log(hostility->world, "clock of %c jumps by %" PRId64 " ms",
            host_name(&hostility->world->hosts[side]), by / (int64_t)SW_MILLISECOND);
}

static void turn_clock_back(struct hostility *hostility, unsigned side) {
  struct host *host = &hostility->world->hosts[side];
  const uint64_t now = hostility->world->now;
  /* not again before it has caught up, or the link would sleep for the sum of both */
  if (host->stopped || host_time(host, now) != now + (uint64_t)host->offset) return;
  host_clock_jump(host, -seconds_signed(hostility->dice, 0, 2));
  world_log(hostility->world, "clock of %c is turned back", host_name(host));
}

static void stop_clock(struct hostility *hostility, unsigned side) {
  struct world *world = hostility->world;
  if (world->hosts[side].stopped) return;
  world_log(world, "clock of %c stops", host_name(&world->hosts[side]));
  host_clock_stop(&world->hosts[side], world->now);
  hostility->resume[side] = world->now + seconds(hostility->dice, 0, 20);
}

static void black_out(struct hostility *hostility, unsigned side) {
  struct world *world = hostility->world;
  const bool both = dice_chance(hostility->dice, 500);
  const uint64_t end =
      world->now + seconds(hostility->dice, 0, dice_chance(hostility->dice, 300) ? 240 : 20);
  for (unsigned i = 0; i < 2; i++) {
    if (i != side && !both) continue;
    world_log(world, "blackout of what %c sends", host_name(&world->hosts[i]));
    world->network.paths[i].blackout = true;
    hostility->blackout[i] = end;
  }
}

static void change_traffic(struct hostility *hostility, unsigned side) {
  static const uint64_t intervals[] = {SILENCE, 20 * SW_SECOND, 2 * SW_SECOND, 400 * SW_MILLISECOND,
                                       100 * SW_MILLISECOND};
  const size_t choice = dice_below(hostility->dice, sizeof(intervals) / sizeof(intervals[0]));
  world_traffic(hostility->world, side, intervals[choice]);
}

static void send_burst(struct hostility *hostility, unsigned side) {
  for (uint64_t i = dice_between(hostility->dice, 1, 60); i > 0; i--)
    world_send(hostility->world, side);
}

static void replay_burst(struct hostility *hostility, unsigned side) {
  (void)side;
  struct world *world = hostility->world;
  world_log(world, "burst of replays");
  for (uint64_t i = dice_between(hostility->dice, 1, 100); i > 0; i--)
    network_replay_any(&world->network, world->now + seconds(hostility->dice, 0, 1));
}

static void junk_burst(struct hostility *hostility, unsigned side) {
  struct world *world = hostility->world;
  for (uint64_t i = dice_between(hostility->dice, 1, 30); i > 0; i--)
    network_junk(&world->network, world->now + seconds(hostility->dice, 0, 1), side);
}

/* Forged ICMP errors, for the address the link sends to and for others. */
static void forge_refusals(struct hostility *hostility, unsigned side) {
  struct world *world = hostility->world;
  for (uint64_t i = dice_between(hostility->dice, 1, 10); i > 0; i--) {
    const struct sw_address peer = dice_chance(hostility->dice, 800)
                                       ? world->network.address[!side]
                                       : network_address(hostility->dice);
    world_refuse(world, side, &peer);
  }
}

static unsigned mostly_not(struct dice *dice, unsigned most) {
  return dice_chance(dice, 500) ? 0 : (unsigned)dice_below(dice, most + 1);
}

static void change_path(struct hostility *hostility, unsigned side) {
  struct dice *dice = hostility->dice;
  struct network *network = &hostility->world->network;
  struct path *path = dice_chance(dice, 300) ? &network->second_paths[side] : &network->paths[side];
  *path = (struct path){
      .delay = dice_between(dice, 0, dice_chance(dice, 800) ? 200 : 1000) * SW_MILLISECOND,
      .jitter = dice_between(dice, 0, dice_chance(dice, 800) ? 50 : 2000) * SW_MILLISECOND,
      .loss = mostly_not(dice, dice_chance(dice, 200) ? 900 : 300),
      .duplicate = mostly_not(dice, 300),
      .corrupt = mostly_not(dice, 200),
      .truncate = mostly_not(dice, 100),
      .reflect = mostly_not(dice, 200),
      .replay = mostly_not(dice, 400),
      .mtu = dice_chance(dice, 100) ? dice_between(dice, 200, 1400) : NETWORK_MTU,
      .blackout = path->blackout,
  };
}

static const struct {
  unsigned weight;
  void (*happen)(struct hostility *hostility, unsigned side);
} events[] = {
    {6, stop_process},    {4, rebind},       {4, resolve},    {2, suspend},
    {2, turn_clock_back}, {2, stop_clock},   {5, black_out},  {8, change_traffic},
    {4, send_burst},      {5, replay_burst}, {4, junk_burst}, {4, forge_refusals},
    {6, change_path},     {6, rotate},
};

static void something_happens(struct hostility *hostility) {
  const size_t count = sizeof(events) / sizeof(events[0]);
  unsigned total = 0;
  for (size_t i = 0; i < count; i++) total += events[i].weight;
  uint64_t drawn = dice_below(hostility->dice, total);
  size_t i = 0;
  for (; drawn >= events[i].weight; i++) drawn -= events[i].weight;
  events[i].happen(hostility, (unsigned)dice_below(hostility->dice, 2));
}

/* ---- phases ---- */

/* Ends the conditions of this side whose time has come; returns when the next one ends. */
static uint64_t end_expired(struct hostility *hostility, unsigned side) {
  struct world *world = hostility->world;
  if (hostility->restart[side] <= world->now) {
    hostility->restart[side] = UINT64_MAX;
    if (world->hosts[side].link) world_kill(world, side);
    world_start(world, side);
  }
  if (hostility->resume[side] <= world->now) {
    hostility->resume[side] = UINT64_MAX;
    host_clock_resume(&world->hosts[side], world->now);
    if (dice_chance(hostility->dice, 500)) suspend(hostility, side);
  }
  if (hostility->blackout[side] <= world->now) {
    hostility->blackout[side] = UINT64_MAX;
    world->network.paths[side].blackout = false;
  }
  uint64_t next = hostility->restart[side];
  if (hostility->resume[side] < next) next = hostility->resume[side];
  if (hostility->blackout[side] < next) next = hostility->blackout[side];
  return next;
}

static void run(struct hostility *hostility, uint64_t until) {
  struct world *world = hostility->world;
  while (world->now < until) {
    uint64_t next = until;
    for (unsigned side = 0; side < 2; side++) {
      const uint64_t end = end_expired(hostility, side);
      if (end < next) next = end;
    }
    world_run(world, next - world->now);
  }
}

static void hostile_phase(struct hostility *hostility) {
  const uint64_t end = hostility->world->now + seconds(hostility->dice, 5, 90);
  while (hostility->world->now < end) {
    something_happens(hostility);
    run(hostility, hostility->world->now + seconds(hostility->dice, 0, 8));
  }
}

/* A phase without hostility, with whatever traffic there is: often none, for longer than a
 * session's lifetime. */
static void quiet_phase(struct hostility *hostility) {
  for (unsigned side = 0; side < 2; side++) {
    hostility->world->network.paths[side] =
        (struct path){.delay = 30 * SW_MILLISECOND, .mtu = NETWORK_MTU};
    if (dice_chance(hostility->dice, 500)) world_traffic(hostility->world, side, SILENCE);
    if (hostility->world->traffic[side].interval)
      world_traffic(hostility->world, side, 5 * SW_SECOND);
  }
  run(hostility, hostility->world->now + seconds(hostility->dice, 10, 400));
}

static void configure(struct hostility *hostility) {
  struct world *world = hostility->world;
  struct dice *dice = hostility->dice;
  static const uint64_t keepalives[] = {0, 5, 12, 25, 25, 60};
  for (unsigned side = 0; side < 2; side++) {
    struct host *host = &world->hosts[side];
    host->persistent_keepalive =
        keepalives[dice_below(dice, sizeof(keepalives) / sizeof(keepalives[0]))] * SW_SECOND;
    host->offset = (int64_t)dice_below(dice, 1000 * SW_SECOND) + 100 * (int64_t)SW_SECOND;
    host->late = dice_below(dice, 2 * SW_MILLISECOND);
    world->traffic[side].bad = 20;
    change_path(hostility, side);
    change_traffic(hostility, side);
    hostility->restart[side] =
        world->now + (dice_chance(dice, 500) ? 0 : seconds(dice, 0, dice_below(dice, 30)));
    hostility->resume[side] = hostility->blackout[side] = UINT64_MAX;
  }
  if (dice_chance(dice, 500)) world->hosts[dice_below(dice, 2)].endpoint_count = 0;
  world->refusals = dice_chance(dice, 500);
  world->network.attacker = network_address(dice);
  world->network.hijack = mostly_not(dice, 1000);
  world->network.relay = mostly_not(dice, 1000);
  world->network.fast = dice_chance(dice, 500);
  world->diverted_most = UINT64_MAX; /* where nothing else works he may be a router */
  if (dice_chance(dice, 300)) world_second(world);
}

uint64_t hostility_run(uint64_t seed, bool verbose) {
  struct world *world = world_new(seed, verbose);
  struct hostility hostility = {.world = world, .dice = &world->dice};
  configure(&hostility);
  for (uint64_t i = dice_between(hostility.dice, 1, PHASES_MAX); i > 0; i--) {
    if (dice_chance(hostility.dice, 750))
      hostile_phase(&hostility);
    else
      quiet_phase(&hostility);
  }
  calm_verify(world, dice_chance(hostility.dice, 750));
  const uint64_t digest = wiretap_digest(&world->tap);
  world_free(world);
  return digest;
}
