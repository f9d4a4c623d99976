#include "scenarios.h"

#include <stdio.h>

#include "verdict.h"

uint64_t round_trip(const struct world *world) {
  const struct path *paths = world->network.paths;
  return paths[0].delay + paths[0].jitter + paths[1].delay + paths[1].jitter;
}

void start_both(struct world *world) {
  for (unsigned side = 0; side < 2; side++) world_start(world, side);
}

void start_traffic(struct world *world, uint64_t interval) {
  for (unsigned side = 0; side < 2; side++) world_traffic(world, side, interval);
}

void stop_traffic(struct world *world) {
  start_traffic(world, 0);
  world_run(world, SW_SECOND);
}

void expect_nothing_lost(const struct world *world, uint64_t since) {
  for (unsigned side = 0; side < 2; side++)
    expect(traffic_lost(&world->traffic[side], since) == 0, "nothing is lost");
}

bool lose_all(void *context, size_t recording) {
  (void)context, (void)recording;
  return false;
}

void await_agreement(struct world *world, uint64_t bound, const char *statement) {
  const uint64_t until = world->now + bound;
  while (!world_agrees(world))
    if (!world_step(world, until)) verdict_fail("%s", statement);
}

void bring_up(struct world *world) {
  start_both(world);
  await_agreement(world, 2 * round_trip(world), "the link comes up");
}

static bool run(const struct scenario *scenario, const char *part, uint64_t first, uint64_t last,
                bool verbose) {
  if (part && !strstr(scenario->statement, part)) return false;
  if (!last) last = scenario->runs;
  for (uint64_t i = first; i <= last; i++) {
    verdict_begin(scenario->statement, i);
    struct world *world = world_new(i, verbose);
    scenario->run(world);
    world_free(world);
  }
  printf("%s\n", scenario->statement);
  verdict_pass();
  return true;
}

unsigned scenarios_run(const char *part, uint64_t first, uint64_t last, bool verbose) {
  unsigned count = 0;
  for (unsigned i = 0; i < LIFE_SCENARIOS; i++)
    count += run(&life_scenarios[i], part, first, last, verbose);
  for (unsigned i = 0; i < ATTACK_SCENARIOS; i++)
    count += run(&attack_scenarios[i], part, first, last, verbose);
  return count;
}
