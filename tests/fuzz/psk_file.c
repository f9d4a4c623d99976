/*
 * Key files.  Any bytes are read as a key, or refused with an error text.  The text of a key that
 * was read, as printed by `saltway genkey`, is part of the file, and is itself a key file.
 */
#include <assert.h>
#include <ctype.h>
#include <sodium.h>
#include <string.h>

#include "config/psk_file.h"
#include "memory_file.h"

enum { FILE_FD = 100 };

static void check_error(const struct sw_error *error) {
  const size_t length = strnlen(error->text, sizeof(error->text));
  assert(length > 0 && length < sizeof(error->text));
  for (size_t i = 0; i < length; i++) assert(isprint((unsigned char)error->text[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char file[] = "/proc/self/fd/100";
  static int ready;
  if (!ready) {
    if (sodium_init() < 0) abort();
    memory_file_make(FILE_FD);
    ready = 1;
  }
  memory_file_write(FILE_FD, data, size);
  struct sw_psks psks, again;
  struct sw_error error = {""};
  if (sw_psk_file_read(file, &psks, &error) != 0) {
    assert(sodium_is_zero((const uint8_t *)&psks, sizeof(psks)));
    check_error(&error);
    return 0;
  }
  assert(psks.count >= 1 && psks.count <= SW_PSKS_MAX);
  char text[SW_PSKS_MAX * SW_PSK_TEXT + 1] = "";
  for (unsigned i = 0; i < psks.count; i++) {
    char *line = text + strlen(text);
    sw_psk_encode(&psks.keys[i], line);
    assert(memmem(data, size, line, strlen(line)));
    strcat(line, "\n");
  }
  memory_file_write(FILE_FD, text, strlen(text));
  assert(sw_psk_file_read(file, &again, &error) == 0);
  assert(memcmp(&psks, &again, sizeof(psks)) == 0);
  return 0;
}
