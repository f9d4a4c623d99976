/*
 * saltway check: reports every mistake in a configuration and its key file, and prints the
 * fingerprints of the keys, so that both ends can be compared before a link runs.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/stack.h"
#include "cli/cli.h"
#include "config/config.h"

/* Returns the exit status for one configuration. */
static int check(const char *name_or_file, struct sw_config *config) {
  struct sw_psks psks;
  if (sw_config_locate(name_or_file, config, stderr) != 0 ||
      sw_config_load(config, &psks, stderr) != 0)
    return 1;
  char fingerprints[SW_FINGERPRINTS_TEXT];
  sw_psks_fingerprints(&psks, fingerprints);
  sw_stack_wipe();
  printf("%s: ok, key fingerprint%s %s\n", config->file, psks.count > 1 ? "s" : "", fingerprints);
  sodium_memzero(&psks, sizeof(psks));
  sw_config_free(config);
  return 0;
}

int sw_cli_check(int argc, char **argv) {
  if (argc < 2 || argv[1][0] == '-') {
    if (argc > 1) fprintf(stderr, "check: unknown option %s\n", argv[1]);
    sw_cli_usage(stderr, argv[0]);
    return 2;
  }
  struct sw_config *config = calloc(1, sizeof(*config));
  if (!config) {
    fprintf(stderr, "saltway: no memory\n");
    return 1;
  }
  int status = 0;
  for (int i = 1; i < argc; i++) status |= check(argv[i], config);
  free(config);
  return status;
}
