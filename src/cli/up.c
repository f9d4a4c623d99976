#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "engine/process.h"
#include "parent/parent.h"

int sw_cli_up(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: saltway up NAME|FILE\n");
    return 2;
  }
  struct sw_config *config = calloc(1, sizeof(*config));
  struct sw_psk *psk = sodium_malloc(sizeof(*psk));
  if (!config || !psk) {
    fprintf(stderr, "saltway: no memory\n");
    sodium_free(psk);
    free(config);
    return 1;
  }
  int status = 1;
  if (sw_config_locate(argv[1], config, stderr) == 0 && sw_config_load(config, psk, stderr) == 0) {
    struct sw_error error;
    sw_log_start(config->name);
    status = 0;
    if (sw_parent_run(config, psk, sw_engine_main, &error) != 0) {
      sw_log(SW_LOG_ERROR, "%s", error.text);
      status = 1;
    }
  }
  sw_config_free(config);
  sodium_free(psk);
  free(config);
  return status;
}
