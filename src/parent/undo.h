/*
 * The record of how to undo a run: the PreDown commands of a link, kept in the runtime directory
 * (base/runtime.h) from its first PostUp until PreDown has run.  If the run is killed, the next run
 * of that name finds the record.
 *
 * The commands are run by the user who starts the link.  So a record is accepted only if nobody
 * else can have written it: the file belongs to that user, the directory to that user or root, and
 * nobody else may write to either.
 */
#ifndef SALTWAY_PARENT_UNDO_H
#define SALTWAY_PARENT_UNDO_H

#include "base/error.h"

/** Writes the record: a line for each command.  Returns 0, or a negative errno with `error` filled
 * and no record left. */
int sw_undo_write(const char *name, const char *commands, struct sw_error *error);

/** Reads the record into `commands`, from malloc; NULL if there is none.  Returns 0, or a negative
 * errno with `error` filled if there is one that is not accepted or cannot be read. */
int sw_undo_read(const char *name, char **commands, struct sw_error *error);

/** Removes the record, if there is one. */
void sw_undo_remove(const char *name);

#endif
