#include "traffic.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

#define V4_HEADER 20
#define V6_HEADER 40
#define NUMBER_BYTES 8

void traffic_start(struct traffic *traffic, unsigned side, uint64_t seed) {
  *traffic = (struct traffic){.side = side, .seed = seed};
}

void traffic_free(struct traffic *traffic) {
  free(traffic->packets);
}

/* 10.1.0.0/16 and fd01::/16 are behind side 0, 10.2.0.0/16 and fd02::/16 behind side 1. */
static uint8_t network_number(unsigned side) {
  return (uint8_t)(side + 1);
}

void traffic_networks(unsigned side, struct sw_prefix networks[TRAFFIC_NETWORKS]) {
  networks[0] = (struct sw_prefix){
      .ip = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = network_number(side)}, .length = 96 + 16};
  networks[1] = (struct sw_prefix){.ip = {0xfd, network_number(side)}, .length = 16};
}

/* Writes packet `number`. The bytes depend on nothing but its number, its flavour and the run's
 * seed. */
static size_t compose(const struct traffic *traffic, uint64_t number, enum traffic_flavour flavour,
                      uint8_t packet[TRAFFIC_PACKET_MAX]) {
  struct dice dice = {traffic->seed ^ number << 1 ^ traffic->side};
  const bool v6 = flavour != TRAFFIC_NOT_IP && dice_chance(&dice, 300);
  const size_t header = v6 ? V6_HEADER : V4_HEADER;
  const size_t most = dice_chance(&dice, 50) ? TRAFFIC_PACKET_MAX - header : 200;
  const size_t payload = dice_between(&dice, NUMBER_BYTES, most);
  const size_t length = header + payload;
  for (size_t i = 0; i < length; i += sizeof(uint64_t)) {
    const uint64_t drawn = dice_roll(&dice);
    const size_t rest = length - i;
    memcpy(packet + i, &drawn, rest < sizeof(drawn) ? rest : sizeof(drawn));
  }

  uint8_t source = network_number(traffic->side);
  if (flavour == TRAFFIC_FOREIGN) source = 99;
  if (flavour == TRAFFIC_OWN) source = network_number(!traffic->side);
  const size_t told = flavour == TRAFFIC_NOT_IP ? length + 1 : length;
  if (v6) {
    packet[0] = 6 << 4;
    packet[4] = (uint8_t)(payload >> 8);
    packet[5] = (uint8_t)payload;
    memcpy(packet + 8, (const uint8_t[]){0xfd, source}, 2);
    memcpy(packet + 24, (const uint8_t[]){0xfd, network_number(!traffic->side)}, 2);
  } else {
    packet[0] = 4 << 4 | V4_HEADER / 4;
    packet[2] = (uint8_t)(told >> 8);
    packet[3] = (uint8_t)told;
    memcpy(packet + 12, (const uint8_t[]){10, source}, 2);
    memcpy(packet + 16, (const uint8_t[]){10, network_number(!traffic->side)}, 2);
  }
  const uint64_t wire_number = htole64(number);
  memcpy(packet + header, &wire_number, NUMBER_BYTES);
  return length;
}

size_t traffic_make(struct traffic *traffic, struct dice *dice, uint64_t now,
                    uint8_t packet[TRAFFIC_PACKET_MAX]) {
  if (traffic->count == traffic->capacity) {
    traffic->capacity = traffic->capacity ? 2 * traffic->capacity : 1024;
    traffic->packets = realloc(traffic->packets, traffic->capacity * sizeof(*traffic->packets));
    assert(traffic->packets);
  }
  enum traffic_flavour flavour = TRAFFIC_FAIR;
  if (dice_chance(dice, traffic->bad))
    flavour = (enum traffic_flavour)dice_between(dice, TRAFFIC_FOREIGN, TRAFFIC_NOT_IP);
  traffic->packets[traffic->count] = (struct traffic_packet){.time = now, .flavour = flavour};
  return compose(traffic, traffic->count++, flavour, packet);
}

uint64_t traffic_deliver(struct traffic *traffic, const uint8_t *packet, size_t length) {
  const size_t header = length && packet[0] >> 4 == 6 ? V6_HEADER : V4_HEADER;
  uint64_t number = UINT64_MAX;
  if (length >= header + NUMBER_BYTES) {
    memcpy(&number, packet + header, NUMBER_BYTES);
    number = le64toh(number);
  }
  if (number >= traffic->count) verdict_fail("a packet was delivered that was not sent");

  struct traffic_packet *sent = &traffic->packets[number];
  uint8_t expected[TRAFFIC_PACKET_MAX];
  if (compose(traffic, number, sent->flavour, expected) != length ||
      memcmp(expected, packet, length) != 0)
    verdict_fail("packet %" PRIu64 " was delivered altered", number);
  if (sent->flavour != TRAFFIC_FAIR)
    verdict_fail("packet %" PRIu64 " was delivered in spite of its source or length", number);
  if (!sent->accepted) verdict_fail("packet %" PRIu64 " was refused and delivered", number);
  if (sent->delivered) verdict_fail("packet %" PRIu64 " was delivered twice", number);
  sent->delivered = true;
  return number;
}

uint64_t traffic_lost(const struct traffic *traffic, uint64_t since) {
  uint64_t lost = 0;
  for (uint64_t i = traffic->count; i-- > 0 && traffic->packets[i].time >= since;)
    lost += traffic->packets[i].flavour == TRAFFIC_FAIR && !traffic->packets[i].too_long &&
            !traffic->packets[i].delivered;
  return lost;
}
