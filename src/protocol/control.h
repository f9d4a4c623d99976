/*
 * The datagrams of the link's own in a session: probes and their acks, keepalives, farewells.
 *
 * All have lengths of one range, so that neither idle traffic nor the end of a link shows by sizes.
 * Each function seals one into `datagram`, with the session's path in `path`, and returns its
 * length, or 0 if the session is used up.
 */
#ifndef SALTWAY_PROTOCOL_CONTROL_H
#define SALTWAY_PROTOCOL_CONTROL_H

#include "protocol/link_state.h"

/** A probe.  A periodic one counts as lost if it is not answered before the next. */
size_t sw_control_probe(struct sw_link *link, struct sw_session *session, bool periodic,
                        uint8_t *datagram, struct sw_path *path);

/** The ack of a probe with this token and length: it is no longer than that. */
size_t sw_control_ack(struct sw_link *link, struct sw_session *session, uint64_t token,
                      size_t length, uint8_t *datagram, struct sw_path *path);

/** Takes the round-trip time of the probe that this token acknowledges, if it is one of ours. */
void sw_control_acknowledged(struct sw_link *link, uint64_t token);

/** An ack of no probe: a sign of life, which is answered by nothing. */
size_t sw_control_keepalive(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                            struct sw_path *path);

size_t sw_control_farewell(struct sw_link *link, struct sw_session *session, uint8_t *datagram,
                           struct sw_path *path);

#endif
