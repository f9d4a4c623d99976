#include "cli/test_message.h"

#include <string.h>

#include "packet/packet.h"

/* The first bytes of each message. */
#define REQUEST UINT32_C(0x73775431) /* "swT1" */
#define PROBE UINT32_C(0x73775450)   /* "swTP" */
#define ANSWER UINT32_C(0x73775441)  /* "swTA" */
#define RESULT UINT32_C(0x73775452)  /* "swTR" */

/* Bounds of a result: more than any machine has or does. */
#define BYTES_MAX (UINT64_C(1) << 50)
#define TIME_MAX ((SW_TEST_SECONDS_MAX + SW_TEST_GRACE_S) * SW_TEST_NS)
#define BANDWIDTH_MAX (UINT64_C(1) << 50)
#define CORES_MAX 4096

static void put64(uint8_t *bytes, uint64_t value) {
  sw_put32(bytes, (uint32_t)(value >> 32));
  sw_put32(bytes + 4, (uint32_t)value);
}

static uint64_t get64(const uint8_t *bytes) {
  return (uint64_t)sw_get32(bytes) << 32 | sw_get32(bytes + 4);
}

static bool are_zero(const uint8_t *bytes, size_t count) {
  while (count > 0 && bytes[count - 1] == 0) count--;
  return count == 0;
}

void sw_test_request_write(const struct sw_test_request *request, uint8_t bytes[SW_TEST_REQUEST]) {
  memset(bytes, 0, SW_TEST_REQUEST);
  sw_put32(bytes, REQUEST);
  bytes[4] = (uint8_t)request->kind;
  bytes[5] = request->last;
  sw_put16(bytes + 6, request->seconds);
  memcpy(bytes + 8, request->token, SW_TEST_TOKEN);
}

bool sw_test_request_parse(struct sw_test_request *request, const uint8_t bytes[SW_TEST_REQUEST]) {
  if (sw_get32(bytes) != REQUEST || bytes[4] >= SW_TEST_KINDS || bytes[5] > 1 ||
      !are_zero(bytes + 24, SW_TEST_REQUEST - 24))
    return false;
  *request = (struct sw_test_request){
      .kind = bytes[4], .last = bytes[5] == 1, .seconds = sw_get16(bytes + 6)};
  memcpy(request->token, bytes + 8, SW_TEST_TOKEN);
  return request->seconds >= 1 && request->seconds <= SW_TEST_SECONDS_MAX;
}

void sw_test_probe_write(const struct sw_test_probe *probe, uint8_t bytes[SW_TEST_PROBE]) {
  memset(bytes, 0, SW_TEST_PROBE);
  sw_put32(bytes, probe->answer ? ANSWER : PROBE);
  sw_put32(bytes + 4, probe->sequence);
  memcpy(bytes + 8, probe->token, SW_TEST_TOKEN);
}

bool sw_test_probe_parse(struct sw_test_probe *probe, const uint8_t bytes[SW_TEST_PROBE]) {
  const bool answer = sw_get32(bytes) == ANSWER;
  if ((!answer && sw_get32(bytes) != PROBE) || !are_zero(bytes + 24, SW_TEST_PROBE - 24))
    return false;
  *probe = (struct sw_test_probe){.answer = answer, .sequence = sw_get32(bytes + 4)};
  memcpy(probe->token, bytes + 8, SW_TEST_TOKEN);
  return probe->sequence < SW_TEST_PROBES_MAX;
}

void sw_test_side_write(const struct sw_test_side *side, uint8_t bytes[SW_TEST_RESULT]) {
  memset(bytes, 0, SW_TEST_RESULT);
  sw_put32(bytes, RESULT);
  put64(bytes + 4, side->bytes);
  put64(bytes + 12, side->time);
  put64(bytes + 20, side->bandwidth);
  sw_put32(bytes + 28, side->probes);
  sw_put32(bytes + 32, side->retransmits);
  sw_put32(bytes + 36, side->engine);
  sw_put32(bytes + 40, side->machine);
  sw_put32(bytes + 44, side->window);
}

static bool is_share(uint32_t thousandths, uint32_t cores) {
  return thousandths <= 1000 * cores || thousandths == SW_TEST_UNKNOWN;
}

bool sw_test_side_parse(struct sw_test_side *side, const uint8_t bytes[SW_TEST_RESULT]) {
  if (sw_get32(bytes) != RESULT || !are_zero(bytes + 48, SW_TEST_RESULT - 48)) return false;
  *side = (struct sw_test_side){.bytes = get64(bytes + 4),
                                .time = get64(bytes + 12),
                                .bandwidth = get64(bytes + 20),
                                .probes = sw_get32(bytes + 28),
                                .retransmits = sw_get32(bytes + 32),
                                .engine = sw_get32(bytes + 36),
                                .machine = sw_get32(bytes + 40),
                                .window = sw_get32(bytes + 44)};
  return side->bytes <= BYTES_MAX && side->time <= TIME_MAX && side->bandwidth <= BANDWIDTH_MAX &&
         side->probes <= SW_TEST_PROBES_MAX && is_share(side->engine, CORES_MAX) &&
         is_share(side->machine, 1) && side->window <= 1000;
}
