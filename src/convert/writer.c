#include "convert/writer.h"

#include <inttypes.h>
#include <string.h>

#define RANGES_A_LINE 8

static void write_prefixes(FILE *out, const char *key, const struct sw_prefix *prefixes,
                           size_t count) {
  char text[SW_PREFIX_TEXT];
  for (size_t i = 0; i < count; i++) {
    if (i % RANGES_A_LINE == 0)
      fprintf(out, "%s%s = ", i > 0 ? "\n" : "", key);
    else
      fputs(", ", out);
    fputs(sw_prefix_text(&prefixes[i], text), out);
  }
  if (count > 0) fputc('\n', out);
}

void sw_config_write(FILE *out, const struct sw_config *config, const char *comment) {
  fprintf(out, "# %s\n[Interface]\n", comment);
  write_prefixes(out, "Address", config->addresses, config->address_count);
  if (config->listen_port) fprintf(out, "ListenPort = %u\n", config->listen_port);
  if (config->table_kind == SW_CONFIG_TABLE_OFF) fputs("Table = off\n", out);
  if (config->table_kind == SW_CONFIG_TABLE_NUMBER) fprintf(out, "Table = %u\n", config->table);
  if (config->fwmark) fprintf(out, "FwMark = 0x%x\n", config->fwmark);
  if (config->bandwidth)
    fprintf(out, "Bandwidth = %" PRIu64 ".%03ukbit\n", config->bandwidth / 1000,
            (unsigned)(config->bandwidth % 1000));
  if (config->dscp) fputs("DSCP = copy\n", out);
  for (size_t i = 0; i < config->post_up_count; i++)
    fprintf(out, "PostUp = %s\n", config->post_up[i]);
  for (size_t i = 0; i < config->pre_down_count; i++)
    fprintf(out, "PreDown = %s\n", config->pre_down[i]);

  fprintf(out, "\n[Peer]\nPresharedKeyFile = %s.key\n", config->name);
  for (size_t i = 0; i < config->endpoint_count; i++) {
    const struct sw_config_endpoint *endpoint = &config->endpoints[i];
    fprintf(out, strchr(endpoint->host, ':') ? "Endpoint = [%s]:%u\n" : "Endpoint = %s:%u\n",
            endpoint->host, endpoint->port);
  }
  write_prefixes(out, "AllowedIPs", config->allowed_ips, config->allowed_ip_count);
  fprintf(out, "PersistentKeepalive = %u\n", config->persistent_keepalive);
}
