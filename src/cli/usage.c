#include "cli/cli.h"

#include <string.h>

static const struct {
  const char *subcommand, *usage;
} usages[] = {
    {"genkey", "usage: saltway genkey\n"},
    {"pair", "usage: saltway pair [-o DIRECTORY] [--port PORT] [--networks-a NETWORKS]\n"
             "                    [--networks-b NETWORKS] NAME HOST_A HOST_B\n"
             "HOST_A is this machine; - is a host that cannot be reached from outside\n"},
    {"import",
     "usage: saltway import [-o DIRECTORY] [--name NAME] [--host HOST] [--networks NETWORKS]\n"
     "                      [--peer NUMBER] FILE\n"
     "FILE is an OpenVPN configuration with a static key, or one of wg-quick\n"},
    {"check", "usage: saltway check NAME|FILE...\n"},
    {"up", "usage: saltway up NAME|FILE\n"},
    {"reload", "usage: saltway reload NAME|FILE\n"},
    {"down", "usage: saltway down NAME|FILE\n"},
    {"status", "usage: saltway status [--json | --metrics | --watch] [NAME|FILE]\n"},
    {"doctor", "usage: saltway doctor [NAME|FILE]\n"},
    {"test", "usage: saltway test [--json] [-t SECONDS] NAME|FILE [ADDRESS]\n"
             "       saltway test --listen [--keep] NAME|FILE\n"},
    {"bench", "usage: saltway bench [--json]\n"},
};

void sw_cli_usage(FILE *out, const char *subcommand) {
  for (size_t i = 0; i < sizeof(usages) / sizeof(usages[0]); i++)
    if (strcmp(usages[i].subcommand, subcommand) == 0) fputs(usages[i].usage, out);
}
