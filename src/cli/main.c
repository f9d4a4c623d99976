#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <sodium.h>

#include "channel/names.h"
#include "cli/cli.h"
#include "resolver/resolver.h"

#ifndef SALTWAY_VERSION
#define SALTWAY_VERSION "0.1"
#endif

static const struct {
  const char *name;
  int (*run)(int argc, char **argv);
  const char *arguments;
  const char *what;
} subcommands[] = {
    {"genkey", sw_cli_genkey, "", "print a new pre-shared key"},
    {"pair", sw_cli_pair, "NAME HOST_A HOST_B", "make both ends' files and their key"},
    {"import", sw_cli_import, "FILE", "make both ends' files from OpenVPN's or wg-quick's"},
    {"check", sw_cli_check, "NAME|FILE...", "report every mistake in a configuration"},
    {"up", sw_cli_up, "NAME|FILE", "run the link in the foreground"},
    {"reload", sw_cli_reload, "NAME|FILE", "have a running link read its configuration again"},
    {"down", sw_cli_down, "NAME|FILE", "stop a running link"},
    {"status", sw_cli_status, "[OPTION] [NAME|FILE]", "show running links, and what is wrong"},
    {"doctor", sw_cli_doctor, "[NAME|FILE]", "find what keeps a link from working, and the fix"},
    {"test", sw_cli_test, "[OPTION] NAME|FILE", "measure a running link"},
    {"bench", sw_cli_bench, "[--json]", "measure what this machine can carry"},
};
enum { SUBCOMMANDS = sizeof(subcommands) / sizeof(subcommands[0]) };

static void usage(FILE *out) {
  fprintf(out, "saltway: an encrypted site-to-site link\n\nusage:\n");
  for (unsigned i = 0; i < SUBCOMMANDS; i++)
    fprintf(out, "  saltway %-6s %-20s %s\n", subcommands[i].name, subcommands[i].arguments,
            subcommands[i].what);
  fprintf(out, "  saltway %-6s %-20s %s\n", "help", "[SUBCOMMAND]", "show usage");
  fprintf(out,
          "  saltway --help | --version\n\n"
          "NAME stands for /etc/saltway/NAME.conf, and is the interface's name; see saltway(8).\n");
}

/* Makes sure that no file opened later becomes standard input, output or error. */
static void open_standard(void) {
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd > STDERR_FILENO) close(fd);
}

/* A process that holds keys leaves no core, and other processes of its user may not read it. */
static void keep_secrets(void) {
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* What could not be printed is a failure. */
static int finish(int status) {
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  fprintf(stderr, "saltway: cannot write to standard output: %s\n", strerror(errno));
  return status ? status : 1;
}

int main(int argc, char **argv) {
  open_standard();
  keep_secrets();
  signal(SIGCHLD, SIG_DFL); /* where it is ignored the kernel forgets how a process ended */
  if (argc < 2) {
    usage(stderr);
    return 2;
  }
  const char *name = argv[1];
  if (strcmp(name, SW_NAMES_SUBCOMMAND) == 0) /* only the parent executes it */
    return sw_resolver_run(!(argc == 3 && strcmp(argv[2], SW_NAMES_UNCONFINED) == 0));
  if (strcmp(name, "help") == 0 && argc == 3) { /* as --help after the subcommand */
    name = argv[2];
    argv[2] = "--help";
  }
  if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
    usage(stdout);
    return finish(0);
  }
  if (strcmp(name, "--version") == 0) {
    printf("saltway %s (libsodium %s)\n", SALTWAY_VERSION, sodium_version_string());
    return finish(0);
  }
  for (unsigned i = 0; i < SUBCOMMANDS; i++) {
    if (strcmp(name, subcommands[i].name) != 0) continue;
    if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
      sw_cli_usage(stdout, name);
      printf("%s; see saltway(8)\n", subcommands[i].what);
      return finish(0);
    }
    if (sodium_init() < 0) {
      fprintf(stderr, "saltway: cannot initialize libsodium (no source of random bytes?)\n");
      return 1;
    }
    return finish(subcommands[i].run(argc - 1, argv + 1));
  }
  fprintf(stderr, "saltway: unknown subcommand \"%s\"; saltway --help lists them\n", name);
  return 2;
}
