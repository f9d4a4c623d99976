/*
 * Reads an OpenVPN configuration in static-key mode (openvpn(8), --secret) as a link.
 */
#ifndef SALTWAY_CONVERT_OPENVPN_H
#define SALTWAY_CONVERT_OPENVPN_H

#include "convert/ends.h"

#define SW_OPENVPN_PORT 1194 /* where OpenVPN listens unless told otherwise */

/** Reads the text, which it modifies and which may hold a key, into `ends`, which are initialized.
 * Remarks name each option that is not carried over, with its line and the reason; complaints each
 * mistake.  Neither repeats a key.  sw_ends_finish completes the ends. */
void sw_openvpn_read(char *text, struct sw_ends *ends, struct sw_complaints *complaints);

#endif
