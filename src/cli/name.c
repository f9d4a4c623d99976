#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/runtime.h"
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

int sw_cli_connect(int argc, char **argv, char name[IFNAMSIZ]) {
  if (argc != 2 || argv[1][0] == '-') {
    if (argc > 1 && argv[1][0] == '-') fprintf(stderr, "%s: unknown option %s\n", argv[0], argv[1]);
    sw_cli_usage(stderr, argv[0]);
    return -2;
  }
  struct sw_error error;
  if (sw_cli_name(argv[1], name) != 0) return -1;
  const int fd = sw_runtime_connect(name, &error);
  if (fd >= 0) return fd;
  fprintf(stderr, "saltway: %s\n", error.text);
  return -1;
}
