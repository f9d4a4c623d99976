/*
 * Adds packets with any description that a kernel may give to the queue, and takes them at any time
 * and in parts of any size.  No access may leave its buffer.  Each segment that is added is taken or
 * counted as dropped, each taken part can be segmented, and an empty queue has all its memory.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "packet/gso.h"
#include "packet/queue.h"

#define ROOM 256 /* around a packet */

static struct sw_queue queue;
static uint64_t memory[SW_QUEUE_MEMORY / 8];
static uint8_t buffer[ROOM + 65535 + ROOM];
static uint8_t *const packet = buffer + ROOM;
static uint64_t now, added, taken;

/* Returns 0 for a super-packet that cannot be segmented.  Writes to `bytes`. */
static uint64_t segments_of(uint8_t *bytes, size_t length, const struct sw_offload *offload) {
  struct sw_gso gso;
  struct sw_segment segment;
  uint64_t count = 0;
  if (offload->gso == SW_GSO_NONE) return 1;
  if (sw_gso_start(&gso, bytes, length, offload) != 0) return 0;
  while (sw_gso_next(&gso, &segment)) count++;
  return count;
}

static void add(const uint8_t *data, size_t size) {
  if (size < 8) return;
  const struct sw_offload offload = offload_of(data);
  const size_t repeat = 1 + data[5]; /* packets larger than the fuzzer tends to make */
  const size_t length = (size - 8) * repeat;
  if (length == 0 || length > 65535) return;
  uint8_t *copy = malloc(length); /* its end is guarded */
  for (size_t i = 0; i < repeat; i++) memcpy(copy + i * (size - 8), data + 8, size - 8);
  if (sw_queue_add(&queue, now, copy, length, &offload) == 0) {
    memcpy(packet, copy, length);
    added += segments_of(packet, length, &offload);
  }
  free(copy);
}

static bool take(size_t most) {
  struct sw_offload offload;
  const size_t length = sw_queue_take(&queue, now, most, packet, &offload);
  if (length == 0) return false;
  const uint64_t count = segments_of(packet, length, &offload);
  if (count == 0) abort();
  taken += count;
  return true;
}

/* Each part of the input begins with what is to be done and how many bytes it takes. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t key[SW_QUEUE_KEY_BYTES];
  sw_queue_init(&queue, (uint8_t *)memory, key);
  now = 1;
  added = taken = 0;
  while (size >= 3) {
    const size_t rest = size - 3, part = data[1] < rest ? data[1] : rest;
    now += UINT64_C(1) << data[2] % 32;
    if (data[0] % 4 > 0)
      add(data + 3, part);
    else
      take(part * part);
    data += 3 + part;
    size -= 3 + part;
  }
  while (take(65535)) now += 1000;
  if (added != taken + queue.dropped) abort();
  if (queue.bytes != 0 || queue.available != SW_QUEUE_BLOCKS) abort();
  return 0;
}
