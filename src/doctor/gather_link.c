/* What the configuration, the running link and the other links say. */
#include "doctor/gather.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/runtime.h"
#include "base/stack.h"
#include "config/endpoint.h"
#include "config/regular_file.h"

#define PATIENCE_NS (15 * SW_SECOND) /* more than a round of tries (parent/outcome.h) */
#define AGAIN_MS 200

/* ---- the configuration ---- */

/* Loads it without its key, and wipes that.  Returns as sw_config_load. */
static int load(struct sw_config *config, FILE *complaints, char *fingerprints) {
  struct sw_psks psks;
  const int mistakes = sw_config_load(config, &psks, complaints);
  if (mistakes == 0 && fingerprints) sw_psks_fingerprints(&psks, fingerprints);
  sodium_memzero(&psks, sizeof(psks));
  sw_stack_wipe();
  return mistakes;
}

void sw_doctor_config(struct sw_doctor_facts *facts) {
  FILE *complaints = fmemopen(facts->complaints, sizeof(facts->complaints), "w");
  if (!complaints) return;
  facts->absent = access(facts->config.file, F_OK) < 0 && errno == ENOENT;
  facts->loaded = load(&facts->config, complaints, facts->fingerprints) == 0;
  (void)fclose(complaints); /* what does not fit is left out */
  facts->complaints[sizeof(facts->complaints) - 1] = '\0';
}

/* ---- the running link ---- */

static const char *string_of(const json_t *link, const char *key) {
  const char *text = json_string_value(json_object_get(link, key));
  return text ? text : "";
}

static uint64_t integer_of(const json_t *link, const char *key) {
  const json_int_t value = json_integer_value(json_object_get(link, key));
  return value > 0 ? (uint64_t)value : 0;
}

/* The caller owns the result; NULL: no answer, with the reason in `failed`. */
static json_t *ask(const char *name, int *failed) {
  struct sw_error error;
  char *answer;
  size_t length;
  *failed = sw_runtime_ask_status(name, &answer, &length, &error);
  if (*failed) return NULL;
  json_t *link = json_loadb(answer, length, 0, NULL);
  free(answer);
  return link;
}

static bool parse_address(const char *text, struct sw_address *address) {
  struct sw_config_endpoint endpoint;
  struct sw_names_answer answer;
  struct sw_error error;
  if (sw_config_endpoint_parse(text, &endpoint, &error) != 0 ||
      sw_names_look_up(endpoint.host, AI_NUMERICHOST, &answer) != 0 || answer.count == 0)
    return false;
  *address = answer.addresses[0];
  address->port = endpoint.port;
  return true;
}

/* As sw_psks_fingerprints. */
static void take_fingerprints(struct sw_doctor_status *status, const json_t *list) {
  char *text = status->fingerprints;
  const size_t size = sizeof(status->fingerprints);
  size_t length = 0;
  for (size_t i = 0; i < json_array_size(list) && length < size; i++) {
    const char *one = json_string_value(json_array_get(list, i));
    length += (size_t)snprintf(text + length, size - length, "%s%s", i ? ", " : "", one ? one : "");
  }
}

static void take_status(struct sw_doctor_facts *facts, const json_t *link) {
  struct sw_doctor_status *status = &facts->status;
  *status = (struct sw_doctor_status){.running = true,
                                      .mtu = (uint32_t)integer_of(link, "mtu"),
                                      .path_mtu = (uint32_t)integer_of(link, "path_mtu"),
                                      .port = (uint32_t)integer_of(link, "port"),
                                      .packets_in = integer_of(link, "packets_in"),
                                      .packets_out = integer_of(link, "packets_out")};
  snprintf(status->state, sizeof(status->state), "%s", string_of(link, "state"));
  snprintf(status->reason, sizeof(status->reason), "%s", string_of(link, "reason"));
  snprintf(status->file, sizeof(status->file), "%s", string_of(link, "file"));
  status->same_file = sw_regular_file_same(status->file, facts->config.file);
  status->modified = json_number_value(json_object_get(link, "file_modified"));
  snprintf(status->condition, sizeof(status->condition), "%s", string_of(link, "condition"));
  take_fingerprints(status, json_object_get(link, "fingerprints"));
  const json_t *list = json_object_get(link, "endpoints");
  facts->endpoint_count = 0;
  for (size_t i = 0; i < json_array_size(list) && facts->endpoint_count <= SW_ENDPOINTS_MAX; i++)
    facts->endpoint_count += parse_address(string_of(json_array_get(list, i), "address"),
                                           &facts->endpoints[facts->endpoint_count].address);
}

