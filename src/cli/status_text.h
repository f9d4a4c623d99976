/*
 * The status of a link for people, made from its JSON object (saltway(8), JSON OUTPUT).  Pure: what is
 * written depends on the arguments alone.
 */
#ifndef SALTWAY_CLI_STATUS_TEXT_H
#define SALTWAY_CLI_STATUS_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** Writes the whole status: a line with name and sentence, then one for each fact.  `colour`: with
 * escape sequences of a terminal. */
void sw_status_text(FILE *out, const json_t *link, bool colour);

/** Writes the first of these lines only. */
void sw_status_headline(FILE *out, const json_t *link, bool colour);

/** Whether packets pass. */
bool sw_status_is_up(const json_t *link);

#endif
