#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/config.h"

int sw_cli_name(const char *name_or_file, char name[IFNAMSIZ]) {
  struct sw_config *config = calloc(1, sizeof(*config));
  if (!config) {
    fprintf(stderr, "saltway: no memory\n");
    return 1;
  }
  const int failed = sw_config_locate(name_or_file, config, stderr);
  if (!failed) memcpy(name, config->name, IFNAMSIZ);
  free(config);
  return failed ? 1 : 0;
}
