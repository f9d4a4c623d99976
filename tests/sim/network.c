#include "network.h"

#include <assert.h>
#include <stdlib.h>

#define JUNK_MAX 1500

struct sw_address network_address(struct dice *dice) {
  struct sw_address address = {.port = (uint32_t)dice_between(dice, 1, 65535)};
  const uint8_t last = (uint8_t)dice_between(dice, 1, 254);
  if (dice_chance(dice, 500))
    memcpy(address.ip, (uint8_t[]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, last},
           SW_IP_BYTES);
  else
    memcpy(address.ip, (uint8_t[]){0x20, 1, 0xd, 0xb8, [15] = last}, SW_IP_BYTES);
  return address;
}

void network_start(struct network *network, struct dice *dice, struct wiretap *tap) {
  *network = (struct network){.dice = dice, .tap = tap};
  for (unsigned side = 0; side < 2; side++) {
    network->address[side] = network_address(dice);
    network->paths[side] = (struct path){.delay = 20 * SW_MILLISECOND, .mtu = NETWORK_MTU};
    network->second_paths[side] = network->paths[side];
    network_renumber(network, side);
  }
}

void network_renumber(struct network *network, unsigned side) {
  for (unsigned i = 0; i < 2; i++)
    memcpy(network->local[side][i], network_address(network->dice).ip, SW_IP_BYTES);
}

static bool is_second(const struct network *network, unsigned side, const struct sw_address *of) {
  return network->second[side].port && sw_address_equal(of, &network->second[side]);
}

const struct sw_address *network_source(const struct network *network, unsigned side,
                                        const struct sw_path *path) {
  const bool has_second = network->second[side].port != 0;
  if (memcmp(path->local, network->local[side][0], SW_IP_BYTES) == 0)
    return &network->address[side];
  if (has_second && (is_second(network, !side, &path->peer) ||
                     memcmp(path->local, network->local[side][1], SW_IP_BYTES) == 0))
    return &network->second[side];
  return &network->address[side];
}

const uint8_t *network_local(const struct network *network, unsigned side,
                             const struct sw_address *to) {
  if (sw_address_equal(to, &network->address[side])) return network->local[side][0];
  return is_second(network, side, to) ? network->local[side][1] : NULL;
}

static const struct path *path_of(const struct network *network,
                                  const struct recording *recording) {
  const bool second = is_second(network, recording->sender, &recording->from) ||
                      is_second(network, !recording->sender, &recording->to);
  return second ? &network->second_paths[recording->sender] : &network->paths[recording->sender];
}

void network_free(struct network *network) {
  for (size_t i = 0; i < network->count; i++) free(network->flights[i].bytes);
  free(network->flights);
}

/* ---- datagrams in flight ---- */

static bool sooner(const struct flight *a, const struct flight *b) {
  return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void launch(struct network *network, struct flight flight, const uint8_t *bytes) {
  if (network->count == network->capacity) {
    network->capacity = network->capacity ? 2 * network->capacity : 64;
    network->flights = realloc(network->flights, network->capacity * sizeof(*network->flights));
    assert(network->flights);
  }
  flight.order = network->order++;
  flight.bytes = malloc(flight.length); /* exact, so that a sanitizer sees reads past the end */
  assert(flight.bytes || !flight.length);
  if (flight.length) memcpy(flight.bytes, bytes, flight.length);
  size_t i = network->count++;
  for (; i > 0 && sooner(&flight, &network->flights[(i - 1) / 2]); i = (i - 1) / 2)
    network->flights[i] = network->flights[(i - 1) / 2];
  network->flights[i] = flight;
}

uint64_t network_next(const struct network *network) {
  return network->count ? network->flights[0].time : UINT64_MAX;
}

struct flight network_take(struct network *network) {
  assert(network->count > 0);
  struct flight *const flights = network->flights;
  const struct flight taken = flights[0];
  const struct flight last = flights[--network->count];
  size_t i = 0;
  for (;;) {
    size_t child = 2 * i + 1;
    if (child + 1 < network->count && sooner(&flights[child + 1], &flights[child])) child++;
    if (child >= network->count || !sooner(&flights[child], &last)) break;
    flights[i] = flights[child];
    i = child;
  }
  flights[i] = last;
  return taken;
}

/* ---- delivery ---- */

static struct flight copy_of(const struct network *network, uint64_t time, size_t recording) {
  const struct recording *recorded = &network->tap->recordings[recording];
  return (struct flight){.time = time,
                         .from = recorded->from,
                         .to = recorded->to,
                         .length = recorded->length,
                         .recording = recording};
}

void network_replay(struct network *network, uint64_t time, size_t recording, unsigned side,
                    const struct sw_address *from) {
  struct flight flight = copy_of(network, time, recording);
  flight.from = *from;
  flight.to = network->address[side];
  launch(network, flight, network->tap->recordings[recording].bytes);
}

void network_replay_any(struct network *network, uint64_t time) {
  const size_t count = network->tap->count;
  if (!count) return;
  struct dice *dice = network->dice;
  const size_t recent = count < 8 ? count : 8;
  const size_t recording =
      dice_chance(dice, 500) ? count - 1 - dice_below(dice, recent) : dice_below(dice, count);
  const unsigned side = (unsigned)dice_below(dice, 2);
  struct sw_address from = network->tap->recordings[recording].from;
  if (dice_chance(dice, 500))
    from = dice_chance(dice, 300) ? network->address[!side] : network_address(dice);
  network_replay(network, time, recording, side, &from);
}

void network_inject(struct network *network, uint64_t time, const uint8_t *bytes, size_t length,
                    unsigned side, const struct sw_address *from) {
  launch(network,
         (struct flight){.time = time,
                         .from = *from,
                         .to = network->address[side],
                         .length = length,
                         .forged = true},
         bytes);
}

void network_junk(struct network *network, uint64_t time, unsigned side) {
  struct dice *dice = network->dice;
  uint8_t bytes[JUNK_MAX];
  const size_t length = dice_below(dice, dice_chance(dice, 500) ? 100 : JUNK_MAX);
  for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)dice_roll(dice);
  const struct sw_address from =
      dice_chance(dice, 300) ? network->address[!side] : network_address(dice);
  network_inject(network, time, bytes, length, side, &from);
}

