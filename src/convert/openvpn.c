#include "convert/openvpn.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/endpoint.h"
#include "config/lines.h"
#include "config/value.h"
#include "convert/openvpn_reasons.h"

#define WORDS_MAX 16
#define BLANKS " \t"

struct reader {
  struct sw_ends *ends;
  struct sw_complaints *complaints;
  unsigned line;
  struct {
    const char *host;
    uint16_t port; /* 0: the one that holds for all */
    unsigned line;
  } remotes[SW_CONFIG_ENDPOINTS_MAX];
  size_t remote_count;
  uint16_t local_port, remote_port; /* 0: not given */
  bool secret, no_bind, refused;
  const char *block; /* the inline block that the line is in, or NULL */
};

struct option {
  const char *name;
  void (*read)(struct reader *, int count, char **words);
};

#define complain(reader, ...) sw_complain((reader)->complaints, (reader)->line, __VA_ARGS__)
#define remark(reader, ...) sw_remark((reader)->complaints, (reader)->line, __VA_ARGS__)

static void drop(struct reader *reader, const char *name, const char *reason) {
  remark(reader, "%s is not carried over: %s", name, reason);
}

static void check(struct reader *reader, const char *name, int failed, struct sw_error *error) {
  sw_complaints_note(reader->complaints, failed);
  if (failed) complain(reader, "%s: %s", name, error->text[0] ? error->text : "not understood");
}

/* Whether there are so many arguments as `form` says. */
static bool has(struct reader *reader, int count, char **words, int wanted, const char *form) {
  if (count > wanted) return true;
  complain(reader, "%s has too few arguments; write %s %s", words[0], words[0], form);
  return false;
}

/* ---- where the peer is ---- */

/* Returns 0 after a complaint. */
static uint16_t port_of(struct reader *reader, const char *name, const char *text) {
  const uint16_t port = sw_config_port_parse(text);
  if (!port) complain(reader, "%s: not a UDP port; write 1 to 65535", name);
  return port;
}

static void read_remote(struct reader *reader, int count, char **words) {
  if (!has(reader, count, words, 1, "HOST [PORT]")) return;
  if (reader->remote_count == SW_CONFIG_ENDPOINTS_MAX) {
    drop(reader, words[0], "a link has at most 8 endpoints");
    return;
  }
  if (count > 3 && strncmp(words[3], "udp", 3) != 0)
    remark(reader, "remote: the link runs over UDP, so let UDP pass this port");
  reader->remotes[reader->remote_count].host = words[1];
  reader->remotes[reader->remote_count].line = reader->line;
  if (count > 2) {
    reader->remotes[reader->remote_count].port = port_of(reader, words[0], words[2]);
    if (reader->remotes[reader->remote_count].port == 0) return;
  }
  reader->remote_count++;
}

static void read_port(struct reader *reader, int count, char **words) {
  if (!has(reader, count, words, 1, "PORT")) return;
  const bool any = strcmp(words[1], "0") == 0 && words[0][0] == 'l';
  const uint16_t port = any ? 0 : port_of(reader, words[0], words[1]);
  if (any) reader->no_bind = true;
  if (words[0][0] != 'r') reader->local_port = port;
  if (words[0][0] != 'l') reader->remote_port = port;
}

static void read_nobind(struct reader *reader, int count, char **words) {
  (void)count, (void)words;
  reader->no_bind = true;
}

static void read_proto(struct reader *reader, int count, char **words) {
  if (!has(reader, count, words, 1, "udp")) return;
  if (strncmp(words[1], "udp", 3) != 0)
    drop(reader, "proto", "the link runs over UDP; let UDP pass this port in firewalls");
}

/* ---- what is inside ---- */

static void read_dev(struct reader *reader, int count, char **words) {
  if (!has(reader, count, words, 1, "tun")) return;
  if (strncmp(words[1], "tap", 3) == 0)
    complain(reader,
             "%s: a tap device carries Ethernet frames, but saltway carries IP packets; give both "
             "sides dev tun with ifconfig LOCAL REMOTE, and routes to the networks",
             words[0]);
  else if (strcmp(words[0], "dev") == 0 && strcmp(words[1], "tun") != 0)
    remark(reader, "dev: the interface has the name of the link, %s; --name gives another one",
           reader->ends->ours.name);
}

