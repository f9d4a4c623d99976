/*
 * The records of how to undo a run, kept in the runtime directory (base/runtime.h): the PreDown
 * commands of a link, from its first PostUp until PreDown has run (SW_RUNTIME_UNDO), and the rules for
 * its default routes, while there are any (SW_RUNTIME_RULES).  If the run is killed, the next run of
 * that name finds them.
 *
 * The commands are run by the user who starts the link.  So a record is accepted only if nobody
 * else can have written it: the file belongs to that user, the directory to that user or root, and
 * nobody else may write to either.
 */
#ifndef SALTWAY_PARENT_UNDO_H
#define SALTWAY_PARENT_UNDO_H

#include "base/error.h"

/** Writes a record, of lines.  Returns 0, or a negative errno with `error` filled
 * and no record left. */
int sw_undo_write(const char *name, const char *suffix, const char *lines, struct sw_error *error);

/** Reads a record into `lines`, from malloc, without the last end of line; NULL if there is none.
 * Returns 0, or a negative errno with `error` filled if there is one that is not accepted or cannot be
 * read. */
int sw_undo_read(const char *name, const char *suffix, char **lines, struct sw_error *error);

/** Removes a record, if there is one. */
void sw_undo_remove(const char *name, const char *suffix);

#endif
