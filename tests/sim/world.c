#include "world.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "states.h"
#include "verdict.h"

/* Datagrams that a link may transmit at once: replies, an init, a session's probe, a probe of each
 * path, and a close for each session. */
#define TRANSMITS_AT_ONCE (SW_REPLIES + 2 + SW_CANDIDATES + SW_SESSIONS)

#define EVENTS_AT_ONCE 10000

struct world *world_new(uint64_t seed, bool verbose) {
  struct world *world = calloc(1, sizeof(*world));
  assert(world);
  random_seed(seed);
  world->seed = seed;
  world->verbose = verbose;
  world->now = SW_SECOND;
  world->packet_most = TRAFFIC_PACKET_MAX;
  world->dice.state = seed;
  wiretap_start(&world->tap);
  network_start(&world->network, &world->dice, &world->tap);
  for (unsigned side = 0; side < 2; side++) {
    struct host *host = &world->hosts[side];
    host->side = side;
    host->key_count = 1;
    host->persistent_keepalive = 25 * SW_SECOND;
    host->endpoints[0] = world->network.address[!side];
    host->endpoint_count = 1;
    traffic_start(&world->traffic[side], side, seed);
  }
  verdict_clock(&world->now);
  return world;
}

void world_free(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    if (world->hosts[side].link) host_kill(&world->hosts[side]);
    traffic_free(&world->traffic[side]);
  }
  network_free(&world->network);
  wiretap_free(&world->tap);
  verdict_clock(NULL);
  free(world);
}

void world_log(const struct world *world, const char *format, ...) {
  if (!world->verbose) return;
  printf("%6" PRIu64 ".%06" PRIu64 "  ", world->now / SW_SECOND, world->now % SW_SECOND / 1000);
  va_list arguments;
  va_start(arguments, format);
  vprintf(format, arguments);
  va_end(arguments);
  printf("\n");
}

/* ---- sending ---- */

static const struct recording *emit(struct world *world, const struct host *host,
                                    const uint8_t *datagram, size_t length, unsigned key,
                                    const struct sw_path *path, bool whole) {
  const struct sw_address *to = &path->peer;
  expect(to->port != 0, "a datagram has a destination");
  const struct recording what = {
      .sender = host->side,
      .key = key,
      .whole = whole || !sw_link_may_fragment(host->link),
      .from = *network_source(&world->network, host->side, path),
      .to = *to,
      .life = {world->hosts[0].life, world->hosts[1].life},
      .clock = {world->hosts[0].latest, world->hosts[1].latest},
  };
  const size_t number = wiretap_record(&world->tap, world->now, &what, datagram, length);
  const struct recording *recording = &world->tap.recordings[number];
  char text[SW_ADDRESS_TEXT];
  world_log(world, "%c sends %s #%zu, %zu bytes, to %s", host_name(host),
            datagram_name(recording->kind), number, length, sw_address_text(to, text));
  network_pass(&world->network, world->now, number);
  return &world->tap.recordings[number];
}

/* The bytes that an unknown address may still get from a side. */
static struct budget *budget_of(struct world *world, unsigned side, const struct sw_address *of) {
  for (unsigned i = 0; i < BUDGETS; i++)
    if (sw_address_equal(&world->budgets[side][i].address, of)) return &world->budgets[side][i];
  return NULL;
}

/* A side has taken a datagram from this address. */
static void budget_add(struct world *world, unsigned side, const struct flight *flight) {
  struct budget *budget = budget_of(world, side, &flight->from);
  if (!budget) {
    budget = &world->budgets[side][world->budget_next++ % BUDGETS];
    *budget = (struct budget){.address = flight->from};
  }
  budget->bytes += flight->length;
}

