#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config/config.h"

/* The kernel permits more (dev_valid_name), but the name is also used in shell commands. */
static bool is_name_byte(char byte) {
  return isalnum((unsigned char)byte) || strchr("_=+.-", byte) != NULL;
}

/* Returns why `name` cannot be the name of an interface, or NULL if it can. */
static const char *reason_against(const char *name, char *text, size_t size) {
  static const char *const reserved[] = {".", "..", "all", "default", "lo"};
  if (name[0] == '\0') return "it is empty";
  if (strlen(name) >= IFNAMSIZ) {
    snprintf(text, size, "it has %zu bytes, Linux takes at most %d", strlen(name), IFNAMSIZ - 1);
    return text;
  }
  for (const char *byte = name; *byte; byte++) {
    if (is_name_byte(*byte)) continue;
    snprintf(text, size, isgraph((unsigned char)*byte) ? "'%c' is in it" : "byte 0x%02X is in it",
             (unsigned char)*byte);
    return text;
  }
  for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
    if (strcmp(name, reserved[i]) == 0) return "it means something else to Linux";
  return NULL;
}

static const char ending[] = ".conf";

static bool has_ending(const char *text) {
  const size_t length = strlen(text);
  return length >= strlen(ending) && strcmp(text + length - strlen(ending), ending) == 0;
}

bool sw_config_is_file(const char *name_or_file) {
  return strchr(name_or_file, '/') || has_ending(name_or_file);
}

int sw_config_locate(const char *name_or_file, struct sw_config *config, FILE *complaints) {
  memset(config, 0, sizeof(*config));
  const char *slash = strrchr(name_or_file, '/');
  const char *stem = slash ? slash + 1 : name_or_file;
  size_t length = strlen(stem);
  if (has_ending(stem)) length -= strlen(ending);

  char name[PATH_MAX], text[80];
  if (length >= sizeof(name)) length = sizeof(name) - 1;
  memcpy(name, stem, length);
  name[length] = '\0';
  const char *reason = reason_against(name, text, sizeof(text));
  if (reason) {
    fprintf(complaints,
            "%s: \"%s\" cannot be the name of a link: %s; 1 to %d letters, digits or \"_=+.-\"\n",
            name_or_file, name, reason, IFNAMSIZ - 1);
    return -EINVAL;
  }
  const bool is_file = sw_config_is_file(name_or_file);
  if (snprintf(config->file, sizeof(config->file), "%s%s%s", is_file ? "" : SW_CONFIG_DIRECTORY "/",
               name_or_file, is_file ? "" : ending) >= (int)sizeof(config->file)) {
    fprintf(complaints, "%s: the path is too long; at most %zu bytes\n", name_or_file,
            sizeof(config->file) - 1);
    return -EINVAL;
  }
  memcpy(config->name, name, length + 1);
  return 0;
}