/* Delivers one copy, possibly altered. An altered copy counts as forged. */
static void pass_copy(struct network *network, uint64_t time, size_t index) {
  const struct recording *recording = &network->tap->recordings[index];
  const struct path *path = path_of(network, recording);
  struct dice *dice = network->dice;
  struct flight flight = copy_of(network, time, index);
  uint8_t bytes[SW_CONTROL_MAX];
  assert(flight.length <= sizeof(bytes));
  memcpy(bytes, recording->bytes, flight.length);
  if (dice_chance(dice, path->corrupt)) {
    flight.forged = true;
    bytes[dice_below(dice, flight.length)] ^= (uint8_t)dice_between(dice, 1, 255);
  }
  if (dice_chance(dice, path->truncate)) {
    flight.forged = true;
    flight.length = dice_below(dice, flight.length);
  }
  launch(network, flight, bytes);
}

static void hijack(struct network *network, uint64_t now, size_t index) {
  const struct recording *recording = &network->tap->recordings[index];
  const struct path *path = path_of(network, recording);
  struct dice *dice = network->dice;
  const unsigned victim = !recording->sender;
  if (recording->kind == DATAGRAM_RESPONSE &&
      sw_address_equal(&recording->to, &network->attacker)) {
    const bool spoofed = dice_chance(dice, 500);
    network_replay(network, now, index, victim,
                   spoofed ? &network->address[recording->sender] : &network->attacker);
  } else if (recording->kind == DATAGRAM_INIT && dice_chance(dice, network->hijack)) {
    const uint64_t most = 2 * (path->delay + path->jitter);
    network_replay(network, now + dice_below(dice, most + 1), index, victim, &network->attacker);
  }
}

/* Copies and relays datagrams of all kinds, from any address. */
static void relay(struct network *network, uint64_t now, size_t index) {
  const struct recording *recording = &network->tap->recordings[index];
  const struct path *path = path_of(network, recording);
  struct dice *dice = network->dice;
  const bool received = sw_address_equal(&recording->to, &network->attacker);
  if (!network->relay || (!received && !dice_chance(dice, network->relay))) return;
  const uint64_t most = network->fast ? path->delay : 2 * (path->delay + path->jitter) + 1;
  const uint64_t at = now + (most ? dice_below(dice, most) : 0);
  const unsigned victim = !recording->sender;
  struct sw_address from = network->attacker;
  if (dice_chance(dice, received ? 500 : 100)) from = network->address[recording->sender];
  if (dice_chance(dice, 30)) from = network_address(dice);
  network_replay(network, at, index, victim, &from);
  if (received && dice_chance(dice, 500))
    network_replay(network, at, index, victim, &network->attacker);
}

void network_pass(struct network *network, uint64_t now, size_t index) {
  const struct recording *recording = &network->tap->recordings[index];
  const struct path *path = path_of(network, recording);
  struct dice *dice = network->dice;
  if (network->intercept && !network->intercept(network->context, index)) return;
  hijack(network, now, index);
  relay(network, now, index);
  const uint64_t soon = now + dice_below(dice, path->delay + path->jitter + 1);
  if (dice_chance(dice, path->replay)) network_replay_any(network, soon);
  if (dice_chance(dice, path->reflect))
    network_replay(network, soon, index, recording->sender, &recording->to);
  if (path->blackout || (path->mtu && recording->whole && recording->length > path->mtu)) return;
  if (dice_chance(dice, path->loss)) return;
  const unsigned copies = dice_chance(dice, path->duplicate) ? 2 : 1;
  for (unsigned i = 0; i < copies; i++)
    pass_copy(network, now + path->delay + dice_below(dice, path->jitter + 1), index);
}
