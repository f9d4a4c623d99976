/*
 * Reads a file of wg-quick(8) as a link.
 */
#ifndef SALTWAY_CONVERT_WG_QUICK_H
#define SALTWAY_CONVERT_WG_QUICK_H

#include "convert/ends.h"

#define SW_WG_QUICK_PORT 51820

/** Reads the text, which it modifies and which may hold keys, into `ends`, which are initialized.
 * `interface` is the name of the old interface, for which hooks get %i.  `peer` is the number of the
 * [Peer] that is read, from 1; 0 if there should be only one.  Remarks name each key that is not carried
 * over, with its line and the reason; complaints each mistake.  Neither repeats a key of a cipher.
 * sw_ends_finish completes the ends. */
void sw_wg_quick_read(char *text, const char *interface, unsigned peer, struct sw_ends *ends,
                      struct sw_complaints *complaints);

#endif
