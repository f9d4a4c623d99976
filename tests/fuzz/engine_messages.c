/*
 * Messages of an engine that an attacker controls. The parent rejects them, or everything that it
 * reports of them is printable and the JSON is valid.
 */
#include <assert.h>
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "channel/channel.h"
#include "parent/report.h"
#include "parent/status_json.h"

static void check_text(const char *text, size_t room) {
  const size_t length = strnlen(text, room);
  assert(length < room);
  for (size_t i = 0; i < length; i++) assert(isprint((unsigned char)text[i]));
}

static void check_report(const struct sw_facts *facts, const struct sw_report *before) {
  const struct sw_report report = sw_report_make(facts, before);
  assert(report.condition <= SW_CONDITION_VERSION);
  check_text(report.text, sizeof(report.text));
  char *line = sw_status_json(facts, &report, &(struct sw_running){.started = 1});
  assert(line);
  check_text(line, SIZE_MAX);
  json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
  assert(json_is_string(json_object_get(json, "state")));
  assert(json_is_string(json_object_get(json, "condition")));
  assert(json_is_string(json_object_get(json, "fingerprint")));
  json_decref(json);
  free(line);
}

/* What the engine copies out of an order is in its arrays. */
static void check_order(const struct sw_channel_message *order) {
  static struct sw_prefix sources[SW_SOURCES_MAX];
  assert(order->kind < SW_CHANNEL_STARTED);
  if (order->kind == SW_CHANNEL_KEYS) assert(order->keys.count - 1 < SW_PSKS_MAX);
  if (order->kind == SW_CHANNEL_ENDPOINTS) assert(order->endpoints.count <= SW_ENDPOINTS_MAX);
  if (order->kind == SW_CHANNEL_SOURCES)
    memcpy(sources + order->sources.first, order->sources.ranges,
           order->sources.count * sizeof(sources[0]));
  if (order->kind == SW_CHANNEL_SETTINGS)
    assert(order->settings.source_count <= SW_SOURCES_MAX &&
           order->settings.own_count <= SW_CHANNEL_OWN_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct sw_config config = {.name = "sw0",
                                    .endpoints = {{.host = "b.example.net", .port = 51900}}};
  static struct sw_channel_message message;
  static int ends[2] = {-1, -1};
  if (ends[0] < 0 && sw_channel_open(ends) < 0) abort();
  if (size < 9) return 0;
  const unsigned how = data[0];
  struct sw_facts facts = {.config = &config, .unresolved = how & 1 ? "no such name" : ""};
  config.endpoint_count = how >> 1 & 1;
  memcpy(&facts.now, data + 1, sizeof(facts.now));
  data += 9;
  size -= 9;
  /* a message of the right size, padded with zeros; or one of the input's length */
  uint8_t bytes[sizeof(message) + 8] = {0};
  if (size > sizeof(bytes)) size = sizeof(bytes);
  memcpy(bytes, data, size);
  const size_t length = how & 0x80 ? size : sizeof(message);
  if (length == 0 || send(ends[1], bytes, length, 0) != (ssize_t)length) return 0;
  const int kind = sw_channel_receive(ends[0], &message);
  assert((kind > 0) ==
         (length == sizeof(message) && bytes[1] == 0 && bytes[2] == 0 && bytes[3] == 0 &&
          bytes[0] >= SW_CHANNEL_ENDPOINTS && bytes[0] <= SW_CHANNEL_FAILED));
  if (kind > 0 && sw_channel_from_parent(&message)) check_order(&message);
  if (kind <= 0 || !sw_channel_from_engine(&message)) return 0;
  assert(message.kind >= SW_CHANNEL_STARTED);
  if (message.kind == SW_CHANNEL_FAILED) check_text(message.text, sizeof(message.text));
  if (message.kind != SW_CHANNEL_SNAPSHOT) return 0;
  facts.link = &message.snapshot.link;
  facts.queue = &message.snapshot.queue;
  check_report(&facts, &(struct sw_report){.condition = (how >> 2) % (SW_CONDITION_VERSION + 1)});
  return 0;
}
