/*
 * What the parts of the pump share: pump.c, which waits for events, pump_send.c, the way from the TUN
 * device and the link to the socket, and pump_receive.c, the way from the socket to the TUN device.
 */
#ifndef SALTWAY_ENGINE_PUMP_PARTS_H
#define SALTWAY_ENGINE_PUMP_PARTS_H

#include "engine/pump.h"

/** Runs asked for at once when they are long. */
#define SW_PUMP_COALESCED 4

/** Whether packets wait until there is a session. */
static inline bool sw_pump_waits_for_session(const struct sw_pump *pump, uint64_t now) {
  return now < pump->wait_end;
}

/** Whether packets wait in the TUN device because the socket is full and the line is not known to be
 * slow: that costs nothing. */
static inline bool sw_pump_is_stopped(const struct sw_pump *pump) {
  return pump->full && pump->queue.bytes == 0 && !sw_drain_limits(&pump->drain) &&
         !sw_shaper_limits(&pump->shaper);
}

/** Sends what the TUN device has.  Returns 0 or the negative errno that reading failed with. */
int sw_pump_read(struct sw_pump *pump);

/** Sends what waits in the outbox, what the link itself has to send, and what waits in the queue, as
 * far as the socket takes it. */
void sw_pump_send(struct sw_pump *pump);

/** Receives what the socket has. */
void sw_pump_receive(struct sw_pump *pump);

/** Tells the link what the network has reported. */
void sw_pump_read_reports(struct sw_pump *pump);

/** Turns reports on again when they can help: without a working session, and after a while. */
void sw_pump_resume_reports(struct sw_pump *pump);

#endif
