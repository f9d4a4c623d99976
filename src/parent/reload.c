#include "parent/reload.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "config/difference.h"

struct change {
  const struct sw_config *next;
  bool of[SW_CONFIG_KEYS]; /* the keys that differ */
};

static struct change compare(const struct sw_reload *reload, const struct sw_config *next,
                             const struct sw_psks *psks) {
  struct change change = {.next = next};
  for (int key = SW_CONFIG_KEY_NONE + 1; key < SW_CONFIG_KEYS; key++)
    change.of[key] = !sw_config_same(reload->config, next, (enum sw_config_key)key);
  change.of[SW_CONFIG_KEY_PSK_FILE] |= !sw_child_has_keys(reload->child, psks);
  return change;
}

/* Returns whether all of it can change in flight; otherwise names what cannot. */
static bool is_possible(const struct change *change, FILE *out) {
  bool possible = true;
  for (int key = SW_CONFIG_KEY_NONE + 1; key < SW_CONFIG_KEYS; key++) {
    if (!change->of[key] || sw_config_changes_in_flight((enum sw_config_key)key)) continue;
    fprintf(out, "%s: %s cannot change in flight: restart the link\n", change->next->file,
            sw_config_row((enum sw_config_key)key)->name);
    possible = false;
  }
  return possible;
}

static bool concerns_host(const struct change *change) {
  return change->of[SW_CONFIG_KEY_ADDRESS] || change->of[SW_CONFIG_KEY_MTU] ||
         change->of[SW_CONFIG_KEY_TABLE] || change->of[SW_CONFIG_KEY_METRIC] ||
         change->of[SW_CONFIG_KEY_FWMARK] || change->of[SW_CONFIG_KEY_ALLOWED_IPS];
}

static bool apply(struct sw_reload *reload, struct sw_config *next, const struct change *change,
                  const struct sw_psks *psks, FILE *out) {
  struct sw_error error;
  if (concerns_host(change) && sw_host_change(reload->host, next, &error) != 0) {
    fprintf(out, "%s: %s\n", next->file, error.text);
    return false;
  }
  if (!sw_child_change(reload->child, next, sw_host_link_mtu(reload->host, next), psks)) {
    fprintf(out, "%s: %s: the link ends\n", next->file, reload->child->failure);
    return false;
  }
  const struct sw_config before = *reload->config;
  *reload->config = *next;
  *next = before;
  if (change->of[SW_CONFIG_KEY_ENDPOINT]) sw_names_change(reload->names, next);
  return true;
}

static void say(const struct sw_reload *reload, const struct change *change, FILE *out) {
  unsigned count = 0;
  fprintf(out, "reloaded %s: ", reload->config->file);
  for (int key = SW_CONFIG_KEY_NONE + 1; key < SW_CONFIG_KEYS; key++)
    if (change->of[key])
      fprintf(out, "%s%s", count++ ? ", " : "", sw_config_row((enum sw_config_key)key)->name);
  fprintf(out, count ? "\n" : "nothing has changed\n");
  if (reload->host->as_it_is && concerns_host(change))
    fprintf(out, "without CAP_NET_ADMIN: the interface %s stays as it is configured\n",
            reload->config->name);
}

static bool load_and_apply(struct sw_reload *reload, struct sw_config *next, struct sw_psks *psks,
                           FILE *out) {
  memcpy(next->name, reload->config->name, sizeof(next->name));
  memcpy(next->file, reload->config->file, sizeof(next->file));
  if (sw_config_load(next, psks, out) != 0) return false;
  const struct change change = compare(reload, next, psks);
  const bool done = is_possible(&change, out) && apply(reload, next, &change, psks, out);
  sw_config_free(next);
  if (!done) return false;
  for (int key = SW_CONFIG_KEY_NONE + 1; key < SW_CONFIG_KEYS; key++)
    reload->changed |= change.of[key];
  reload->hooks = change.of[SW_CONFIG_KEY_POST_UP] || change.of[SW_CONFIG_KEY_PRE_DOWN];
  say(reload, &change, out);
  return true;
}

bool sw_reload_run(struct sw_reload *reload, FILE *out) {
  struct sw_config *next = calloc(1, sizeof(*next));
  struct sw_psks *psks = sodium_malloc(sizeof(*psks));
  bool done = false;
  reload->changed = reload->hooks = false;
  if (next && psks)
    done = load_and_apply(reload, next, psks, out);
  else
    fprintf(out, "%s: no memory\n", reload->config->file);
  sodium_free(psks); /* wipes */
  free(next);
  return done;
}
