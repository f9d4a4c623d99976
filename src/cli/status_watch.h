/*
 * saltway status --watch: the terminal.
 */
#ifndef SALTWAY_CLI_STATUS_WATCH_H
#define SALTWAY_CLI_STATUS_WATCH_H

#include <stdbool.h>

/** Shows the links, as sw_status_ask, once a second, until the user ends it or no link answers.  Leaves
 * the terminal as it was.  Returns an exit status: that of the link if it does not answer any more. */
int sw_status_watch(const char *name_or_file, bool colour);

#endif
