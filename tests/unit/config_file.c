#include "config_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

char config_directory[] = "/tmp/saltway-config-XXXXXX";
char config_file[PATH_MAX], config_key_file[PATH_MAX];
struct sw_config config;
struct sw_psks config_psks;
char complaints[65536];

void write_file(const char *name, const char *bytes, size_t length, mode_t mode) {
  FILE *out = fopen(name, "w");
  assert_non_null(out);
  assert_int_equal(fwrite(bytes, 1, length, out), length);
  assert_int_equal(fclose(out), 0);
  assert_int_equal(chmod(name, mode), 0);
}

int config_file_start(void **state) {
  (void)state;
  if (sodium_init() < 0 || !mkdtemp(config_directory)) return -1;
  snprintf(config_file, sizeof(config_file), "%s/site-b.conf", config_directory);
  snprintf(config_key_file, sizeof(config_key_file), "%s/site-b.key", config_directory);
  return 0;
}

int config_file_finish(void **state) {
  (void)state;
  sw_config_free(&config);
  return rmdir(config_directory);
}

int config_file_make_key(void **state) {
  (void)state;
  write_file(config_key_file, KEY "\n", sizeof(KEY), 0600);
  return 0;
}

int config_file_remove(void **state) {
  (void)state;
  return (remove(config_key_file) != 0 && errno != ENOENT) ||
         (remove(config_file) != 0 && errno != ENOENT);
}

int locate(const char *name) {
  FILE *out = fmemopen(complaints, sizeof(complaints), "w");
  assert_non_null(out);
  complaints[0] = '\0';
  sw_config_free(&config);
  memset(&config, 0x5a, sizeof(config));
  const int result = sw_config_locate(name, &config, out);
  fclose(out);
  return result;
}

int load_file(void) {
  assert_int_equal(locate(config_file), 0);
  FILE *out = fmemopen(complaints, sizeof(complaints), "w");
  assert_non_null(out);
  complaints[0] = '\0';
  memset(&config_psks, 0x5a, sizeof(config_psks));
  const int mistakes = sw_config_load(&config, &config_psks, out);
  fclose(out);
  return mistakes;
}

int load_bytes(const char *bytes, size_t length, mode_t mode) {
  write_file(config_file, bytes, length, mode);
  return load_file();
}

int load(const char *text) {
  return load_bytes(text, strlen(text), 0600);
}

void assert_good(const char *text) {
  if (load(text) != 0) fail_msg("refused: %s", complaints);
  assert_string_equal(complaints, "");
}

void assert_complaint(unsigned line, const char *words) {
  char place[PATH_MAX + 16];
  snprintf(place, sizeof(place), line > 0 ? "%s:%u: " : "%s: ", config_file, line);
  for (const char *at = complaints; *at; at = strchr(at, '\n') + 1) {
    if (strncmp(at, place, strlen(place)) != 0) continue;
    const char *found = strstr(at, words);
    if (found && found < strchr(at, '\n')) return;
  }
  fail_msg("no complaint about line %u contains \"%s\":\n%s", line, words, complaints);
}

void assert_mistake(const char *text, unsigned line, const char *words) {
  const int mistakes = load(text);
  assert_complaint(line, words);
  if (mistakes != 1 || strchr(complaints, '\n') != complaints + strlen(complaints) - 1)
    fail_msg("%d mistakes instead of one:\n%s", mistakes, complaints);
}

void assert_interface_mistake(const char *added, const char *words) {
  char text[4096];
  snprintf(text, sizeof(text), INTERFACE "%s\n" PEER, added);
  assert_mistake(text, 3, words);
}

void assert_peer_mistake(const char *added, const char *words) {
  char text[4096];
  snprintf(text, sizeof(text), INTERFACE PEER "%s\n", added);
  assert_mistake(text, 6, words);
}
