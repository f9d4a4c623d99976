#include "config/config.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/checks.h"
#include "config/psk_file.h"
#include "config/reader.h"
#include "config/regular_file.h"

#define KEEPALIVE_DEFAULT 25 /* seconds */

static unsigned line_at(const char *text, const char *end) {
  unsigned line = 1;
  for (; text < end; text++) line += *text == '\n';
  return line;
}

/* `text` has room for a zero byte behind it. */
static void read_text(struct sw_config_reader *reader, char *text, size_t length,
                      const struct stat *status) {
  const char *nul = memchr(text, '\0', length);
  text[length] = '\0';
  if (length == 0) {
    sw_complain(&reader->complaints, 1,
                "the file is empty; a link needs [Interface] and [Peer] with PresharedKeyFile and "
                "AllowedIPs");
  } else if (length > SW_CONFIG_FILE_MAX) {
    sw_complain(&reader->complaints, 0, "longer than %d bytes; is this the right file?",
                SW_CONFIG_FILE_MAX);
  } else if (nul) {
    sw_complain(&reader->complaints, line_at(text, nul),
                "a NUL byte, so this is not a text file; save it as UTF-8");
  } else {
    sw_config_reader_run(reader, text);
    sw_config_check(reader, status);
    reader->config->modified =
        status->st_mtim.tv_sec * INT64_C(1000000000) + status->st_mtim.tv_nsec;
  }
}

static void read_file(struct sw_config_reader *reader) {
  struct sw_complaints *complaints = &reader->complaints;
  struct stat status;
  const char *kind;
  const int descriptor = sw_regular_file_open(complaints->file, &status, &kind);
  if (descriptor < 0) {
    sw_complaints_note(complaints, descriptor);
    if (kind)
      sw_complain(complaints, 0, "this is %s; a configuration is a file", kind);
    else
      sw_complain(complaints, 0,
                  "cannot open: %s; give NAME for " SW_CONFIG_DIRECTORY
                  "/NAME.conf, or the path of a file you may read",
                  strerror(-descriptor));
    return;
  }
  char *text =
      malloc(SW_CONFIG_FILE_MAX + 2); /* with a byte that only a longer file has, and a zero */
  const ssize_t length =
      text ? sw_regular_file_read(descriptor, text, SW_CONFIG_FILE_MAX + 1) : -ENOMEM;
  close(descriptor);
  sw_complaints_note(complaints, length < 0 ? (int)length : 0);
  if (length < 0)
    sw_complain(complaints, 0, "cannot read: %s", strerror((int)-length));
  else
    read_text(reader, text, (size_t)length, &status);
  free(text);
}

static void read_key(struct sw_config_reader *reader, struct sw_psks *psks) {
  const unsigned line = reader->key_lines[SW_CONFIG_KEY_PSK_FILE];
  struct sw_error error;
  if (reader->config->key_file[0] == '\0') return;
  const int failed = sw_psk_file_read(reader->config->key_file, psks, &error);
  sw_complaints_note(&reader->complaints, failed);
  if (failed)
    sw_complain(&reader->complaints, line, "PresharedKeyFile: %s", error.text);
  else if (error.text[0])
    sw_remark(&reader->complaints, line, "PresharedKeyFile: %s", error.text);
}

void sw_config_set_defaults(struct sw_config *config) {
  config->persistent_keepalive = KEEPALIVE_DEFAULT;
  config->offload = config->sandbox = true;
}

int sw_config_load(struct sw_config *config, struct sw_psks *psks, FILE *complaints) {
  struct sw_config_reader reader = {.config = config,
                                    .complaints = {.out = complaints, .file = config->file}};
  sw_config_set_defaults(config);
  read_file(&reader);
  read_key(&reader, psks);
  if (reader.complaints.count > 0) {
    sw_config_free(config);
    sodium_memzero(psks, sizeof(*psks));
  }
  return reader.complaints.shortage ? reader.complaints.shortage : reader.complaints.count;
}

bool sw_config_is_all(const struct sw_prefix *range) {
  return range->length == (sw_ip_is_v4(range->ip) ? 8 * SW_IP_BYTES - 32 : 0);
}

bool sw_config_default_route(const struct sw_config *config, bool v4) {
  /* the link's own datagrams use no route of another namespace */
  if (config->table_kind != SW_CONFIG_TABLE_AUTO || config->netns[0]) return false;
  for (size_t i = 0; i < config->allowed_ip_count; i++)
    if (sw_config_is_all(&config->allowed_ips[i]) && sw_ip_is_v4(config->allowed_ips[i].ip) == v4)
      return true;
  return false;
}

void sw_config_free(struct sw_config *config) {
  struct sw_config empty = {.mtu = 0};
  memcpy(empty.name, config->name, sizeof(empty.name));
  memcpy(empty.file, config->file, sizeof(empty.file));
  for (size_t i = 0; i < config->post_up_count; i++) free(config->post_up[i]);
  for (size_t i = 0; i < config->pre_down_count; i++) free(config->pre_down[i]);
  free(config->allowed_ips);
  *config = empty;
}
