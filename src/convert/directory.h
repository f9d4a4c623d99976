/*
 * The directory that saltway pair and saltway import make, for its owner only:
 *
 *     a/NAME.conf  a/NAME.key    for the machine it is made on
 *     b/NAME.conf  b/NAME.key    for the other one
 */
#ifndef SALTWAY_CONVERT_DIRECTORY_H
#define SALTWAY_CONVERT_DIRECTORY_H

#include "base/error.h"
#include "convert/ends.h"
#include "saltway/key.h"

/** Makes the directory with both configurations, which begin with `comment`, and a new key; nothing
 * must be there but, perhaps, an empty directory.  It appears with all it holds, or not at all.  Every
 * file is read again, as saltway check does, and mistakes are written to `complaints`.  Returns 0
 * and the key's fingerprint, or a negative errno, with `error` filled. */
int sw_directory_make(const char *directory, const struct sw_ends *ends, const char *comment,
                      char fingerprint[SW_FINGERPRINT_TEXT], FILE *complaints,
                      struct sw_error *error);

/** Writes the commands that bring the files to both machines and start the link.  `host` is the other
 * machine; NULL if it has no name. */
void sw_directory_steps(FILE *out, const char *directory, const char *name, const char *host);

#endif
