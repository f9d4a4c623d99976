#include "parent/default_routes.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/runtime.h"
#include "linux/sandbox.h"
#include "parent/undo.h"

#define RECORD "table %u mark %u port %hu user %u ipv4 %u ipv6 %u\n"
#define RULES_MAX 8
#define USERS "/etc/passwd"

static uint32_t first_priority(const struct sw_default_routes *routes) {
  return SW_DEFAULT_ROUTES_PRIORITY + (routes->table - SW_DEFAULT_ROUTES_TABLE);
}

/* Returns how many there are, in the order in which they are made. */
static unsigned rules_of(const struct sw_default_routes *routes,
                         struct sw_rule rules[static RULES_MAX]) {
  const uint32_t main = RT_TABLE_MAIN, table = routes->table, mark = routes->mark;
  const uint32_t user = routes->user;
  const uint16_t port = routes->port;
  const uint32_t keep = first_priority(routes), ours = keep + SW_DEFAULT_ROUTES_STEP,
                 look = ours + SW_DEFAULT_ROUTES_STEP, queries = look + SW_DEFAULT_ROUTES_STEP,
                 lead = queries + SW_DEFAULT_ROUTES_STEP;
  const struct sw_rule all[] = {
      {.v6 = false, .priority = keep, .table = main, .no_default = true},
      {.v6 = false, .priority = ours, .table = main, .udp_port = port, .local = true},
      {.v6 = false, .priority = look, .table = main, .udp_port = port, .mark = mark},
      {.v6 = false, .priority = queries, .table = main, .user = user},
      {.v6 = false, .priority = lead, .table = table, .mark = mark, .invert = true},
      {.v6 = true, .priority = keep, .table = main, .no_default = true},
      {.v6 = true, .priority = queries, .table = main, .user = user},
      {.v6 = true, .priority = lead, .table = table, .mark = mark, .invert = true},
  };
  unsigned count = 0;
  for (unsigned i = 0; i < RULES_MAX; i++) {
    if (!user && all[i].priority == queries) continue;
    if (all[i].v6 ? routes->v6 : routes->v4) rules[count++] = all[i];
  }
  return count;
}

/* The user of the resolver, if it has one of its own and is where the rules are; else 0.  Name services
 * are not asked, as they might hang. */
static uint32_t resolver_user(const struct sw_config *config) {
  if (!config->sandbox || !sw_sandbox_possible() || geteuid() != 0 || config->netns[0]) return 0;
  FILE *users = fopen(USERS, "re");
  uint32_t found = 0;
  if (!users) return 0;
  for (const struct passwd *user; !found && (user = fgetpwent(users));)
    if (strcmp(user->pw_name, SW_SANDBOX_RESOLVER_USER) == 0) found = user->pw_uid;
  (void)fclose(users);
  return found;
}

int sw_default_routes_plan(struct sw_default_routes *routes, const struct sw_config *config,
                           struct sw_netlink *netlink, unsigned index, struct sw_error *error) {
  uint64_t used = 0;
  unsigned first = 0;
  *routes = (struct sw_default_routes){.v4 = sw_config_default_route(config, true),
                                       .v6 = sw_config_default_route(config, false)};
  if (!routes->v4 && !routes->v6) return 0;
  const int failed = sw_netlink_tables_used(netlink, index, SW_DEFAULT_ROUTES_TABLE, &used, error);
  if (failed) return failed;
  while (first < SW_DEFAULT_ROUTES_TABLES && used >> first & 1) first++;
  if (first == SW_DEFAULT_ROUTES_TABLES)
    return sw_error_set(error, 0, NULL,
                        "no table is free for default routes: %u to %u have routes; write Table = "
                        "NUMBER, and make rules for it",
                        SW_DEFAULT_ROUTES_TABLE,
                        SW_DEFAULT_ROUTES_TABLE + SW_DEFAULT_ROUTES_TABLES - 1);
  routes->table = SW_DEFAULT_ROUTES_TABLE + first;
  routes->mark = config->fwmark ? config->fwmark : SW_DEFAULT_ROUTES_MARK;
  routes->user = resolver_user(config);
  return 0;
}

/* ---- record ---- */

