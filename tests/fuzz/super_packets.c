/*
 * Segments packets with any description that a kernel may give, and coalesces the segments.  No
 * access may leave its buffer, and no byte may be lost.
 */
#include <stdlib.h>
#include <string.h>

#include "offload.h"
#include "packet/gro.h"
#include "packet/gso.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static uint8_t buffer[SW_GRO_BUFFER];
  if (size < 8) return 0;
  const struct sw_offload offload = offload_of(data);
  const size_t repeat = 1 + data[5] % 8; /* packets larger than the fuzzer tends to make */
  data += 8;
  size -= 8;
  size_t length = size * repeat;
  if (length == 0 || length > 65535) return 0;
  uint8_t *packet = malloc(length);
  for (size_t i = 0; i < repeat; i++) memcpy(packet + i * size, data, size);
  struct sw_gso gso;
  struct sw_segment segment;
  struct sw_gro gro;
  struct sw_gro_packet merged;
  size_t segmented = 0, coalesced = 0;
  sw_gro_start(&gro, buffer, data[0] & 1);
  if (sw_gso_start(&gso, packet, length, &offload) == 0) {
    while (sw_gso_next(&gso, &segment)) {
      const bool whole = offload.gso == SW_GSO_NONE;
      struct sw_view view;
      if (!sw_view_parse(&view, segment.packet, segment.length)) abort();
      if (segment.partial && !sw_view_may_be_partial(&view)) abort();
      segmented += whole ? segment.length : segment.length - gso.header;
      uint8_t *room = sw_gro_room(&gro);
      memcpy(room, segment.packet, segment.length);
      while (sw_gro_add(&gro, room, &view, segment.partial))
        if (sw_gro_take(&gro, &merged)) coalesced += merged.length;
    }
    while (sw_gro_take(&gro, &merged)) coalesced += merged.length;
    if (coalesced < segmented) abort();
  }
  free(packet);
  return 0;
}