/* `ended`: where the sessions were before it was sent, as a close ends its session. */
static void check_budget(struct world *world, const struct host *host, const struct recording *sent,
                         const struct sw_address ended[SW_SESSIONS]) {
  if (host_knows(host, &sent->to)) return;
  for (unsigned i = 0; i < SW_SESSIONS; i++)
    if (sw_address_equal(&ended[i], &sent->to)) return;
  struct budget *budget = budget_of(world, host->side, &sent->to);
  expect(budget && sent->length <= budget->bytes,
         "no address that is not validated gets more than came from there");
  budget->bytes -= sent->length;
}

/* Fails if the side has sent packets to the attacker for too long. */
static void check_destination(struct world *world, const struct host *host) {
  uint64_t *since = &world->diverted[host->side];
  if (!host_sends_to(host, &world->network.attacker))
    *since = 0;
  else if (!*since)
    *since = world->now;
  expect(!*since || world->now - *since < world->diverted_most,
         "no direction of a link is hijacked");
}

/* Sends all that a link has to transmit.  `provoked`: the datagram that just arrived, or NULL. */
static void drain(struct world *world, struct host *host, const struct flight *provoked) {
  unsigned count = 0;
  for (;;) {
    uint8_t datagram[SW_CONTROL_MAX];
    struct sw_path path;
    bool whole;
    unsigned key;
    struct sw_address sessions[SW_SESSIONS];
    for (unsigned i = 0; i < SW_SESSIONS; i++) sessions[i] = host->link->sessions.rows[i].path.peer;
    const size_t length = host_transmit(host, world->now, datagram, &path, &whole, &key);
    if (!length) break;
    if (++count > TRANSMITS_AT_ONCE) verdict_fail("%c does not stop transmitting", host_name(host));
    const struct recording *recording = emit(world, host, datagram, length, key, &path, whole);
    expect(!provoked || !provoked->forged, "a forged datagram is not answered");
    check_budget(world, host, recording, sessions);
  }
  host_check(host);
  check_destination(world, host);
  states_see(world->hosts);
}

bool world_send(struct world *world, unsigned side) {
  struct host *host = &world->hosts[side];
  struct traffic *traffic = &world->traffic[side];
  uint8_t packet[TRAFFIC_PACKET_MAX];
  if (!host->link) return false;
  const size_t length = traffic_make(traffic, &world->dice, world->now, packet);
  /* the kernel refuses what is longer than the interface's MTU */
  struct traffic_packet *made = &traffic->packets[traffic->count - 1];
  const uint32_t mtu = host->mtu ? host->mtu : sw_link_status(host->link)->path_mtu;
  made->too_long = length > mtu || length > world->packet_most;
  if (made->too_long) return false;
  /* the datagram ends where the buffer does, so that a sanitizer sees writes past it */
  uint8_t datagram[TRAFFIC_PACKET_MAX + SW_OVERHEAD];
  uint8_t *const start = datagram + sizeof(datagram) - length - SW_OVERHEAD;
  const bool due = sw_link_deadline(host->link) <= host_time(host, world->now);
  const bool up = host_state(host) == SW_LINK_UP &&
                  host->link->sessions.current->counter < SW_REJECT_AFTER_COUNTER;
  unsigned key;
  const int64_t sent =
      host_send(host, world->now, packet, length, dice_chance(&world->dice, 500), start, &key);
  if (up && !due) expect(sent > 0, "a link that is up accepts packets");
  if (sent < 0) return false;
  made->accepted = true;
  emit(world, host, start, (size_t)sent, key, sw_link_path(host->link), false);
  return true;
}

/* ---- receiving ---- */

/* Returns whether the host must drop this datagram, unaltered as its sender made it. */
static bool must_drop(const struct world *world, const struct host *host,
                      const struct recording *recording) {
  if (!host_has(host, recording->key)) return true;
  const bool own = recording->sender == host->side;
  /* An init of an earlier process may be answered each time it arrives: only the first datagram of
   * its session shows that it is no replay. */
  if (recording->kind == DATAGRAM_INIT) return own && recording->life[host->side] == host->life;
  return own || recording->life[host->side] != host->life ||
         recording->handed[host->side] == host->life ||
         host_time(host, world->now) - recording->clock[host->side] >= SW_REJECT_AFTER;
}

