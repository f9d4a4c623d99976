#include "random.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014 */
uint64_t dice_roll(struct dice *dice) {
  uint64_t mixed = dice->state += UINT64_C(0x9e3779b97f4a7c15);
  mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
  return mixed ^ mixed >> 31;
}

/* The bias of the remainder is negligible: limits are below 2^45. */
uint64_t dice_below(struct dice *dice, uint64_t limit) {
  assert(limit > 0);
  return dice_roll(dice) % limit;
}

uint64_t dice_between(struct dice *dice, uint64_t least, uint64_t most) {
  assert(least <= most);
  return least + dice_below(dice, most - least + 1);
}

bool dice_chance(struct dice *dice, unsigned per_mille) {
  return per_mille && dice_below(dice, 1000) < per_mille;
}

static struct dice system_dice;

static const char *name(void) {
  return "simulation";
}

static uint32_t draw(void) {
  return (uint32_t)dice_roll(&system_dice);
}

static void fill(void *const buffer, const size_t size) {
  uint8_t *bytes = buffer;
  for (size_t done = 0; done < size; done += sizeof(uint64_t)) {
    const uint64_t drawn = dice_roll(&system_dice);
    const size_t rest = size - done;
    memcpy(bytes + done, &drawn, rest < sizeof(drawn) ? rest : sizeof(drawn));
  }
}

void random_replace(void) {
  static struct randombytes_implementation implementation = {
      .implementation_name = name,
      .random = draw,
      .buf = fill,
  };
  randombytes_set_implementation(&implementation);
}

void random_seed(uint64_t seed) {
  system_dice.state = ~seed;
}
