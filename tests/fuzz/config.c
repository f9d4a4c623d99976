/* Configuration and key files: any bytes are read or refused with complaints, never worse. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "keyfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static char file[64];
  static FILE *complaints;
  if (!complaints) {
    if (sodium_init() < 0) abort();
    complaints = fopen("/dev/null", "w");
    snprintf(file, sizeof(file), "/tmp/saltway-fuzz-%d.conf", (int)getpid());
    umask(077);
  }
  FILE *out = fopen(file, "w");
  if (!out || fwrite(data, 1, size, out) != size || fclose(out) != 0) abort();
  struct sw_config config;
  struct sw_psk psk;
  struct sw_error error;
  if (sw_config_locate(file, &config, complaints) == 0) sw_config_load(&config, complaints);
  sw_keyfile_read(file, &psk, &error);
  unlink(file);
  return 0;
}