static void receive(struct world *world, struct host *host, const struct flight *flight) {
  struct recording *recording = flight->forged ? NULL : &world->tap.recordings[flight->recording];
  /* A loop may look at its socket before its timers, or after them. */
  bool due = sw_link_deadline(host->link) <= host_time(host, world->now);
  if (due && dice_chance(&world->dice, 500)) {
    drain(world, host, NULL);
    due = false;
  }
  const bool drop = !recording || must_drop(world, host, recording);

  uint8_t *packet = malloc(flight->length);
  size_t packet_length = 0;
  enum sw_drop reason = SW_DROP_COUNT;
  const enum host_opens by = (enum host_opens)dice_below(&world->dice, HOST_OPENS_COUNT);
  struct sw_path path = {.peer = flight->from};
  memcpy(path.local, network_local(&world->network, host->side, &flight->to), SW_IP_BYTES);
  const enum sw_received received =
      host_receive(host, world->now, &path, flight->bytes, flight->length, by, drop, &reason,
                   packet, &packet_length);
  const char *what = recording ? datagram_name(recording->kind) : "forged datagram";
  if (received == SW_RECEIVED_DROPPED)
    world_log(world, "%c drops %s #%zu (%s)", host_name(host), what, flight->recording,
              sw_drop_name(reason));
  else
    world_log(world, "%c receives %s #%zu", host_name(host), what, flight->recording);
  /* the first datagram of a session has no effect from the wrong address */
  if (recording && reason != SW_DROP_PATH) recording->handed[host->side] = host->life;
  const bool authentic =
      received != SW_RECEIVED_DROPPED || reason == SW_DROP_SOURCE || reason == SW_DROP_NOT_IP;
  if (authentic) budget_add(world, host->side, flight);
  if (received == SW_RECEIVED_PACKET)
    traffic_deliver(&world->traffic[!host->side], packet, packet_length);
  free(packet);
  drain(world, host, due ? NULL : flight);
}

static void arrive(struct world *world) {
  struct flight flight = network_take(&world->network);
  struct host *host = NULL;
  for (unsigned side = 0; side < 2; side++)
    if (network_local(&world->network, side, &flight.to)) host = &world->hosts[side];
  if (host && host->link) {
    receive(world, host, &flight);
  } else if (host && world->refusals && !flight.forged &&
             sw_address_equal(&flight.from, &world->network.address[!host->side])) {
    world_refuse(world, !host->side, &flight.to);
  }
  free(flight.bytes);
}

/* ---- time ---- */

static uint64_t next_wake(const struct world *world, unsigned side) {
  return host_wake(&world->hosts[side], world->now);
}

bool world_step(struct world *world, uint64_t until) {
  uint64_t next = network_next(&world->network);
  for (unsigned side = 0; side < 2; side++) {
    const uint64_t wake = next_wake(world, side);
    if (wake < next) next = wake;
    const struct traffic *traffic = &world->traffic[side];
    if (traffic->interval && traffic->next < next) next = traffic->next;
  }
  if (next > until) {
    world->now = until;
    return false;
  }
  world->idle_events = next > world->now ? 0 : world->idle_events + 1;
  if (world->idle_events > EVENTS_AT_ONCE) verdict_fail("time does not advance");
  if (next > world->now) world->now = next;
  if (network_next(&world->network) <= world->now) {
    arrive(world);
    return true;
  }
  for (unsigned side = 0; side < 2; side++) {
    struct traffic *traffic = &world->traffic[side];
    if (traffic->interval && traffic->next <= world->now) {
      traffic->next = world->now + 1 + dice_below(&world->dice, 2 * traffic->interval);
      world_send(world, side);
      return true;
    }
    if (next_wake(world, side) <= world->now) {
      drain(world, &world->hosts[side], NULL);
      return true;
    }
  }
  return true;
}

