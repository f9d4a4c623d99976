/* The way to the peer: names, routes, and what rp_filter thinks of the way back. */
#include "doctor/gather.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/sysctl.h"
#include "parent/default_routes.h"
#include "parent/names.h"
#include "resolver/servers.h"

#define ANSWER_MS 12000        /* the C library gives up after 10 s */
#define TRY_NS (7 * SW_SECOND) /* more than the longest pause between the peer's tries */
#define AGAIN_MS 200

/* ---- names ---- */

static void add_endpoint(struct sw_doctor_facts *facts, const struct sw_address *ip,
                         uint16_t port) {
  if (facts->endpoint_count == SW_ENDPOINTS_MAX) return;
  struct sw_address *address = &facts->endpoints[facts->endpoint_count++].address;
  *address = *ip;
  address->port = port;
}

static void add_answer(struct sw_doctor_facts *facts, const struct sw_config_endpoint *endpoint,
                       const struct sw_names_answer *answer) {
  for (uint32_t i = 0; i < answer->count; i++)
    add_endpoint(facts, &answer->addresses[i], endpoint->port);
  if (answer->count == 0 && !facts->unresolved[0])
    snprintf(facts->unresolved, sizeof(facts->unresolved), "%s: %s", endpoint->host,
             answer->failure);
}

/* Asks the resolver at the other end of the channel. */
static void ask(struct sw_doctor_facts *facts, int channel) {
  const struct sw_config *config = &facts->config;
  struct sw_names_question question = {.interface = 0};
  struct sw_names_answer answer;
  for (size_t i = 0; i < config->endpoint_count; i++) {
    memcpy(question.host, config->endpoints[i].host, sizeof(question.host));
    send(channel, &question, sizeof(question), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  shutdown(channel, SHUT_WR);
  for (uint32_t i = 0; i < config->endpoint_count; i++) {
    struct pollfd wait = {.fd = channel, .events = POLLIN};
    const bool answered = poll(&wait, 1, ANSWER_MS) == 1 &&
                          recv(channel, &answer, sizeof(answer), 0) == (ssize_t)sizeof(answer) &&
                          sw_names_answer_valid(&answer, i);
    if (!answered)
      answer = (struct sw_names_answer){.failure = "no name server answers within 12 seconds"};
    add_answer(facts, &config->endpoints[i], &answer);
    if (!answered) return;
  }
}

static void look_up(struct sw_doctor_facts *facts) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return;
  const pid_t resolver = sw_names_start_resolver(&facts->config, ends[1]);
  close(ends[1]);
  if (resolver > 0) {
    ask(facts, ends[0]);
    kill(resolver, SIGKILL);
    waitpid(resolver, NULL, 0);
  }
  close(ends[0]);
}

static bool is_name(const struct sw_config_endpoint *endpoint) {
  struct sw_names_answer answer;
  return sw_names_look_up(endpoint->host, AI_NUMERICHOST, &answer) != 0;
}

void sw_doctor_names(struct sw_doctor_facts *facts) {
  const struct sw_config *config = &facts->config;
  struct sw_address servers[SW_SERVERS_MAX];
  bool named = false;
  for (size_t i = 0; i < config->endpoint_count; i++) named |= is_name(&config->endpoints[i]);
  if (named) {
    facts->server_count = sw_servers_read(SW_SERVERS_FILE, servers);
    for (unsigned i = 0; i < facts->server_count; i++) facts->servers[i].address = servers[i];
  }
  if (config->endpoint_count &&
      (!facts->status.running || strcmp(facts->status.state, "resolving") == 0))
    look_up(facts);
}

/* ---- routes ---- */

/* The setting that holds for the interface is the larger one. */
static int rp_filter_of(const char *interface) {
  char name[sizeof("net/ipv4/conf//rp_filter") + IFNAMSIZ];
  int all = 0, one = 0;
  snprintf(name, sizeof(name), "net/ipv4/conf/%s/rp_filter", interface);
  sw_sysctl_get("net/ipv4/conf/all/rp_filter", &all);
  sw_sysctl_get(name, &one);
  return all > one ? all : one;
}

static bool mark_valid_of(const char *interface) {
  char name[sizeof("net/ipv4/conf//src_valid_mark") + IFNAMSIZ];
  int all = 0, one = 0;
  snprintf(name, sizeof(name), "net/ipv4/conf/%s/src_valid_mark", interface);
  sw_sysctl_get("net/ipv4/conf/all/src_valid_mark", &all);
  sw_sysctl_get(name, &one);
  return all || one;
}

static void look_up_routes(struct sw_doctor_endpoint *endpoint, uint32_t mark, uint16_t port) {
  struct sw_lookup_packet packet = {.mark = mark};
  memcpy(packet.ip, endpoint->address.ip, SW_IP_BYTES);
  packet.from_port = port;
  packet.to_port = (uint16_t)endpoint->address.port;
  endpoint->route = sw_lookup_route(&packet);
  packet.mark = 0;
  endpoint->back = sw_lookup_route(&packet);
  endpoint->rp_filter = rp_filter_of(endpoint->route.interface);
  endpoint->mark_valid = mark_valid_of(endpoint->route.interface);
}

static void look_up_ranges(struct sw_doctor_facts *facts) {
  const struct sw_config *config = &facts->config;
  facts->link_rp_filter = rp_filter_of(facts->name);
  for (size_t i = 0; i < config->allowed_ip_count && i < SW_DOCTOR_RANGES; i++) {
    struct sw_lookup_packet packet = {.mark = 0};
    memcpy(packet.ip, config->allowed_ips[i].ip, SW_IP_BYTES);
    facts->ranges[facts->range_count++] = sw_lookup_route(&packet);
  }
}

void sw_doctor_routes(struct sw_doctor_facts *facts) {
  const struct sw_config *config = &facts->config;
  static const struct sw_lookup_packet internet = {
      .ip = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 88, [14] = 99, [15] = 1}};
  struct sw_lookup_packet out = internet;
  const bool apart =
      sw_config_default_route(config, true) || sw_config_default_route(config, false);
  const uint16_t port =
      (uint16_t)(facts->status.running ? facts->status.port : config->listen_port);
  facts->mark = config->fwmark ? config->fwmark : apart ? SW_DEFAULT_ROUTES_TABLE : 0;
  for (unsigned i = 0; i < facts->endpoint_count; i++)
    look_up_routes(&facts->endpoints[i], facts->mark, port);
  for (unsigned i = 0; i < facts->server_count; i++) look_up_routes(&facts->servers[i], 0, 0);
  out.mark = facts->mark;
  facts->uplink = sw_lookup_route(&out);
  if (facts->loaded && facts->status.running && !config->netns[0]) look_up_ranges(facts);
}

