#include "convert/ends.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/endpoint.h"
#include "config/lines.h"
#include "config/value.h"

#define SINGLE (8 * SW_IP_BYTES)
#define CHOICE_TRIES 64

int sw_ends_init(struct sw_ends *ends, const char *name, FILE *complaints) {
  static const char ending[] = ".conf";
  char file[PATH_MAX];
  if (strchr(name, '/') ||
      snprintf(file, sizeof(file), SW_CONFIG_DIRECTORY "/%s.conf", name) >= (int)sizeof(file)) {
    fprintf(complaints, "%s: not the name of a link; write 1 to %d letters or digits\n", name,
            IFNAMSIZ - 1);
    return -EINVAL;
  }
  const size_t length = strlen(name), taken = strlen(ending);
  if (length >= taken && strcmp(name + length - taken, ending) == 0) {
    fprintf(complaints, "%s: this is the name of a file; that of a link has no \"%s\", like %.*s\n",
            name, ending, length > taken ? (int)(length - taken) : -1,
            length > taken ? name : "site-b");
    return -EINVAL;
  }
  if (sw_config_locate(file, &ends->ours, complaints) != 0) return -EINVAL;
  sw_config_set_defaults(&ends->ours);
  ends->theirs = ends->ours;
  return 0;
}

void sw_ends_free(struct sw_ends *ends) {
  sw_config_free(&ends->ours);
  sw_config_free(&ends->theirs);
}

/* ---- AllowedIPs ---- */

int sw_ends_allow(struct sw_config *end, const struct sw_prefix *range, struct sw_error *error) {
  const struct sw_prefix network = sw_prefix_network(range);
  char text[SW_PREFIX_TEXT];
  for (size_t i = 0; i < end->allowed_ip_count; i++)
    if (end->allowed_ips[i].length == network.length &&
        memcmp(end->allowed_ips[i].ip, network.ip, SW_IP_BYTES) == 0)
      return 0;
  return sw_value_allowed_ip(end, sw_prefix_text(&network, text), error);
}

int sw_ends_allow_list(struct sw_config *end, const char *list, struct sw_error *error) {
  char *copy = strdup(list);
  if (!copy) return sw_error_set(error, ENOMEM, NULL, "cannot keep the networks");
  int failed = 0;
  for (char *rest = copy, *entry; !failed && (entry = strsep(&rest, ",")) != NULL;) {
    struct sw_prefix range;
    entry = sw_line_trim(entry);
    if (sw_prefix_parse(entry, &range) == 0)
      failed = sw_ends_allow(end, &range, error);
    else
      failed = sw_error_set(error, 0, NULL,
                            "\"%s\" is not a range of addresses; write it like 10.2.0.0/16 or "
                            "fd02::/64, and a comma between two of them",
                            entry);
  }
  free(copy);
  return failed;
}

int sw_ends_join(char **list, const char *more) {
  char *joined;
  if (asprintf(&joined, "%s%s%s", *list ? *list : "", *list ? "," : "", more) < 0) return -ENOMEM;
  free(*list);
  *list = joined;
  return 0;
}

static bool allowed(const struct sw_config *end, const uint8_t ip[SW_IP_BYTES], bool by_all) {
  for (size_t i = 0; i < end->allowed_ip_count; i++)
    if ((by_all || !sw_config_is_all(&end->allowed_ips[i])) &&
        sw_prefix_contains(&end->allowed_ips[i], ip))
      return true;
  return false;
}

static int allow_addresses_of(struct sw_config *end, const struct sw_config *peer,
                              struct sw_error *error) {
  int failed = 0;
  for (size_t i = 0; i < peer->address_count && !failed; i++) {
    struct sw_prefix address = peer->addresses[i];
    address.length = SINGLE;
    if (!allowed(end, address.ip, true)) failed = sw_ends_allow(end, &address, error);
  }
  return failed;
}

int sw_ends_allow_addresses(struct sw_ends *ends, struct sw_error *error) {
  const int failed = allow_addresses_of(&ends->ours, &ends->theirs, error);
  return failed ? failed : allow_addresses_of(&ends->theirs, &ends->ours, error);
}

/* ---- what cannot be a link ---- */

/* Whether the end finds the other one at an address, and not at a name or not at all. */
static bool has_peer_address(const struct sw_config *end, struct sw_prefix *address) {
  return end->endpoint_count > 0 && sw_prefix_parse(end->endpoints[0].host, address) == 0;
}