void world_run(struct world *world, uint64_t duration) {
  const uint64_t until = world->now + duration;
  while (world_step(world, until)) continue;
}

/* ---- what happens ---- */

void world_start(struct world *world, unsigned side) {
  world_log(world, "%c starts", host_name(&world->hosts[side]));
  host_start(&world->hosts[side], world->now);
  drain(world, &world->hosts[side], NULL);
}

void world_kill(struct world *world, unsigned side) {
  world_log(world, "%c is killed", host_name(&world->hosts[side]));
  host_kill(&world->hosts[side]);
}

void world_close(struct world *world, unsigned side) {
  struct host *host = &world->hosts[side];
  world_log(world, "%c closes", host_name(host));
  host_close(host, world->now);
  drain(world, host, NULL);
  expect(host_state(host) == SW_LINK_CLOSED, "a link is closed after sw_link_close");
  expect(!world_send(world, side), "a closed link accepts no packets");
}

void world_traffic(struct world *world, unsigned side, uint64_t interval) {
  world->traffic[side].interval = interval;
  world->traffic[side].next = world->now + dice_below(&world->dice, interval + 1);
}

void world_second(struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    struct host *host = &world->hosts[!side];
    world->network.second[side] = network_address(&world->dice);
    if (host->endpoint_count) host->endpoints[host->endpoint_count++] = world->network.second[side];
  }
}

void world_rebind(struct world *world, unsigned side, bool renumber) {
  world->network.address[side] = network_address(&world->dice);
  if (renumber) network_renumber(&world->network, side);
  char text[SW_ADDRESS_TEXT];
  world_log(world, "%c is at %s now", host_name(&world->hosts[side]),
            sw_address_text(&world->network.address[side], text));
}

void world_keys(struct world *world, unsigned side, const unsigned *numbers, unsigned count) {
  assert(count >= 1 && count <= SW_PSKS_MAX);
  struct host *host = &world->hosts[side];
  for (unsigned i = 0; i < count; i++) host->keys[i] = numbers[i];
  host->key_count = count;
  world_log(world, "%c has key %u%s", host_name(host), numbers[0],
            count > 1 ? ", and another" : "");
  if (!host->link) return;
  host_keys_set(host, world->now);
  drain(world, host, NULL);
}

void world_resolve(struct world *world, unsigned side, size_t count) {
  assert(count >= 1 && count <= HOST_ENDPOINTS);
  struct host *host = &world->hosts[side];
  for (size_t i = 0; i < count; i++) host->endpoints[i] = network_address(&world->dice);
  host->endpoints[dice_below(&world->dice, count)] = world->network.address[!side];
  host->endpoint_count = count;
  if (!host->link) return;
  host_endpoints_set(host, world->now);
  drain(world, host, NULL);
}

void world_refuse(struct world *world, unsigned side, const struct sw_address *peer) {
  struct host *host = &world->hosts[side];
  if (!host->link) return;
  world_log(world, "%c gets an ICMP error", host_name(host));
  host_refused(host, world->now, peer);
  drain(world, host, NULL);
}

/* ---- what is true ---- */

bool world_agrees(const struct world *world) {
  for (unsigned side = 0; side < 2; side++) {
    const struct host *host = &world->hosts[side], *peer = &world->hosts[!side];
    if (!host->link || !peer->link || host_state(host) != SW_LINK_UP || !host_reaches(host, peer) ||
        !network_local(&world->network, !side, &sw_link_path(host->link)->peer))
      return false;
  }
  return true;
}

size_t world_count(const struct world *world, unsigned side, enum datagram_kind kind,
                   size_t since) {
  size_t count = 0;
  for (size_t i = since; i < world->tap.count; i++)
    count += world->tap.recordings[i].sender == side && world->tap.recordings[i].kind == kind;
  return count;
}