static void add_address(struct reader *reader, struct sw_config *end, const char *name,
                        const char *text) {
  struct sw_error error = {""};
  const int failed = sw_value_address(end, text, &error);
  sw_complaints_note(reader->complaints, failed);
  if (failed && error.text[0])
    complain(reader, "%s: %s", name, error.text);
  else if (failed)
    complain(reader, "%s: an argument is not an address; write it like 10.8.0.1 or fd08::1/64",
             name);
}

static void read_ifconfig(struct reader *reader, int count, char **words) {
  struct in_addr local, remote;
  if (!has(reader, count, words, 2, "LOCAL REMOTE")) return;
  if (inet_pton(AF_INET, words[1], &local) != 1 || inet_pton(AF_INET, words[2], &remote) != 1) {
    complain(reader, "ifconfig: not two IPv4 addresses; write ifconfig 10.8.0.1 10.8.0.2");
  } else if (local.s_addr == remote.s_addr) {
    complain(reader, "ifconfig: both addresses are %s; each end has its own: ifconfig LOCAL REMOTE",
             words[1]);
  } else if (ntohl(remote.s_addr) >> 24 == 255) {
    complain(
        reader,
        "ifconfig: the second argument is a netmask, so the peer's address is not in this file; "
        "write ifconfig %s REMOTE, the two addresses of the link",
        words[1]);
  } else {
    add_address(reader, &reader->ends->ours, words[0], words[1]);
    add_address(reader, &reader->ends->theirs, words[0], words[2]);
  }
}

/* The length after the first address holds for both. */
static void read_ifconfig_ipv6(struct reader *reader, int count, char **words) {
  if (!has(reader, count, words, 2, "LOCAL/BITS REMOTE")) return;
  const char *slash = strchr(words[1], '/');
  char remote[SW_PREFIX_TEXT];
  words[2][strcspn(words[2], "/")] = '\0';
  if (snprintf(remote, sizeof(remote), "%s%s", words[2], slash ? slash : "") >= (int)sizeof(remote))
    remote[0] = '\0';
  add_address(reader, &reader->ends->ours, words[0], words[1]);
  add_address(reader, &reader->ends->theirs, words[0], remote);
}

/* Returns the length of a prefix, or -1 if the mask has holes. */
static int mask_length(const char *text) {
  struct in_addr mask;
  if (inet_pton(AF_INET, text, &mask) != 1) return -1;
  const uint32_t bits = ntohl(mask.s_addr), holes = ~bits;
  return (holes & (holes + 1)) == 0 ? __builtin_popcount(bits) : -1;
}

static void allow(struct reader *reader, const char *name, const char *text, const char *form) {
  struct sw_prefix range;
  struct sw_error error = {""};
  if (sw_prefix_parse(text, &range) == 0)
    check(reader, name, sw_ends_allow(&reader->ends->ours, &range, &error), &error);
  else
    complain(reader, "%s: not a network; write %s", name, form);
}

/* A route past the link, or one to an address that only OpenVPN knows, is not the link's. */
static bool leads_elsewhere(struct reader *reader, int count, char **words, int gateway) {
  const bool past = count > gateway && strcmp(words[gateway], "net_gateway") == 0;
  const bool named = strcmp(words[1], "vpn_gateway") == 0 || strcmp(words[1], "net_gateway") == 0 ||
                     strcmp(words[1], "remote_host") == 0;
  if (past || named)
    drop(reader, words[0], "it does not lead into the link; make it with ip route in PostUp");
  else if (count > gateway + 1)
    remark(reader, "%s: its metric is not carried over: Metric holds for all routes of a link",
           words[0]);
  return past || named;
}

static void read_route(struct reader *reader, int count, char **words) {
  static const char form[] = "route 10.2.0.0 255.255.0.0";
  char range[SW_PREFIX_TEXT];
  if (!has(reader, count, words, 1, "NETWORK [NETMASK]")) return;
  if (leads_elsewhere(reader, count, words, 3)) return;
  const bool whole = count < 3 || strcmp(words[2], "default") == 0;
  const int length = whole ? 32 : mask_length(words[2]);
  if (length < 0)
    complain(reader, "route: not a netmask; write it like 255.255.0.0");
  else if (strchr(words[1], '/') ||
           snprintf(range, sizeof(range), "%s/%d", words[1], length) >= (int)sizeof(range))
    complain(reader, "route: not a network; write %s", form);
  else
    allow(reader, words[0], range, form);
}