static int check_hosts(const struct sw_ends *ends, struct sw_error *error) {
  const struct sw_config *ours = &ends->ours, *theirs = &ends->theirs;
  struct sw_prefix a, b;
  if (ours->endpoint_count == 0 || theirs->endpoint_count == 0) return 0;
  const char *host_a = theirs->endpoints[0].host, *host_b = ours->endpoints[0].host;
  const bool same_address = has_peer_address(theirs, &a) && has_peer_address(ours, &b) &&
                            memcmp(a.ip, b.ip, SW_IP_BYTES) == 0;
  if (!same_address && strcasecmp(host_a, host_b) != 0) return 0;
  return sw_error_set(
      error, 0, NULL,
      "HOST_A and HOST_B are both %s; write this machine and then the other one, or "
      "\"-\" for one that cannot be reached from outside",
      host_b);
}

/* `side` is the letter of the other machine. */
static int check_way(const struct sw_config *end, char side, struct sw_error *error) {
  struct sw_prefix address;
  char text[SW_PREFIX_TEXT];
  if (!has_peer_address(end, &address)) return 0;
  for (size_t i = 0; i < end->allowed_ip_count; i++) {
    const struct sw_prefix *range = &end->allowed_ips[i];
    if (sw_config_is_all(range) || !sw_prefix_contains(range, address.ip)) continue;
    return sw_error_set(error, 0,
                        "if a more specific route leads to it, add the network to AllowedIPs in "
                        "the file that is made",
                        "HOST_%c, %s, is in %s of --networks-%c, so the link's own datagrams would "
                        "go into the link; write smaller networks, without this address",
                        side - 'a' + 'A', end->endpoints[0].host, sw_prefix_text(range, text),
                        side);
  }
  return 0;
}

static int check_network(const struct sw_prefix *a, const struct sw_prefix *b, FILE *notices,
                         struct sw_error *error) {
  char text_a[SW_PREFIX_TEXT], text_b[SW_PREFIX_TEXT];
  const bool a_in_b = sw_prefix_within(a, b), b_in_a = sw_prefix_within(b, a);
  sw_prefix_text(a, text_a);
  sw_prefix_text(b, text_b);
  if (a_in_b && b_in_a)
    return sw_error_set(error, 0, NULL,
                        "%s is in both --networks-a and --networks-b; write it only for the side "
                        "where it is. If it is on both sides, renumber one of them",
                        text_a);
  if ((a_in_b && !sw_config_is_all(b)) || (b_in_a && !sw_config_is_all(a)))
    fprintf(notices,
            "pair: %s of --networks-%c is a part of %s of --networks-%c: the smaller network goes "
            "its own way; if that is not meant, remove one of them\n",
            a_in_b ? text_a : text_b, a_in_b ? 'a' : 'b', a_in_b ? text_b : text_a,
            a_in_b ? 'b' : 'a');
  return 0;
}

int sw_ends_check(const struct sw_ends *ends, FILE *notices, struct sw_error *error) {
  const struct sw_config *ours = &ends->ours, *theirs = &ends->theirs;
  int failed = check_hosts(ends, error);
  if (!failed) failed = check_way(ours, 'b', error);
  if (!failed) failed = check_way(theirs, 'a', error);
  for (size_t i = 0; i < theirs->allowed_ip_count; i++)
    for (size_t j = 0; j < ours->allowed_ip_count && !failed; j++)
      failed = check_network(&theirs->allowed_ips[i], &ours->allowed_ips[j], notices, error);
  return failed;
}

/* ---- addresses ---- */

static void choose(struct sw_ends *ends, struct sw_prefix (*random_pair)(void)) {
  struct sw_prefix address;
  int tries = 0;
  do address = random_pair();
  while (++tries < CHOICE_TRIES &&
         (allowed(&ends->ours, address.ip, false) || allowed(&ends->theirs, address.ip, false)));
  ends->ours.addresses[ends->ours.address_count++] = address;
  address.ip[SW_IP_BYTES - 1] |= 1;
  ends->theirs.addresses[ends->theirs.address_count++] = address;
}

static struct sw_prefix random_v4(void) {
  struct sw_prefix pair = {.ip = {[10] = 0xff, 0xff}, .length = SINGLE - 1};
  randombytes_buf(pair.ip + 12, 4);
  pair.ip[12] = 10;
  pair.ip[13] = (uint8_t)(64 | (pair.ip[13] & 31));
  pair.ip[15] &= 0xfe;
  return pair;
}

