/*
 * The file that holds a link's pre-shared key: one key, 44 characters of base64, on the first line
 * that is neither empty nor a comment (#).  A second line with a second key is the place of key
 * rotation (not yet accepted; it is an error that says so).
 */
#ifndef SALTWAY_CONFIG_PSK_FILE_H
#define SALTWAY_CONFIG_PSK_FILE_H

#include "base/error.h"
#include "saltway/key.h"

/** Reads the key in `file`.  The file must be a regular file that nobody but its owner may read or
 * write; what systemd passes below $CREDENTIALS_DIRECTORY may also have mode 0440.  The owner must
 * be root or the user who runs this.  Returns 0 or a negative errno with `error` filled; `psk` is
 * wiped on failure and else belongs to the caller, who wipes it. */
int sw_psk_file_read(const char *file, struct sw_psk *psk, struct sw_error *error);

#endif
