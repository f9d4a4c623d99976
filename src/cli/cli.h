/*
 * The subcommands of saltway(8), one in each file.  argv[0] is the subcommand's name; its arguments
 * follow.  The return value is the exit status: 0, 1 for a failure, 2 for wrong usage.  Some
 * subcommands have more; saltway(8) lists them.
 */
#ifndef SALTWAY_CLI_CLI_H
#define SALTWAY_CLI_CLI_H

#include <net/if.h>
#include <stdio.h>

int sw_cli_genkey(int argc, char **argv);
int sw_cli_pair(int argc, char **argv);
int sw_cli_import(int argc, char **argv);
int sw_cli_check(int argc, char **argv);
int sw_cli_up(int argc, char **argv);
int sw_cli_down(int argc, char **argv);
int sw_cli_reload(int argc, char **argv);
int sw_cli_status(int argc, char **argv);
int sw_cli_doctor(int argc, char **argv);
int sw_cli_test(int argc, char **argv);
int sw_cli_bench(int argc, char **argv);

/** Writes how the subcommand is used: its options and arguments. */
void sw_cli_usage(FILE *out, const char *subcommand);

/** Turns the NAME or FILE that a user typed into the link's name; the file need not exist.  Returns
 * 0, or 1 after writing to standard error why it cannot be a name. */
int sw_cli_name(const char *name_or_file, char name[IFNAMSIZ]);

/** For a subcommand whose only argument is NAME|FILE: connects to that link.  Returns the descriptor
 * and the link's name; or the negated exit status, after writing the reason to standard error. */
int sw_cli_connect(int argc, char **argv, char name[IFNAMSIZ]);

#endif