static struct sw_prefix random_v6(void) {
  struct sw_prefix pair = {.length = SINGLE - 1};
  randombytes_buf(pair.ip, 8);
  pair.ip[0] = 0xfd;
  return pair;
}

void sw_ends_choose_addresses(struct sw_ends *ends) {
  choose(ends, random_v4);
  choose(ends, random_v6);
}

/* ---- endpoints ---- */

#define HOST_BYTES sizeof(((struct sw_config_endpoint *)NULL)->host)

/* Copies a host, and leaves out the brackets around an IPv6 address. */
static bool is_host(const char *text, size_t length, char host[HOST_BYTES]) {
  const bool bracketed = length > 1 && text[0] == '[' && text[length - 1] == ']';
  if (length >= HOST_BYTES) return false;
  snprintf(host, HOST_BYTES, "%.*s", (int)(bracketed ? length - 2 : length), text + bracketed);
  return sw_config_is_host(host) && (!bracketed || strchr(host, ':'));
}

/* Says what is wrong with a host, and shows of it only what was written. */
static int refuse_host(const char *text, const char *port_rule, struct sw_error *error) {
  char host[HOST_BYTES];
  const char *at = strrchr(text, '@'), *start = at ? at + 1 : text, *colon = strrchr(start, ':');
  const bool has_port = colon && !is_host(start, strlen(start), host) && colon[1] != '\0' &&
                        colon[1 + strspn(colon + 1, "0123456789")] == '\0';
  if ((at || has_port) && is_host(start, has_port ? (size_t)(colon - start) : strlen(start), host))
    return sw_error_set(error, 0, has_port ? port_rule : NULL,
                        "\"%s\" has a %s, but a host is a name or an address alone; write %s", text,
                        at && has_port ? "user and a port"
                        : at           ? "user"
                                       : "port",
                        host);
  return sw_error_set(error, 0, NULL,
                      "\"%s\" is neither an address nor a host name; write it like 192.0.2.1, "
                      "2001:db8::1 or b.example.net",
                      text);
}

int sw_ends_add_endpoint(struct sw_config *end, const char *host, uint16_t port,
                         const char *port_rule, struct sw_error *error) {
  char plain[HOST_BYTES], text[sizeof(plain) + sizeof("[]:65535")];
  if (strlen(host) >= sizeof(plain))
    return sw_error_set(error, 0, NULL, "the name of the host is too long");
  if (!is_host(host, strlen(host), plain)) return refuse_host(host, port_rule, error);
  snprintf(text, sizeof(text), strchr(plain, ':') ? "[%s]:%u" : "%s:%u", plain, port);
  error->text[0] = '\0';
  const int failed = sw_value_endpoint(end, text, error);
  if (failed && error->text[0] == '\0')
    sw_error_set(error, 0, NULL, "the name of the host is too long");
  return failed;
}

static void complain_of(struct sw_complaints *complaints, int failed,
                        const struct sw_error *error) {
  sw_complaints_note(complaints, failed);
  if (failed) sw_complain(complaints, 0, "%s", error->text);
}

void sw_ends_finish(struct sw_ends *ends, const char *host, uint16_t port,
                    struct sw_complaints *complaints) {
  struct sw_config *ours = &ends->ours, *theirs = &ends->theirs;
  struct sw_error error;
  if (ours->address_count == 0) {
    sw_ends_choose_addresses(ends);
    sw_remark(complaints, 0, "no addresses in this file; both ends get new ones");
  }
  complain_of(complaints, sw_ends_allow_addresses(ends, &error), &error);
  theirs->listen_port = ours->endpoint_count > 0 ? ours->endpoints[0].port : 0;
  if (host && ours->listen_port == 0) ours->listen_port = port;
  if (host && sw_ends_add_endpoint(theirs, host, ours->listen_port,
                                   "the port is that of the old tunnel", &error) != 0)
    sw_complain(complaints, 0, "--host: %s", error.text);
  else if (!host && ours->endpoint_count == 0)
    sw_complain(
        complaints, 0,
        "no address of the peer in this file, and none of this machine: the two ends cannot "
        "meet; add --host HOST, the name or address at which the peer reaches this machine");
  if (sw_config_default_route(ours, true) || sw_config_default_route(ours, false))
    sw_remark(complaints, 0,
              "all traffic goes through the link, so the other machine must forward it (sysctl "
              "net.ipv4.ip_forward=1) and translate its addresses");
}
