/* The first bytes of an input as the kernel's description of a packet. */
#ifndef SALTWAY_FUZZ_OFFLOAD_H
#define SALTWAY_FUZZ_OFFLOAD_H

#include "saltway/offload.h"

#define OFFLOAD_BYTES 5

static inline struct sw_offload offload_of(const uint8_t data[OFFLOAD_BYTES]) {
  return (struct sw_offload){.gso = data[0] % 4,
                             .ecn = data[0] & 16,
                             .partial = data[0] & 32,
                             .size = (uint16_t)(data[1] | data[2] << 8),
                             .csum_start = data[3] * 2U,
                             .csum_offset = data[4] % 32};
}

#endif
