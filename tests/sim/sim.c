/*
 * The simulation: two links in virtual time over a hostile network, each run from one seed.
 *
 *     sim [--seeds FIRST-LAST]                every scenario, and these seeds; else 1 to 2000
 *     sim --seed N [--verbose]                this seed only
 *     sim --scenario NAME [--seed N | --seeds FIRST-LAST] [--verbose]
 *
 * NAME is a scenario's statement or part of it.  A failure ends the program, and prints the command
 * that replays it.
 */
#include <getopt.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "hostility.h"
#include "scenarios.h"
#include "states.h"
#include "verdict.h"

#define SEEDS_DEFAULT 2000

/* One seed in so many runs twice: both runs must produce the same bytes. */
#define REPEAT_EVERY 100

struct arguments {
  uint64_t first, last; /* seeds; 0: not given */
  const char *scenario; /* only this one; NULL: all */
  bool verbose;
};

static void run_seed(uint64_t seed, bool verbose) {
  verdict_begin(NULL, seed);
  const uint64_t digest = hostility_run(seed, verbose);
  if (seed % REPEAT_EVERY == 1)
    expect(hostility_run(seed, verbose) == digest, "a seed replays a run exactly");
  verdict_pass();
}

static bool parse_seeds(const char *text, uint64_t *first, uint64_t *last) {
  char after;
  return sscanf(text, "%" SCNu64 "-%" SCNu64 "%c", first, last, &after) == 2 && *first >= 1 &&
         *first <= *last && *last < UINT64_MAX;
}

static bool parse_seed(const char *text, uint64_t *seed) {
  char after;
  return sscanf(text, "%" SCNu64 "%c", seed, &after) == 1 && *seed >= 1;
}

static bool parse(int argc, char **argv, struct arguments *arguments) {
  static const struct option options[] = {
      {"seeds", required_argument, NULL, 's'},
      {"seed", required_argument, NULL, 'n'},
      {"scenario", required_argument, NULL, 'c'},
      {"verbose", no_argument, NULL, 'v'},
      {0},
  };
  bool good = true;
  for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (option == 's')
      good &= parse_seeds(optarg, &arguments->first, &arguments->last);
    else if (option == 'n')
      good &= parse_seed(optarg, &arguments->first), arguments->last = arguments->first;
    else if (option == 'c')
      arguments->scenario = optarg;
    else if (option == 'v')
      arguments->verbose = true;
    else
      good = false;
  }
  return good && optind == argc;
}

int main(int argc, char **argv) {
  struct arguments arguments = {0};
  if (!parse(argc, argv, &arguments)) {
    fprintf(stderr, "usage: %s [--seeds FIRST-LAST | --seed N] [--scenario NAME] [--verbose]\n",
            argv[0]);
    return 2;
  }
  random_replace();
  if (sodium_init() < 0) return 1;
  verdict_start(argv[0]);
  const bool one_seed = arguments.first && arguments.first == arguments.last;
  if (arguments.scenario) {
    const uint64_t first = arguments.first ? arguments.first : 1;
    if (!scenarios_run(arguments.scenario, first, arguments.last, arguments.verbose)) {
      fprintf(stderr, "%s: no scenario says \"%s\"\n", argv[0], arguments.scenario);
      return 2;
    }
  } else {
    if (!one_seed) scenarios_run(NULL, 1, 0, arguments.verbose);
    if (!arguments.first) arguments = (struct arguments){.first = 1, .last = SEEDS_DEFAULT};
    for (uint64_t seed = arguments.first; seed <= arguments.last; seed++)
      run_seed(seed, arguments.verbose);
    printf("seeds %" PRIu64 " to %" PRIu64 ": %zu states of the two links\n", arguments.first,
           arguments.last, states_count());
  }
  verdict_close();
  return 0;
}