static void record(const struct sw_default_routes *routes, const char *name) {
  char text[sizeof(RECORD) + 6 * sizeof("4294967295")];
  struct sw_error error;
  snprintf(text, sizeof(text), RECORD, routes->table, routes->mark, routes->port, routes->user,
           routes->v4, routes->v6);
  if (sw_undo_write(name, SW_RUNTIME_RULES, text, &error) != 0)
    sw_log(SW_LOG_WARNING,
           "%s; going on, but the next start will not remove the rules of this run if it is killed",
           error.text);
}

/* `text` has no end of line. */
static bool read_record(const char *text, struct sw_default_routes *routes) {
  unsigned v4, v6;
  /* numbers that are too large name no rule of ours; NOLINTNEXTLINE(cert-err34-c) */
  if (sscanf(text, RECORD, &routes->table, &routes->mark, &routes->port, &routes->user, &v4, &v6) !=
      6)
    return false;
  routes->v4 = v4;
  routes->v6 = v6;
  return true;
}

/* ---- rules ---- */

int sw_default_routes_restore(const struct sw_default_routes *routes, struct sw_netlink *netlink,
                              struct sw_error *error) {
  struct sw_rule rules[RULES_MAX];
  const unsigned count = rules_of(routes, rules);
  int failed = 0;
  for (unsigned i = 0; i < count && !failed; i++)
    failed = sw_netlink_rule_add(netlink, &rules[i], error);
  return failed;
}

int sw_default_routes_add(const struct sw_default_routes *routes, const char *name,
                          struct sw_netlink *netlink, struct sw_error *error) {
  if (!routes->v4 && !routes->v6) return 0;
  record(routes, name);
  return sw_default_routes_restore(routes, netlink, error);
}

bool sw_default_routes_has(const struct sw_default_routes *routes, uint32_t priority) {
  const uint32_t offset = priority - first_priority(routes);
  return (routes->v4 || routes->v6) && offset % SW_DEFAULT_ROUTES_STEP == 0 &&
         offset / SW_DEFAULT_ROUTES_STEP < SW_DEFAULT_ROUTES_KINDS;
}

void sw_default_routes_remove(const struct sw_default_routes *routes, const char *name,
                              struct sw_netlink *netlink) {
  struct sw_rule rules[RULES_MAX];
  struct sw_error error;
  unsigned count = rules_of(routes, rules);
  if (!count) return;
  while (count > 0)
    if (sw_netlink_rule_remove(netlink, &rules[--count], &error) != 0)
      sw_log(SW_LOG_WARNING, "%s", error.text);
  sw_undo_remove(name, SW_RUNTIME_RULES);
}

static bool is_among(const struct sw_rule *rule, const struct sw_rule *rules, unsigned count) {
  for (unsigned i = 0; i < count; i++)
    if (rules[i].v6 == rule->v6 && rules[i].priority == rule->priority &&
        rules[i].table == rule->table && rules[i].mark == rule->mark &&
        rules[i].udp_port == rule->udp_port && rules[i].user == rule->user)
      return true;
  return false;
}

int sw_default_routes_change(const struct sw_default_routes *before,
                             const struct sw_default_routes *routes, const char *name,
                             struct sw_netlink *netlink, struct sw_error *error) {
  struct sw_rule former[RULES_MAX], rules[RULES_MAX];
  const unsigned former_count = rules_of(before, former), count = rules_of(routes, rules);
  int failed = sw_default_routes_add(routes, name, netlink, error);
  for (unsigned i = 0; i < former_count && !failed; i++)
    if (!is_among(&former[i], rules, count))
      failed = sw_netlink_rule_remove(netlink, &former[i], error);
  if (!failed && !count) sw_undo_remove(name, SW_RUNTIME_RULES);
  return failed;
}

void sw_default_routes_undo(const char *name) {
  struct sw_default_routes routes;
  struct sw_netlink *netlink;
  struct sw_error error;
  char *text;
  if (sw_undo_read(name, SW_RUNTIME_RULES, &text, &error) != 0)
    sw_log(SW_LOG_WARNING, "%s", error.text);
  if (!text) return;
  if (!read_record(text, &routes)) {
    sw_log(SW_LOG_WARNING, "the record of the rules of the last run is damaged; look at: ip rule");
  } else if (sw_netlink_open(&netlink, &error) != 0) {
    sw_log(SW_LOG_WARNING, "%s", error.text);
  } else {
    sw_log(SW_LOG_WARNING, "the last run of %s was killed: removing its rules", name);
    sw_default_routes_remove(&routes, name, netlink);
    sw_netlink_close(netlink);
  }
  free(text);
}
