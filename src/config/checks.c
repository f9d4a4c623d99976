#include "config/checks.h"

#include <unistd.h>

#define MTU_IPV6_MIN 1280 /* RFC 8200 §5 */

static void check_sections(struct sw_config_reader *reader) {
  struct sw_complaints *complaints = &reader->complaints;
  const unsigned *given = reader->key_lines;
  if (reader->section_lines[SW_CONFIG_SECTION_INTERFACE] == 0)
    sw_complain(complaints, 1, "there is no [Interface]; begin with this line");
  const unsigned peer = reader->section_lines[SW_CONFIG_SECTION_PEER];
  if (peer == 0) {
    sw_complain(complaints, reader->line,
                "there is no [Peer]; add it, with PresharedKeyFile and AllowedIPs");
    return;
  }
  if (given[SW_CONFIG_KEY_PSK_FILE] == 0)
    sw_complain(complaints, peer, "[Peer] has no PresharedKeyFile; add PresharedKeyFile = FILE");
  if (given[SW_CONFIG_KEY_ALLOWED_IPS] == 0)
    sw_complain(complaints, peer,
                "[Peer] has no AllowedIPs; add the networks behind it, like AllowedIPs = "
                "10.2.0.0/16");
  if (given[SW_CONFIG_KEY_ENDPOINT] == 0 && given[SW_CONFIG_KEY_LISTEN_PORT] == 0)
    sw_complain(complaints, peer,
                "neither Endpoint nor ListenPort is given, so the two ends cannot meet; add "
                "Endpoint = HOST:PORT to find the peer, or ListenPort = PORT to be found");
}

static const struct sw_prefix *first_v6(const struct sw_prefix *prefixes, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!sw_ip_is_v4(prefixes[i].ip)) return &prefixes[i];
  return NULL;
}

static void check_mtu(struct sw_config_reader *reader) {
  const struct sw_config *config = reader->config;
  if (config->mtu == 0 || config->mtu >= MTU_IPV6_MIN) return;
  const struct sw_prefix *v6 = first_v6(config->addresses, config->address_count);
  if (!v6) v6 = first_v6(config->allowed_ips, config->allowed_ip_count);
  if (!v6) return;
  char text[SW_PREFIX_TEXT];
  sw_complain(&reader->complaints, reader->key_lines[SW_CONFIG_KEY_MTU],
              "MTU: %u is too small for IPv6 (%s); write at least %d, or use no IPv6 on this link",
              config->mtu, sw_prefix_text(v6, text), MTU_IPV6_MIN);
}

static void check_overhead(struct sw_config_reader *reader) {
  const unsigned line = reader->key_lines[SW_CONFIG_KEY_OVERHEAD];
  if (reader->config->overhead > 0 && reader->key_lines[SW_CONFIG_KEY_BANDWIDTH] == 0)
    sw_complain(
        &reader->complaints, line,
        "Overhead counts for the limit of Bandwidth, and there is none; add Bandwidth = RATE, "
        "like 95mbit, or remove this line");
}

/* Hooks run as the user who starts the link, so nobody else may be able to write them. */
static void check_hooks(struct sw_config_reader *reader, const struct stat *status) {
  const mode_t mode = status->st_mode;
  const bool writable = (mode & (S_IWGRP | S_IWOTH)) != 0;
  const bool foreign = status->st_uid != 0 && status->st_uid != geteuid();
  const unsigned up = reader->key_lines[SW_CONFIG_KEY_POST_UP];
  const unsigned down = reader->key_lines[SW_CONFIG_KEY_PRE_DOWN];
  const bool up_first = up != 0 && (down == 0 || up < down);
  const unsigned line = up_first ? up : down;
  const char *key = up_first ? "PostUp" : "PreDown", *file = reader->config->file;
  if (line == 0) return;
  if (writable)
    sw_complain(
        &reader->complaints, line,
        "%s is run as the user who starts the link, but others can write this file (mode %04o); "
        "chmod go-w %s",
        key, mode & 07777U, file);
  else if (foreign)
    sw_complain(&reader->complaints, line,
                "%s is run as the user who starts the link, but this file belongs to user %u; "
                "chown %u %s",
                key, status->st_uid, geteuid(), file);
}

void sw_config_check(struct sw_config_reader *reader, const struct stat *status) {
  check_sections(reader);
  check_mtu(reader);
  check_overhead(reader);
  check_hooks(reader, status);
}
