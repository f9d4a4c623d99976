/*
 * The messages of `saltway test`.  One that is accepted has numbers within the bounds of the header, and
 * is the same when written again.
 */
#include <assert.h>
#include <string.h>

#include "cli/test_message.h"

/* Bytes that are missing are zero. */
static const uint8_t *padded(const uint8_t *data, size_t size, uint8_t bytes[SW_TEST_RESULT]) {
  memset(bytes, 0, SW_TEST_RESULT);
  if (size > 0) memcpy(bytes, data, size < SW_TEST_RESULT ? size : SW_TEST_RESULT);
  return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t bytes[SW_TEST_RESULT], again[SW_TEST_RESULT];
  struct sw_test_request request;
  struct sw_test_probe probe;
  struct sw_test_side side;
  padded(data, size, bytes);
  if (sw_test_request_parse(&request, bytes)) {
    assert(request.kind < SW_TEST_KINDS);
    assert(request.seconds >= 1 && request.seconds <= SW_TEST_SECONDS_MAX);
    sw_test_request_write(&request, again);
    assert(memcmp(bytes, again, SW_TEST_REQUEST) == 0);
  }
  if (sw_test_probe_parse(&probe, bytes)) {
    assert(probe.sequence < SW_TEST_PROBES_MAX);
    sw_test_probe_write(&probe, again);
    assert(memcmp(bytes, again, SW_TEST_PROBE) == 0);
  }
  if (sw_test_side_parse(&side, bytes)) {
    assert(side.probes <= SW_TEST_PROBES_MAX && side.window <= 1000);
    sw_test_side_write(&side, again);
    assert(memcmp(bytes, again, SW_TEST_RESULT) == 0);
  }
  return 0;
}
