#include <stdio.h>

#include "cli/cli.h"
#include "config/config.h"

int sw_cli_check(int argc, char **argv) {
  if (argc < 2 || argv[1][0] == '-') {
    if (argc > 1) fprintf(stderr, "check: unknown option %s\n", argv[1]);
    fprintf(stderr, "usage: saltway check NAME|FILE...\n");
    return 2;
  }
  int status = 0;
  for (int i = 1; i < argc; i++) {
    struct sw_config config;
    if (sw_config_locate(argv[i], &config, stderr) != 0 || sw_config_load(&config, stderr) != 0)
      status = 1;
    else
      printf("%s: ok\n", config.file);
  }
  return status;
}
