/*
 * saltway doctor: looks at everything that a link needs, from the kernel to the peer, and tells what is
 * wrong and how to mend it.  It changes nothing.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "doctor/checks.h"
#include "doctor/gather.h"

static struct sw_doctor_facts *new_facts(void) {
  struct sw_doctor_facts *facts = calloc(1, sizeof(*facts));
  if (!facts) fprintf(stderr, "saltway: no memory\n");
  return facts;
}

/* Returns an exit status. */
static int examine(struct sw_doctor_facts *facts, const char *name) {
  struct sw_verdict verdicts[SW_CHECKS];
  for (unsigned i = 0; i < SW_CHECKS; i++)
    if (sw_checks[i].gather) sw_checks[i].gather(facts);
  sw_checks_judge(facts, verdicts);
  return sw_checks_print(stdout, name, verdicts) == SW_LEVEL_FAIL ? 1 : 0;
}

static int examine_link(const char *name_or_file) {
  struct sw_doctor_facts *facts = new_facts();
  int status = 1;
  if (facts && sw_config_locate(name_or_file, &facts->config, stderr) == 0) {
    memcpy(facts->name, facts->config.name, sizeof(facts->name));
    sw_doctor_config(facts);
    sw_doctor_status(facts);
    status = examine(facts, facts->name);
    sw_config_free(&facts->config);
  }
  free(facts);
  return status;
}

static int examine_machine(void) {
  struct sw_doctor_facts *facts = new_facts();
  const int status = facts ? examine(facts, "this machine") : 1;
  free(facts);
  return status;
}

/* Every link that is configured in the usual place. */
static int examine_all(void) {
  DIR *entries = opendir(SW_CONFIG_DIRECTORY);
  int status = 0;
  bool any = false;
  for (const struct dirent *entry; entries && (entry = readdir(entries));) {
    char path[PATH_MAX];
    const size_t length = strlen(entry->d_name);
    if (length <= 5 || strcmp(entry->d_name + length - 5, ".conf") != 0) continue;
    snprintf(path, sizeof(path), SW_CONFIG_DIRECTORY "/%s", entry->d_name);
    status |= examine_link(path);
    any = true;
  }
  if (entries) closedir(entries);
  return any ? status : examine_machine();
}

int sw_cli_doctor(int argc, char **argv) {
  if (argc > 2 || (argc == 2 && argv[1][0] == '-')) {
    if (argv[1][0] == '-') fprintf(stderr, "doctor: unknown option %s\n", argv[1]);
    sw_cli_usage(stderr, argv[0]);
    return 2;
  }
  return argc == 2 ? examine_link(argv[1]) : examine_all();
}
