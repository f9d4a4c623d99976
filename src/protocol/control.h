/*
 * The control datagrams of a session: probes and their acks, keepalives, farewells.
 *
 * The length of each is random within one range, so that sizes reveal neither idle traffic nor the
 * end of a link.  Each function seals one into `datagram`, writes the session's path to `path`, and
 * returns the length, or 0 if the session may not seal any more.
 */
#ifndef SALTWAY_PROTOCOL_CONTROL_H
#define SALTWAY_PROTOCOL_CONTROL_H

#include "protocol/link_state.h"

/** A probe.  A periodic one counts as lost if it is not answered before the next. */
size_t sw_control_probe(struct sw_link *link, struct sw_session *session, bool periodic,
                        uint8_t *datagram, struct sw_path *path);

/** The ack of the probe with this token and length.  It is never longer than the probe. */
size_t sw_control_ack(struct sw_link *link, struct sw_session *session, uint64_t token,
                      size_t length, uint8_t *datagram, struct sw_path *path);

/** Measures the round-trip time of the probe that has this token.  Ignores unknown tokens. */
void sw_control_acknowledged(struct sw_link *link, uint64_t token);

/** An ack with a random token: it shows that we are alive, and the peer does not answer it. */
size_t sw_control_keepalive(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                            struct sw_path *path);

size_t sw_control_farewell(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                           struct sw_path *path);

#endif
