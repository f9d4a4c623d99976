/*
 * The subcommands of saltway(8), a file each.  argv[0] is the subcommand's name, what follows are
 * its arguments; the return value is the exit status: 0, 1 for a failure, 2 for a wrong use.
 */
#ifndef SALTWAY_CLI_CLI_H
#define SALTWAY_CLI_CLI_H

int sw_cli_genkey(int argc, char **argv);
int sw_cli_check(int argc, char **argv);
int sw_cli_up(int argc, char **argv);
int sw_cli_down(int argc, char **argv);
int sw_cli_status(int argc, char **argv);

#endif
