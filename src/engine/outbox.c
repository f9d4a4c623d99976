#include "engine/outbox.h"

#include <assert.h>

#include "packet/ecn.h"

void sw_outbox_init(struct sw_outbox *outbox, uint8_t *buffer) {
  *outbox = (struct sw_outbox){.buffer = buffer};
}

bool sw_outbox_is_empty(const struct sw_outbox *outbox) {
  return outbox->count == 0;
}

bool sw_outbox_is_full(const struct sw_outbox *outbox) {
  return outbox->used >= SW_OUTBOX_BYTES || outbox->count >= SW_OUTBOX_RUNS;
}

uint8_t *sw_outbox_room(const struct sw_outbox *outbox) {
  return outbox->buffer + SW_HEADROOM + outbox->used;
}

static bool fits_last_run(const struct sw_outbox *outbox, size_t length, const struct sw_path *path,
                          uint8_t tos) {
  if (outbox->count == 0 || outbox->closed) return false;
  const struct sw_run *last = &outbox->runs[outbox->count - 1];
  return length <= last->segment && last->length + length <= SW_UDP_RUN &&
         outbox->segments < SW_UDP_SEGMENTS && last->tos == tos && sw_path_equal(&last->path, path);
}

void sw_outbox_add(struct sw_outbox *outbox, size_t length, const struct sw_path *path,
                   uint8_t tos) {
  if (!fits_last_run(outbox, length, path, tos)) {
    assert(outbox->count < sizeof(outbox->runs) / sizeof(outbox->runs[0]));
    outbox->runs[outbox->count++] = (struct sw_run){
        .bytes = sw_outbox_room(outbox), .segment = length, .path = *path, .tos = tos};
    outbox->segments = 0;
  }
  struct sw_run *run = &outbox->runs[outbox->count - 1];
  assert(outbox->used + length <= SW_OUTBOX_BYTES + SW_OUTBOX_PACKET_SEALED);
  run->length += length;
  outbox->segments++;
  outbox->datagrams++;
  outbox->closed = length < run->segment;
  outbox->used += length;
}

void sw_outbox_add_whole(struct sw_outbox *outbox, size_t length, const struct sw_path *path) {
  outbox->closed = true;
  sw_outbox_add(outbox, length, path, SW_ECN_NOT_ECT);
  outbox->runs[outbox->count - 1].whole = true;
  outbox->closed = true;
}

int sw_outbox_send(struct sw_outbox *outbox, struct sw_udp *udp) {
  if (outbox->count == 0) return 0;
  const int result = sw_udp_send(udp, outbox->runs, outbox->count, &outbox->refused);
  if (result == 0) {
    outbox->count = 0;
    outbox->used = 0;
    outbox->datagrams = 0;
  }
  return result;
}

unsigned sw_outbox_drop(struct sw_outbox *outbox, struct sw_address *peer, size_t *length) {
  struct sw_run *run = outbox->runs;
  while (run->sent == run->length) run++;
  assert(run < outbox->runs + outbox->count);
  *peer = run->path.peer;
  *length = run->segment < outbox->refused ? run->segment : outbox->refused;
  run->sent += outbox->refused;
  return (unsigned)((outbox->refused + run->segment - 1) / run->segment);
}
