#include "cli/status_ask.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/runtime.h"
#include "cli/cli.h"
#include "cli/status_text.h"

/* On success the caller owns `link`.  Returns 0 or a negative errno with `error` filled. */
static int ask(const char *name, json_t **link, struct sw_error *error) {
  char *answer;
  size_t length;
  const int failed = sw_runtime_ask_status(name, &answer, &length, error);
  if (failed) return failed;
  *link = json_loadb(answer, length, 0, NULL);
  free(answer);
  if (*link) return 0;
  sw_error_set(error, 0, NULL, "%s does not answer on its control socket", name);
  return -EAGAIN;
}

/* Appends the link's answer to `links`.  Returns an exit status. */
static int add_link(json_t *links, const char *name, FILE *errors) {
  struct sw_error error;
  json_t *link;
  const int failed = ask(name, &link, &error);
  if (!failed) {
    json_array_append_new(links, link);
    return sw_status_is_up(link) ? SW_STATUS_UP : SW_STATUS_DOWN;
  }
  fprintf(errors, "saltway: %s\n", error.text);
  const bool down = failed == -ENOENT || failed == -ECONNREFUSED || failed == -EAGAIN;
  return down ? SW_STATUS_DOWN : SW_STATUS_FAILED; /* a user who may not ask cannot know */
}

static int worse(int a, int b) {
  if (a == SW_STATUS_FAILED || b == SW_STATUS_FAILED) return SW_STATUS_FAILED;
  return a > b ? a : b;
}

/* Appends every link that has a socket in the runtime directory.  Returns an exit status. */
static int add_all(json_t *links, FILE *errors) {
  struct sw_error error;
  char directory[SW_RUNTIME_PATH];
  if (sw_runtime_directory(directory, &error) != 0) {
    fprintf(errors, "saltway: %s\n", error.text);
    return SW_STATUS_FAILED;
  }
  DIR *entries = opendir(directory);
  if (!entries && errno != ENOENT) {
    fprintf(errors, "saltway: cannot read %s: %s\n", directory, strerror(errno));
    return SW_STATUS_FAILED;
  }
  int status = SW_STATUS_UP;
  bool any = false;
  for (const struct dirent *entry; entries && (entry = readdir(entries));) {
    char name[sizeof(entry->d_name)];
    snprintf(name, sizeof(name), "%s", entry->d_name);
    if (!sw_runtime_is_socket(name)) continue;
    any = true;
    status = worse(status, add_link(links, name, errors));
  }
  if (entries) closedir(entries);
  if (any) return status;
  fprintf(errors, "saltway: no link is up (no control socket in %s%s)\n", directory,
          sw_runtime_of_user() ? "; links of root: sudo saltway status" : "");
  return SW_STATUS_DOWN;
}

int sw_status_ask(const char *name_or_file, json_t *links, FILE *errors) {
  char name[IFNAMSIZ];
  if (!name_or_file) return add_all(links, errors);
  return sw_cli_name(name_or_file, name) == 0 ? add_link(links, name, errors) : SW_STATUS_FAILED;
}