void sw_doctor_status(struct sw_doctor_facts *facts) {
  const uint64_t end = sw_clock_now() + PATIENCE_NS;
  int failed;
  do {
    json_t *link = ask(facts->name, &failed);
    if (link) take_status(facts, link);
    json_decref(link);
    facts->status.refused = failed == -EACCES || failed == -EAGAIN;
    if (!link || strcmp(facts->status.reason, "starting") != 0) break;
    poll(NULL, 0, AGAIN_MS);
  } while (sw_clock_now() < end);
}

/* ---- the other links ---- */

static void add_other(struct sw_doctor_facts *facts, const char *link,
                      const struct sw_prefix *prefix, uint32_t metric, bool own) {
  if (facts->other_count == SW_DOCTOR_OTHERS) return;
  struct sw_doctor_other *other = &facts->others[facts->other_count++];
  *other =
      (struct sw_doctor_other){.prefix = sw_prefix_network(prefix), .metric = metric, .own = own};
  snprintf(other->link, sizeof(other->link), "%.*s", (int)sizeof(other->link) - 1, link);
}

static bool is_known(const struct sw_doctor_facts *facts, const char *link) {
  if (strcmp(link, facts->name) == 0) return true;
  for (size_t i = 0; i < facts->other_count; i++)
    if (strcmp(facts->others[i].link, link) == 0) return true;
  return false;
}

/* A configuration that makes no routes, or makes them elsewhere, shares no network. */
static void add_file(struct sw_doctor_facts *facts, const char *file, FILE *nowhere) {
  struct sw_config *config = calloc(1, sizeof(*config));
  if (config && sw_config_locate(file, config, nowhere) == 0 && !is_known(facts, config->name) &&
      load(config, nowhere, NULL) == 0) {
    if (config->table_kind == SW_CONFIG_TABLE_AUTO && !config->netns[0])
      for (size_t i = 0; i < config->allowed_ip_count; i++)
        add_other(facts, config->name, &config->allowed_ips[i], config->metric, false);
    for (size_t i = 0; i < config->address_count && !config->netns[0]; i++)
      add_other(facts, config->name, &config->addresses[i], 0, true);
    sw_config_free(config);
  }
  free(config);
}

/* Calls add_file for every configuration in the directory of ours. */
static void add_files(struct sw_doctor_facts *facts) {
  char directory[PATH_MAX], file[PATH_MAX];
  const char *slash = strrchr(facts->config.file, '/');
  const int length = slash ? (int)(slash - facts->config.file) : 0;
  snprintf(directory, sizeof(directory), "%.*s", slash ? length : 1,
           slash ? facts->config.file : ".");
  DIR *entries = opendir(directory[0] ? directory : "/");
  FILE *nowhere = fopen("/dev/null", "we");
  for (const struct dirent *entry; entries && nowhere && (entry = readdir(entries));) {
    const size_t end = strlen(entry->d_name);
    if (end <= 5 || strcmp(entry->d_name + end - 5, ".conf") != 0) continue;
    if (snprintf(file, sizeof(file), "%s/%s", directory, entry->d_name) < (int)sizeof(file))
      add_file(facts, file, nowhere);
  }
  if (nowhere) (void)fclose(nowhere);
  if (entries) closedir(entries);
}

static void add_list(struct sw_doctor_facts *facts, const char *name, const json_t *link,
                     const char *key, bool own) {
  const json_t *list = json_object_get(link, key);
  struct sw_prefix prefix;
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *text = json_string_value(json_array_get(list, i));
    if (text && sw_prefix_parse(text, &prefix) == 0) add_other(facts, name, &prefix, 0, own);
  }
}

/* The links that were started from files elsewhere. */
static void add_running(struct sw_doctor_facts *facts) {
  char directory[SW_RUNTIME_PATH];
  struct sw_error error;
  int failed;
  DIR *entries = sw_runtime_directory(directory, &error) == 0 ? opendir(directory) : NULL;
  for (const struct dirent *entry; entries && (entry = readdir(entries));) {
    char name[sizeof(entry->d_name)];
    snprintf(name, sizeof(name), "%s", entry->d_name);
    if (!sw_runtime_is_socket(name) || is_known(facts, name)) continue;
    json_t *link = ask(name, &failed);
    add_list(facts, name, link, "allowed_ips", false);
    add_list(facts, name, link, "addresses", true);
    json_decref(link);
  }
  if (entries) closedir(entries);
}

void sw_doctor_others(struct sw_doctor_facts *facts) {
  if (!facts->loaded) return;
  add_files(facts);
  add_running(facts);
}
