#include "engine/pump_parts.h"

#include <assert.h>

#include "base/clock.h"
#include "packet/checksum.h"
#include "packet/ecn.h"
#include "packet/mss.h"

#define LONG 4096 /* bytes of a run that is worth a wake-up */

static void write_packet(struct sw_pump *pump, uint8_t *packet, size_t length,
                         const struct sw_offload *offload) {
  if (sw_tun_write(pump->tun, packet, length, offload) < 0)
    sw_link_drop(pump->link, SW_DROP_TUN, 1);
}

static void write_merged(struct sw_pump *pump) {
  struct sw_gro_packet merged;
  if (sw_gro_take(&pump->gro, &merged))
    write_packet(pump, merged.packet, merged.length, &merged.offload);
}

/* Writes a packet that was opened, or coalesces it with the ones before it.  `tos`: of its datagram.
 * A socket in which datagrams wait for too long is a congested router on the way: the packet is
 * marked, or dropped. */
static void deliver(struct sw_pump *pump, uint8_t *packet, const struct sw_opened *opened,
                    uint8_t tos) {
  const bool excess = pump->excess;
  pump->excess = false;
  if (!sw_ecn_combine(packet, &opened->view, excess ? SW_ECN_CE : tos)) {
    sw_link_drop(pump->link, excess ? SW_DROP_QUEUE : SW_DROP_ECN, 1);
    return;
  }
  sw_mss_clamp(packet, &opened->view, opened->partial, pump->mtu);
  if (pump->tun->offload) {
    while (sw_gro_add(&pump->gro, packet, &opened->view, opened->partial)) write_merged(pump);
    return;
  }
  static const struct sw_offload none;
  if (opened->partial) sw_checksum_partial_complete(packet, &opened->view);
  write_packet(pump, packet, opened->view.length, &none);
}

static void handle_opened(struct sw_pump *pump, enum sw_received received, uint8_t *packet,
                          const struct sw_opened *opened, uint8_t tos) {
  switch (received) {
  case SW_RECEIVED_PACKET:
    deliver(pump, packet, opened, tos);
    break;
  case SW_RECEIVED_CONTROL:
    sw_pump_send(pump);
    break;
  case SW_RECEIVED_DROPPED:
    pump->strangers = true;
    break;
  }
}

static void open_one(struct sw_pump *pump, uint64_t now, const struct sw_run *run,
                     const uint8_t *datagram, size_t length) {
  uint8_t *packet = sw_gro_room(&pump->gro);
  struct sw_opened opened;
  const enum sw_received received =
      sw_link_open(pump->link, now, &run->path, datagram, length, packet, &opened);
  handle_opened(pump, received, packet, &opened, run->tos);
}

/* Opens the batch.  Its packets lie in the buffer for coalescing, which has to be empty before. */
static void open_batch(struct sw_pump *pump) {
  write_merged(pump);
  const unsigned count = sw_batch_open(&pump->batch);
  for (unsigned i = 0; i < count; i++) {
    struct sw_opening *opening = &pump->batch.openings[i];
    struct sw_opened opened;
    const enum sw_received received = sw_link_open_finish(pump->link, opening, &opened);
    handle_opened(pump, received, opening->packet, &opened, pump->batch.tos[i]);
  }
}

static void open_run(struct sw_pump *pump, uint64_t now, const struct sw_run *run, bool spread) {
  for (size_t at = 0; at < run->length; at += run->segment) {
    const size_t left = run->length - at;
    const size_t length = left < run->segment ? left : run->segment;
    const uint8_t *datagram = run->bytes + at;
    if (!spread) {
      open_one(pump, now, run, datagram, length);
    } else if (!sw_batch_add(&pump->batch, pump->link, now, run, datagram, length)) {
      open_batch(pump);
      const bool added = sw_batch_add(&pump->batch, pump->link, now, run, datagram, length);
      assert(added);
    }
  }
}

/* Sets how many runs to ask for next.  Runs of many bytes are worth a wake-up: with few of them at once
 * one run of acknowledgements answers them all, and they are still in the cache when they are opened.
 * (Two at once are 4 to 5 % faster than one, four again as much.)  Short ones are asked for in larger
 * numbers, so that they do not wait while the other direction has its turn. */
static void set_receive_count(struct sw_pump *pump, unsigned received, size_t bytes) {
  if (bytes >= (size_t)received * LONG)
    pump->receive_count = SW_PUMP_COALESCED;
  else if (received == pump->receive_count && received < SW_PUMP_RECEIVE)
    pump->receive_count *= 2;
}

/* Decides whether datagrams wait in the socket for too long, because the processor is busy.  Where that
 * is the work of strangers it would not help to lose packets of the link. */
static void watch_arrivals(struct sw_pump *pump, uint64_t now, unsigned received) {
  const bool last = received < pump->receive_count || pump->strangers;
  pump->strangers = false;
  for (unsigned i = 0; i < received; i++)
    pump->excess |= sw_codel_drop(&pump->arrivals, now, pump->inbox[i].waited, last);
}

void sw_pump_receive(struct sw_pump *pump) {
  for (unsigned i = 0; i < pump->receive_count; i++) pump->inbox[i].length = SW_UDP_BUFFER;
  const uint32_t before = pump->overflows;
  const int count = sw_udp_receive(pump->udp, pump->inbox, pump->receive_count, &pump->overflows);
  if (count <= 0) return;
  if (pump->overflows != before) sw_link_drop(pump->link, SW_DROP_SOCKET, pump->overflows - before);
  const uint64_t now = sw_clock_now();
  watch_arrivals(pump, now, (unsigned)count);
  size_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += pump->inbox[i].length;
  const bool spread = sw_batch_opens(&pump->batch, bytes);
  for (int i = 0; i < count; i++) {
    const struct sw_run *run = &pump->inbox[i];
    if (run->truncated)
      sw_link_drop(pump->link, SW_DROP_TRUNCATED, 1);
    else if (run->length == 0)
      sw_link_drop(pump->link, SW_DROP_SHORT, 1);
    else
      open_run(pump, now, run, spread);
  }
  if (spread) open_batch(pump);
  write_merged(pump);
  set_receive_count(pump, (unsigned)count, bytes);
}