static void read_route_ipv6(struct reader *reader, int count, char **words) {
  if (!has(reader, count, words, 1, "NETWORK/BITS") || leads_elsewhere(reader, count, words, 2))
    return;
  allow(reader, words[0], words[1], "route-ipv6 fd02::/64");
}

static void read_redirect_gateway(struct reader *reader, int count, char **words) {
  bool v4 = true, v6 = false;
  for (int i = 1; i < count; i++) {
    if (strcmp(words[i], "ipv6") == 0) v6 = true;
    if (strcmp(words[i], "!ipv4") == 0) v4 = false;
  }
  if (v4) allow(reader, words[0], "0.0.0.0/0", "redirect-gateway");
  if (v6) allow(reader, words[0], "::/0", "redirect-gateway");
}

/* ---- how it runs ---- */

static void read_ping(struct reader *reader, int count, char **words) {
  struct sw_error error = {""};
  if (!has(reader, count, words, 1, "SECONDS")) return;
  if (sw_value_keepalive(&reader->ends->ours, words[1], &error) != 0)
    complain(reader, "%s: not a number of seconds; write 0 to 65535", words[0]);
  reader->ends->theirs.persistent_keepalive = reader->ends->ours.persistent_keepalive;
  if (strcmp(words[0], "keepalive") == 0)
    remark(reader, "keepalive: its second number is not carried over: a peer that is silent is "
                   "noticed by probes, and retried for ever");
}

static void read_mark(struct reader *reader, int count, char **words) {
  struct sw_error error = {""};
  if (!has(reader, count, words, 1, "NUMBER")) return;
  if (sw_value_fwmark(&reader->ends->ours, words[1], &error) != 0)
    complain(reader, "mark: not a firewall mark; write a number up to 4294967295");
}

static void read_passtos(struct reader *reader, int count, char **words) {
  (void)count, (void)words;
  reader->ends->ours.dscp = reader->ends->theirs.dscp = true;
}

/* Bytes per second of what leaves. */
static void read_shaper(struct reader *reader, int count, char **words) {
  struct sw_error error = {""};
  char rate[32];
  if (!has(reader, count, words, 1, "BYTES")) return;
  const unsigned long bytes = strtoul(words[1], NULL, 10);
  snprintf(rate, sizeof(rate), "%lu.%03lukbit", bytes / 125, bytes % 125 * 8);
  if (sw_value_bandwidth(&reader->ends->ours, rate, &error) != 0)
    drop(reader, "shaper",
         "a link's Bandwidth is at least 64kbit, which are 8000 bytes per second");
}

static void read_secret(struct reader *reader, int count, char **words) {
  (void)count;
  reader->secret = true;
  drop(reader, words[0], "both ends get a new key, and the old one should be deleted");
}

static void refuse_tls(struct reader *reader, int count, char **words) {
  (void)count;
  if (!reader->refused)
    complain(reader,
             "%s: this is a configuration with certificates (TLS mode); only one with a static key "
             "(secret FILE) can be imported. For two machines, saltway pair makes a new one",
             words[0]);
  reader->refused = true;
}

/* ---- options ---- */

static const struct option options[] = {
    {"remote", read_remote},
    {"port", read_port},
    {"lport", read_port},
    {"rport", read_port},
    {"nobind", read_nobind},
    {"proto", read_proto},
    {"dev", read_dev},
    {"dev-type", read_dev},
    {"ifconfig", read_ifconfig},
    {"ifconfig-ipv6", read_ifconfig_ipv6},
    {"route", read_route},
    {"route-ipv6", read_route_ipv6},
    {"redirect-gateway", read_redirect_gateway},
    {"keepalive", read_ping},
    {"ping", read_ping},
    {"mark", read_mark},
    {"passtos", read_passtos},
    {"shaper", read_shaper},
    {"secret", read_secret},
    {"client", refuse_tls},
    {"server", refuse_tls},
    {"server-bridge", refuse_tls},
    {"mode", refuse_tls},
    {"pull", refuse_tls},
    {"tls-client", refuse_tls},
    {"tls-server", refuse_tls},
    {"ca", refuse_tls},
    {"cert", refuse_tls},
    {"key", refuse_tls},
    {"dh", refuse_tls},
    {"pkcs12", refuse_tls},
    {"auth-user-pass", refuse_tls},
};

