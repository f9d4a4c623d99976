/*
 * Configurations of OpenVPN and wg-quick.  Any bytes become a link or complaints; the files of such a
 * link are read without a mistake.
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "convert/openvpn.h"
#include "convert/wg_quick.h"
#include "convert/writer.h"
#include "memory_file.h"
#include "saltway/key.h"

/* The link is named 101, and so is its key file, once ".key" is blanked. */
enum { CONFIG_FD = 100, KEY_FD = 101 };

/* No hook has a line feed in it. */
static const char key_line[] = "\n[Peer]\nPresharedKeyFile = 101";

static void assert_loads(const struct sw_config *written) {
  static struct sw_config config;
  struct sw_psks psks;
  char *text = NULL;
  size_t length = 0;
  FILE *out = open_memstream(&text, &length);
  if (!out) abort();
  sw_config_write(out, written, "fuzz");
  if (fclose(out) != 0) abort();
  memcpy(strstr(text, key_line) + strlen(key_line), "    ", 4);
  memory_file_write(CONFIG_FD, text, length);
  if (sw_config_locate("/proc/self/fd/100", &config, stderr) != 0) abort();
  assert(sw_config_load(&config, &psks, stderr) == 0);
  assert(config.allowed_ip_count == written->allowed_ip_count);
  assert(config.address_count == written->address_count);
  assert(config.endpoint_count == written->endpoint_count);
  assert(config.post_up_count == written->post_up_count);
  sw_config_free(&config);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct sw_ends ends;
  static FILE *nowhere;
  if (!nowhere) {
    if (sodium_init() < 0 || !(nowhere = fopen("/dev/null", "w"))) abort();
    memory_file_make(CONFIG_FD);
    memory_file_make(KEY_FD);
    char key[SW_PSK_TEXT];
    sw_psk_encode(&(struct sw_psk){{1, 2, 3}}, key);
    memory_file_write(KEY_FD, key, strlen(key));
  }
  if (memchr(data, '\0', size)) return 0; /* saltway import refuses it */
  char *text = malloc(size + 1);
  if (!text) abort();
  memcpy(text, data, size);
  text[size] = '\0';
  struct sw_complaints complaints = {.out = nowhere, .file = "fuzz"};
  if (sw_ends_init(&ends, "101", stderr) != 0) abort();
  if (text[0] == '[')
    sw_wg_quick_read(text, "wg", 1, &ends, &complaints);
  else
    sw_openvpn_read(text, &ends, &complaints);
  if (complaints.count == 0) sw_ends_finish(&ends, NULL, SW_OPENVPN_PORT, &complaints);
  if (complaints.count == 0) {
    assert_loads(&ends.ours);
    assert_loads(&ends.theirs);
  }
  sw_ends_free(&ends);
  free(text);
  return 0;
}
