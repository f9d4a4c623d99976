#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "engine/process.h"
#include "parent/parent.h"

/* Makes the file's path absolute, for people who are in another directory when they read it. */
static void name_whole(struct sw_config *config) {
  char directory[PATH_MAX], file[2 * PATH_MAX];
  if (config->file[0] == '/' || !getcwd(directory, sizeof(directory))) return;
  const int length = snprintf(file, sizeof(file), "%s/%s", directory, config->file);
  if (length < PATH_MAX) memcpy(config->file, file, (size_t)length + 1);
}

static int run(const char *name_or_file, struct sw_config *config, struct sw_psks *psks) {
  struct sw_error error;
  if (sw_config_locate(name_or_file, config, stderr) != 0) return EX_CONFIG;
  name_whole(config);
  const int mistakes = sw_config_load(config, psks, stderr);
  if (mistakes) return mistakes > 0 ? EX_CONFIG : 1; /* a shortage may pass: systemd tries again */
  sw_log_start(config->name);
  if (sw_parent_run(config, psks, sw_engine_main, &error) == 0) return 0;
  sw_log(SW_LOG_ERROR, "%s", error.text);
  return 1;
}

int sw_cli_up(int argc, char **argv) {
  if (argc != 2 || argv[1][0] == '-') {
    if (argc > 1 && argv[1][0] == '-') fprintf(stderr, "up: unknown option %s\n", argv[1]);
    sw_cli_usage(stderr, argv[0]);
    return 2;
  }
  struct sw_config *config = calloc(1, sizeof(*config));
  struct sw_psks *psks = sodium_malloc(sizeof(*psks));
  int status = 1;
  if (config && psks)
    status = run(argv[1], config, psks);
  else
    fprintf(stderr, "saltway: no memory\n");
  if (config) sw_config_free(config);
  free(config);
  sodium_free(psks);
  return status;
}
