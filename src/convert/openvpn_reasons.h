/*
 * The options of OpenVPN that a link has no use for.
 */
#ifndef SALTWAY_CONVERT_OPENVPN_REASONS_H
#define SALTWAY_CONVERT_OPENVPN_REASONS_H

/** Why this option is not carried over; NULL: that is not known, or it is. */
const char *sw_openvpn_reason(const char *option);

#endif