static const struct option *find(const char *name) {
  for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
    if (strcmp(name, options[i].name) == 0) return &options[i];
  return NULL;
}

/* A line that is no option may be part of a key.  Those have 32 characters or more. */
static void read_unknown(struct reader *reader, const char *name) {
  const size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
  if (length <= SW_LINE_NAME_MAX && name[length] == '\0')
    drop(reader, name, "not known: a part of OpenVPN that static keys do not use, or mistyped");
  else
    complain(reader,
             "not an option of OpenVPN; write NAME ARGUMENTS, and a key between <secret> and "
             "</secret>");
}

/* ---- lines ---- */

/* Cuts one word off `*rest`, as openvpn(8) does: blanks end it, quotes keep them, and a backslash
 * keeps the next character, except between single quotes.  Returns NULL if there is none, or only a
 * comment. */
static char *next_word(char **rest) {
  char *in = *rest + strspn(*rest, BLANKS), *word = in, *out = in, quote = '\0';
  if (*in == '\0' || *in == '#' || *in == ';') return NULL;
  for (; *in != '\0' && (quote || !strchr(BLANKS, *in)); in++) {
    if (quote ? *in == quote : (*in == '"' || *in == '\'')) {
      quote = quote ? '\0' : *in;
      continue;
    }
    if (*in == '\\' && quote != '\'' && in[1] != '\0') in++;
    *out++ = *in;
  }
  *rest = *in ? in + 1 : in;
  *out = '\0';
  return word;
}

/* Returns the name of an inline block's tag, "<secret>", or NULL. */
static char *tag_of(char *line) {
  const size_t length = strlen(line);
  if (line[0] != '<' || length < 3 || line[length - 1] != '>') return NULL;
  line[length - 1] = '\0';
  return line + 1;
}

static void read_option(struct reader *reader, char *line) {
  char *words[WORDS_MAX + 1], *rest = line;
  int count = 0;
  while (count < WORDS_MAX && (words[count] = next_word(&rest)) != NULL) count++;
  if (count == 0) return;
  if (strncmp(words[0], "--", 2) == 0) words[0] += 2;
  const struct option *option = find(words[0]);
  const char *reason = sw_openvpn_reason(words[0]);
  if (option)
    option->read(reader, count, words);
  else if (reason)
    drop(reader, words[0], reason);
  else
    read_unknown(reader, words[0]);
}

static void read_line(struct reader *reader, char *line) {
  struct sw_error error;
  if (sw_line_check(line, &error) != 0) {
    complain(reader, "%s", error.text);
    return;
  }
  char *text = sw_line_trim(line);
  if (reader->block) { /* its lines may be a key */
    char *tag = tag_of(text);
    if (tag && tag[0] == '/' && strcmp(tag + 1, reader->block) == 0) reader->block = NULL;
    return;
  }
  char *tag = tag_of(text);
  if (!tag) {
    read_option(reader, text);
  } else if (strcmp(tag, "connection") != 0 && strcmp(tag, "/connection") != 0) {
    reader->block = tag;
    read_option(reader, tag);
  }
}

static void add_endpoints(struct reader *reader) {
  struct sw_error error;
  const uint16_t port = reader->remote_port ? reader->remote_port : SW_OPENVPN_PORT;
  for (size_t i = 0; i < reader->remote_count; i++) {
    reader->line = reader->remotes[i].line;
    check(reader, "remote",
          sw_ends_add_endpoint(&reader->ends->ours, reader->remotes[i].host,
                               reader->remotes[i].port ? reader->remotes[i].port : port,
                               "the port is the next word", &error),
          &error);
  }
}

void sw_openvpn_read(char *text, struct sw_ends *ends, struct sw_complaints *complaints) {
  struct reader reader = {.ends = ends, .complaints = complaints};
  for (char *rest = sw_lines_start(text); *rest != '\0';) {
    char *line = sw_lines_next(&rest);
    reader.line++;
    read_line(&reader, line);
  }
  if (reader.block) complain(&reader, "an inline block has no end; write </secret> behind the key");
  if (!reader.secret && !reader.refused)
    complain(&reader, "no secret: this is not the configuration of a link with a static key; write "
                      "secret FILE");
  add_endpoints(&reader);
  if (!reader.no_bind)
    ends->ours.listen_port = reader.local_port ? reader.local_port : SW_OPENVPN_PORT;
}