/* ---- rp_filter ---- */

/* /proc/net/netstat: a line of names, and a line of numbers, each after "TcpExt:". */
static uint64_t rp_count(void) {
  char *names = NULL, *numbers = NULL;
  size_t names_size = 0, numbers_size = 0;
  uint64_t count = 0;
  FILE *file = fopen("/proc/net/netstat", "re");
  if (file && getline(&names, &names_size, file) > 0 &&
      getline(&numbers, &numbers_size, file) > 0) {
    char *name_rest, *number_rest;
    const char *name = strtok_r(names, " \n", &name_rest);
    const char *number = strtok_r(numbers, " \n", &number_rest);
    while (name && number && strcmp(name, "IPReversePathFilter") != 0) {
      name = strtok_r(NULL, " \n", &name_rest);
      number = strtok_r(NULL, " \n", &number_rest);
    }
    if (name && number) count = strtoull(number, NULL, 10);
  }
  free(names);
  free(numbers);
  if (file) (void)fclose(file);
  return count;
}

static bool is_strict(const struct sw_doctor_facts *facts) {
  for (unsigned i = 0; i < facts->endpoint_count; i++)
    if (facts->endpoints[i].rp_filter == 1) return true;
  return rp_filter_of(facts->uplink.interface) == 1;
}

void sw_doctor_rp_filter(struct sw_doctor_facts *facts) {
  const uint64_t before = rp_count(), end = sw_clock_now() + TRY_NS;
  if (!before || !facts->status.running || sw_doctor_is_up(facts) || !is_strict(facts)) return;
  while (sw_clock_now() < end && (facts->rp_filtered = rp_count() - before) == 0)
    poll(NULL, 0, AGAIN_MS);
}
