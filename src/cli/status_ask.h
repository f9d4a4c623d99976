/*
 * Asks running links for their status, over their control sockets.
 */
#ifndef SALTWAY_CLI_STATUS_ASK_H
#define SALTWAY_CLI_STATUS_ASK_H

#include <jansson.h>
#include <stdio.h>

/** Exit statuses.  Of several links the largest counts, except that SW_STATUS_FAILED outranks all. */
enum { SW_STATUS_UP = 0, SW_STATUS_FAILED = 1, SW_STATUS_USAGE = 2, SW_STATUS_DOWN = 3 };

/** Appends the answer of the link that the user typed, or of every running one if it is NULL, to the
 * array `links`.  Writes what is wrong to `errors`.  Returns an exit status. */
int sw_status_ask(const char *name_or_file, json_t *links, FILE *errors);

#endif
