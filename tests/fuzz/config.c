/*
 * Configuration files.  Any bytes are read as a configuration, or refused with one line of
 * complaint for each mistake.  A configuration that is written to a file and read again is the
 * same.
 */
#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "config/config.h"
#include "memory_file.h"
#include "saltway/key.h"

/* "PresharedKeyFile = 101" is relative to the configuration's directory. */
enum { CONFIG_FD = 100, KEY_FD = 101 };

static int load(const void *bytes, size_t size, struct sw_config *config) {
  char *text = NULL;
  size_t length = 0;
  memory_file_write(CONFIG_FD, bytes, size);
  FILE *complaints = open_memstream(&text, &length);
  if (!complaints || sw_config_locate("/proc/self/fd/100", config, complaints) != 0) abort();
  struct sw_psks psks;
  const int mistakes = sw_config_load(config, &psks, complaints);
  if (fclose(complaints) != 0) abort();
  int lines = 0;
  for (size_t i = 0; i < length; i++) {
    assert((unsigned char)text[i] >= ' ' || text[i] == '\n' || text[i] == '\t');
    lines += text[i] == '\n';
  }
  assert(lines == mistakes);
  free(text);
  return mistakes;
}

static void write_prefixes(FILE *out, const char *key, const struct sw_prefix *prefixes,
                           size_t count) {
  char text[SW_PREFIX_TEXT];
  for (size_t i = 0; i < count; i++)
    fprintf(out, "%s = %s\n", key, sw_prefix_text(&prefixes[i], text));
}

static void write_hooks(FILE *out, const char *key, char *const *hooks, size_t count) {
  for (size_t i = 0; i < count; i++) fprintf(out, "%s=%s\n", key, hooks[i]);
}

static void write_config(FILE *out, const struct sw_config *config) {
  fprintf(out, "[Interface]\n");
  write_prefixes(out, "Address", config->addresses, config->address_count);
  if (config->listen_port) fprintf(out, "ListenPort = %u\n", config->listen_port);
  if (config->mtu) fprintf(out, "MTU = %u\n", config->mtu);
  if (config->table_kind == SW_CONFIG_TABLE_NUMBER)
    fprintf(out, "Table = %u\n", config->table);
  else
    fprintf(out, "Table = %s\n", config->table_kind == SW_CONFIG_TABLE_OFF ? "off" : "auto");
  fprintf(out, "FwMark = 0x%x\n", config->fwmark);
  if (config->netns[0]) fprintf(out, "NetNS = %s\n", config->netns);
  if (config->metric) fprintf(out, "Metric = %u\n", config->metric);
  fprintf(out, "DSCP = %s\n", config->dscp ? "copy" : "off");
  fprintf(out,
          config->bandwidth ? "Bandwidth = %" PRIu64 ".%03ukbit\nOverhead = %u\n"
                            : "Bandwidth = off\n",
          config->bandwidth / 1000, (unsigned)(config->bandwidth % 1000), config->overhead);
  fprintf(out, "Offload = %s\n", config->offload ? "auto" : "off");
  fprintf(out, "Sandbox = %s\n", config->sandbox ? "on" : "off");
  write_hooks(out, "PostUp", config->post_up, config->post_up_count);
  write_hooks(out, "PreDown", config->pre_down, config->pre_down_count);
  fprintf(out, "[Peer]\nPresharedKeyFile = %s\n", config->key_file);
  for (size_t i = 0; i < config->endpoint_count; i++) {
    const struct sw_config_endpoint *endpoint = &config->endpoints[i];
    const bool v6 = strchr(endpoint->host, ':');
    fprintf(out, v6 ? "Endpoint = [%s]:%u\n" : "Endpoint = %s:%u\n", endpoint->host,
            endpoint->port);
  }
  write_prefixes(out, "AllowedIPs", config->allowed_ips, config->allowed_ip_count);
  fprintf(out, "PersistentKeepalive = %u\n", config->persistent_keepalive);
}

static void assert_same_prefixes(const struct sw_prefix *a, const struct sw_prefix *b,
                                 size_t count) {
  for (size_t i = 0; i < count; i++)
    assert(a[i].length == b[i].length && memcmp(a[i].ip, b[i].ip, SW_IP_BYTES) == 0);
}

static void assert_same(const struct sw_config *a, const struct sw_config *b) {
  assert(a->address_count == b->address_count && a->allowed_ip_count == b->allowed_ip_count);
  assert_same_prefixes(a->addresses, b->addresses, a->address_count);
  assert_same_prefixes(a->allowed_ips, b->allowed_ips, a->allowed_ip_count);
  assert(a->listen_port == b->listen_port && a->mtu == b->mtu && a->fwmark == b->fwmark &&
         a->metric == b->metric && strcmp(a->netns, b->netns) == 0);
  assert(a->table_kind == b->table_kind && a->table == b->table);
  assert(a->bandwidth == b->bandwidth && a->overhead == b->overhead);
  assert(a->dscp == b->dscp && a->offload == b->offload && a->sandbox == b->sandbox);
  assert(a->persistent_keepalive == b->persistent_keepalive);
  assert(strcmp(a->key_file, b->key_file) == 0);
  assert(a->post_up_count == b->post_up_count && a->pre_down_count == b->pre_down_count);
  for (size_t i = 0; i < a->post_up_count; i++) assert(strcmp(a->post_up[i], b->post_up[i]) == 0);
  for (size_t i = 0; i < a->pre_down_count; i++)
    assert(strcmp(a->pre_down[i], b->pre_down[i]) == 0);
  assert(a->endpoint_count == b->endpoint_count);
  for (size_t i = 0; i < a->endpoint_count; i++) {
    assert(strcmp(a->endpoints[i].host, b->endpoints[i].host) == 0);
    assert(a->endpoints[i].port == b->endpoints[i].port);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct sw_config config, again;
  static int ready;
  if (!ready) {
    if (sodium_init() < 0) abort();
    memory_file_make(CONFIG_FD);
    memory_file_make(KEY_FD);
    char key[SW_PSK_TEXT];
    sw_psk_encode(&(struct sw_psk){{1, 2, 3}}, key);
    memory_file_write(KEY_FD, key, strlen(key));
    ready = 1;
  }
  const int mistakes = load(data, size, &config);
  assert((mistakes == 0) == (config.key_file[0] != '\0')); /* nothing of a bad file is kept */
  if (mistakes != 0) return 0;
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out) abort();
  write_config(out, &config);
  if (fclose(out) != 0) abort();
  assert(load(text, length, &again) == 0);
  assert_same(&config, &again);
  sw_config_free(&config);
  sw_config_free(&again);
  free(text);
  return 0;
}
