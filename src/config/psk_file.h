/*
 * The file that holds a link's pre-shared key, or two of them while it is replaced: one line of 44
 * characters of base64 for each, besides empty lines and comments (lines that start with #).
 */
#ifndef SALTWAY_CONFIG_PSK_FILE_H
#define SALTWAY_CONFIG_PSK_FILE_H

#include "base/error.h"
#include "saltway/key.h"

/** Reads the keys in `file`, which must be a regular file that only its owner may read or write, and
 * the group of root read.  Others may read it too if it is on a file system that is mounted read-only,
 * as the secrets of containers are.  The owner must be root or the user who runs this process.
 * Returns 0, with 1 to SW_PSKS_MAX different keys in `psks`, which the caller wipes, and a notice or an
 * empty text in `error`; or a negative errno, with `error` filled and `psks` wiped. */
int sw_psk_file_read(const char *file, struct sw_psks *psks, struct sw_error *error);

#endif
