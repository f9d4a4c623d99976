#include "calm.h"

#include <errno.h>
#include <inttypes.h>

#include "verdict.h"

/* Mean time between packets from each side in the calm phase; the longest is twice this. */
#define INTERVAL (1 * SW_SECOND)

/* How long after the start of the calm phase datagrams sent before it still arrive. */
#define STRAGGLERS (4 * SW_SECOND)

/* The shortest path that every link can use without fragments. */
#define LEAST (SW_MTU_LEAST + SW_OVERHEAD)

/* Four rounds on a path of 0.7 s, each sent twice. */
#define SEARCH (10 * SW_SECOND)

/* Covers the handshake's round trips, clocks that were turned back, and loops that wake late. */
#define MARGIN (3 * SW_SECOND)

/* Returns the time within which the link must recover.
 *
 * With traffic: a packet is sent, probes of it are not answered, and then inits go to all known
 * addresses, under each key in turn, at least every 5 s.  Without traffic: a broken session ends
 * after 180 s. */
static uint64_t recovery_bound(bool with_traffic) {
  const uint64_t notice = SW_PROBE_BUSY + SW_PROBE_WAIT_MOST + SW_DOUBT_TIME + SW_PENDING_LIFETIME;
  return STRAGGLERS + (with_traffic ? 2 * INTERVAL + notice : SW_REJECT_AFTER) +
         (1 + SW_PSKS_MAX) * (SW_RETRY_LAST + SW_RETRY_JITTER) + MARGIN;
}

static void heal(struct world *world) {
  world_log(world, "calm");
  struct dice *dice = &world->dice;
  world->network.intercept = NULL;
  world->packet_most = SW_MTU_LEAST; /* a path that became too small costs longer packets */
  world->network.hijack = world->network.relay = 0;
  for (unsigned side = 0; side < 2; side++) {
    world->network.paths[side] = (struct path){.delay = dice_between(dice, 1, 300) * SW_MILLISECOND,
                                               .jitter = dice_below(dice, 50) * SW_MILLISECOND,
                                               .mtu = dice_between(dice, LEAST, NETWORK_MTU)};
    world->network.second_paths[side] = world->network.paths[side];
    world->traffic[side].bad = 0;
    struct host *host = &world->hosts[side];
    if (host->stopped) host_clock_resume(host, world->now);
    if (host->link && host_state(host) == SW_LINK_CLOSED) world_kill(world, side);
    if (!host->link) world_start(world, side);
    if (host->endpoint_count) world_resolve(world, side, host->endpoint_count);
  }
}

uint32_t calm_mtu(const struct world *world, unsigned side) {
  const size_t most = world->network.paths[side].mtu;
  if (most >= SW_MTU_MOST + SW_OVERHEAD) return SW_MTU_MOST;
  const uint32_t blocks = (uint32_t)(most - SW_OVERHEAD - SW_MTU_FIRST_BLOCK) / SW_MTU_BLOCK;
  const uint32_t size = SW_MTU_FIRST_BLOCK + blocks * SW_MTU_BLOCK;
  return size < SW_MTU_LEAST ? SW_MTU_LEAST : size;
}

static bool finds_mtu(const struct world *world, unsigned side) {
  const struct sw_link_status *status = sw_link_status(world->hosts[side].link);
  return status->path_mtu == calm_mtu(world, side) && !status->fragments;
}

/* Reports that datagrams are too long, also false ones, lead to the MTU of the path.  One alone may
 * come while a longer packet is searched for, and mean nothing. */
static void verify_mtu(struct world *world) {
  for (unsigned i = 0; i < SEARCH / SW_SECOND; i++) {
    for (unsigned side = 0; side < 2; side++) {
      struct host *host = &world->hosts[side];
      sw_link_error(host->link, host_time(host, world->now), &sw_link_path(host->link)->peer,
                    EMSGSIZE);
    }
    world_run(world, SW_SECOND);
  }
  world_run(world, SEARCH);
  /* it may have moved to another path just now, whose MTU is not known yet */
  if (!finds_mtu(world, 0) || !finds_mtu(world, 1)) world_run(world, SEARCH);
  for (unsigned side = 0; side < 2; side++) {
    const struct sw_link_status *status = sw_link_status(world->hosts[side].link);
    if (!finds_mtu(world, side))
      verdict_fail("%c finds an MTU of %u instead of %u", host_name(&world->hosts[side]),
                   status->path_mtu, calm_mtu(world, side));
  }
}

void calm_verify(struct world *world, bool with_traffic) {
  heal(world);
  for (unsigned side = 0; side < 2; side++) world_traffic(world, side, with_traffic ? INTERVAL : 0);
  const uint64_t bound = recovery_bound(with_traffic);
  world_run(world, bound);
  if (!world_agrees(world))
    verdict_fail("the link is not back %" PRIu64 " s after the network calmed down",
                 bound / SW_SECOND);

  const uint64_t since = world->now;
  uint64_t handshakes[2];
  for (unsigned side = 0; side < 2; side++) {
    handshakes[side] = sw_link_status(world->hosts[side].link)->handshakes;
    world_traffic(world, side, INTERVAL / dice_between(&world->dice, 1, 4));
  }
  world_run(world,
            SW_REKEY_OTHER_AFTER + SW_REKEY_JITTER + dice_between(&world->dice, 5, 60) * SW_SECOND);
  for (unsigned side = 0; side < 2; side++) world_traffic(world, side, 0);
  world_run(world, SW_SECOND);
  expect(world_agrees(world), "an undisturbed link stays up");
  for (unsigned side = 0; side < 2; side++) {
    expect(sw_link_status(world->hosts[side].link)->handshakes > handshakes[side],
           "a session is renewed in time");
    const uint64_t lost = traffic_lost(&world->traffic[side], since);
    if (lost)
      verdict_fail("%" PRIu64 " packets of %c were lost in a calm network", lost,
                   host_name(&world->hosts[side]));
  }
  verify_mtu(world);
}
