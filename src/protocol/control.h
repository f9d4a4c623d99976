/*
 * The control datagrams of a session: probes, acks, farewells.
 *
 * The length of each is random within one range, so that sizes reveal neither idle traffic nor the
 * end of a link.  Each function seals one into `datagram`, and returns its length, or 0 if the
 * session may not seal any more.
 */
#ifndef SALTWAY_PROTOCOL_CONTROL_H
#define SALTWAY_PROTOCOL_CONTROL_H

#include "protocol/link_state.h"

/** A probe of one of the three kinds, with a token.  The body is `least` to `most` bytes long, which
 * are at least SW_PROBE_BYTES. */
size_t sw_control_probe(struct sw_link *link, struct sw_session *session, enum sw_kind kind,
                        uint64_t token, size_t least, size_t most, uint8_t *datagram);

/** The ack of the probe with this token and length.  It is never longer than the probe. */
size_t sw_control_ack(struct sw_link *link, struct sw_session *session, uint64_t token,
                      size_t length, uint8_t *datagram);

size_t sw_control_farewell(struct sw_link *link, struct sw_session *session, uint8_t *datagram);

#endif
