#include "linux/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CHAINS 64         /* those with a hook */
#define UDP_DESTINATION 2 /* offsets in the header of UDP */
#define UDP_LENGTH 4

enum direction { NEITHER, IN, OUT };

struct chain {
  char name[SW_NFTABLES_CHAIN]; /* with family and table */
  enum direction direction;
  bool drops;   /* what reaches its end */
  bool accepts; /* a rule may accept our datagrams */
};

struct reader {
  struct sw_nftables *found;
  uint16_t port, peer_port;
  struct chain chains[CHAINS];
  unsigned count;
};

/* ---- attributes ---- */

static uint32_t number_of(struct nlattr *attribute) {
  return attribute && nla_len(attribute) >= 4 ? ntohl(nla_get_u32(attribute)) : 0;
}

static const char *family_name(uint8_t family) {
  switch (family) {
  case NFPROTO_INET:
    return "inet";
  case NFPROTO_IPV4:
    return "ip";
  case NFPROTO_IPV6:
    return "ip6";
  case NFPROTO_NETDEV:
    return "netdev";
  }
  return NULL;
}

/* Parses the attributes of a message, and names the chain that it is about.  Returns false if it is none
 * that sees the link's datagrams. */
static bool parse(struct nl_msg *message, struct nlattr *attributes[], int most, int table,
                  int chain, char name[SW_NFTABLES_CHAIN]) {
  struct nlmsghdr *header = nlmsg_hdr(message);
  const struct nfgenmsg *about = nlmsg_data(header);
  if (!nlmsg_valid_hdr(header, sizeof(*about)) || !family_name(about->nfgen_family) ||
      nlmsg_parse(header, sizeof(*about), attributes, most, NULL) < 0 || !attributes[table] ||
      !attributes[chain])
    return false;
  snprintf(name, SW_NFTABLES_CHAIN, "%s %.40s %.40s", family_name(about->nfgen_family),
           nla_get_string(attributes[table]), nla_get_string(attributes[chain]));
  return true;
}

/* ---- chains ---- */

static enum direction direction_of(uint8_t family, uint32_t hook) {
  if (family == NFPROTO_NETDEV) return hook == NF_NETDEV_INGRESS ? IN : NEITHER;
  if (hook == NF_INET_PRE_ROUTING || hook == NF_INET_LOCAL_IN) return IN;
  return hook == NF_INET_LOCAL_OUT || hook == NF_INET_POST_ROUTING ? OUT : NEITHER;
}

static int take_chain(struct nl_msg *message, void *taker) {
  struct reader *reader = taker;
  struct nlattr *attributes[NFTA_CHAIN_MAX + 1], *hooks[NFTA_HOOK_MAX + 1];
  struct chain chain = {.direction = NEITHER};
  const struct nfgenmsg *about = nlmsg_data(nlmsg_hdr(message));
  if (reader->count == CHAINS ||
      !parse(message, attributes, NFTA_CHAIN_MAX, NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME, chain.name) ||
      !attributes[NFTA_CHAIN_HOOK] ||
      nla_parse_nested(hooks, NFTA_HOOK_MAX, attributes[NFTA_CHAIN_HOOK], NULL) < 0)
    return NL_OK;
  chain.direction = direction_of(about->nfgen_family, number_of(hooks[NFTA_HOOK_HOOKNUM]));
  chain.drops =
      attributes[NFTA_CHAIN_POLICY] && number_of(attributes[NFTA_CHAIN_POLICY]) == NF_DROP;
  reader->chains[reader->count++] = chain;
  return NL_OK;
}

static struct chain *find_chain(struct reader *reader, const char *name) {
  for (unsigned i = 0; i < reader->count; i++)
    if (strcmp(reader->chains[i].name, name) == 0) return &reader->chains[i];
  return NULL;
}

/* ---- rules ---- */

/* What the last expression has loaded, and the next one compares. */
enum loaded {
  LOADED_PORT,
  LOADED_LENGTH,
  LOADED_PROTOCOL,
  LOADED_FAMILY,
  LOADED_STATE,
  LOADED_OTHER
};

struct rule {
  uint16_t port; /* that counts in this chain */
  enum loaded loaded;
  bool other;   /* it is about other datagrams */
  bool port_is; /* it names the port */
  bool is_long; /* it names a length that must be exceeded */
  bool replies; /* it is about connections, or about one interface */
  bool unknown; /* it has conditions that are not understood */
  bool drop, accept;
};

static enum loaded payload(struct nlattr *data[]) {
  const uint32_t offset = number_of(data[NFTA_PAYLOAD_OFFSET]);
  if (number_of(data[NFTA_PAYLOAD_BASE]) != NFT_PAYLOAD_TRANSPORT_HEADER ||
      number_of(data[NFTA_PAYLOAD_LEN]) != 2)
    return LOADED_OTHER;
  return offset == UDP_DESTINATION ? LOADED_PORT
         : offset == UDP_LENGTH    ? LOADED_LENGTH
                                   : LOADED_OTHER;
}

static enum loaded meta(struct nlattr *data[]) {
  switch (number_of(data[NFTA_META_KEY])) {
  case NFT_META_L4PROTO:
    return LOADED_PROTOCOL;
  case NFT_META_NFPROTO:
    return LOADED_FAMILY;
  case NFT_META_LEN:
    return LOADED_LENGTH;
  case NFT_META_IIF:
  case NFT_META_IIFNAME:
    return LOADED_STATE;
  }
  return LOADED_OTHER;
}

static void compare(struct rule *rule, struct nlattr *data[]) {
  struct nlattr *values[NFTA_DATA_MAX + 1] = {NULL};
  const uint32_t operation = number_of(data[NFTA_CMP_OP]);
  if (data[NFTA_CMP_DATA]) nla_parse_nested(values, NFTA_DATA_MAX, data[NFTA_CMP_DATA], NULL);
  const struct nlattr *value = values[NFTA_DATA_VALUE];
  const uint8_t *bytes = value ? nla_data(value) : NULL;
  const int length = value ? nla_len(value) : 0;
  const bool equal = operation == NFT_CMP_EQ;
  if (rule->loaded == LOADED_PORT && equal && length >= 2) {
    rule->port_is = rule->port && (bytes[0] << 8 | bytes[1]) == rule->port;
    rule->other |= !rule->port_is;
  } else if (rule->loaded == LOADED_PROTOCOL && equal && length >= 1) {
    rule->other |= bytes[0] != IPPROTO_UDP;
  } else if (rule->loaded == LOADED_LENGTH &&
             (operation == NFT_CMP_GT || operation == NFT_CMP_GTE)) {
    rule->is_long = true;
  } else if (rule->loaded == LOADED_STATE) {
    rule->replies = true;
  } else if (rule->loaded != LOADED_FAMILY) {
    rule->unknown = true;
  }
}

static void take_verdict(struct rule *rule, struct nlattr *data[]) {
  struct nlattr *values[NFTA_DATA_MAX + 1] = {NULL}, *verdict[NFTA_VERDICT_MAX + 1] = {NULL};
  if (!data[NFTA_IMMEDIATE_DATA] ||
      nla_parse_nested(values, NFTA_DATA_MAX, data[NFTA_IMMEDIATE_DATA], NULL) < 0 ||
      !values[NFTA_DATA_VERDICT] ||
      nla_parse_nested(verdict, NFTA_VERDICT_MAX, values[NFTA_DATA_VERDICT], NULL) < 0 ||
      !verdict[NFTA_VERDICT_CODE])
    return;
  const uint32_t code = number_of(verdict[NFTA_VERDICT_CODE]);
  rule->drop = code == NF_DROP;
  rule->accept = code == NF_ACCEPT;
}

/* Whether the expression asks nothing. */
static bool is_neutral(const char *name) {
  static const char *const names[] = {"counter", "log", "byteorder"};
  for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    if (strcmp(name, names[i]) == 0) return true;
  return false;
}

static void take_expression(struct rule *rule, const char *name, struct nlattr *nested) {
  enum { MOST = 16 }; /* more than any of these expressions has */
  struct nlattr *data[MOST + 1] = {NULL};
  if (nested) nla_parse_nested(data, MOST, nested, NULL);
  if (strcmp(name, "payload") == 0)
    rule->loaded = payload(data);
  else if (strcmp(name, "meta") == 0)
    rule->loaded = meta(data);
  else if (strcmp(name, "ct") == 0)
    rule->loaded = LOADED_STATE;
  else if (strcmp(name, "cmp") == 0)
    compare(rule, data);
  else if (strcmp(name, "immediate") == 0)
    take_verdict(rule, data);
  else if (strcmp(name, "reject") == 0)
    rule->drop = true;
  else if (!is_neutral(name) && rule->loaded == LOADED_STATE)
    rule->replies = true;
  else if (!is_neutral(name))
    rule->unknown = true;
}

static void take_expressions(struct rule *rule, struct nlattr *list) {
  struct nlattr *element, *parts[NFTA_EXPR_MAX + 1];
  int rest;
  nla_for_each_nested(element, list, rest) {
    if (nla_parse_nested(parts, NFTA_EXPR_MAX, element, NULL) == 0 && parts[NFTA_EXPR_NAME])
      take_expression(rule, nla_get_string(parts[NFTA_EXPR_NAME]), parts[NFTA_EXPR_DATA]);
  }
}

static void note(char where[SW_NFTABLES_CHAIN], const char *chain, bool holds) {
  if (holds && !where[0]) memcpy(where, chain, SW_NFTABLES_CHAIN);
}

static int take_rule(struct nl_msg *message, void *taker) {
  struct reader *reader = taker;
  struct nlattr *attributes[NFTA_RULE_MAX + 1];
  char name[SW_NFTABLES_CHAIN] = "";
  if (!parse(message, attributes, NFTA_RULE_MAX, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, name) ||
      !attributes[NFTA_RULE_EXPRESSIONS])
    return NL_OK;
  struct chain *chain = find_chain(reader, name);
  const enum direction direction = chain ? chain->direction : NEITHER;
  struct rule rule = {.port = direction == OUT ? reader->peer_port : reader->port,
                      .loaded = LOADED_OTHER};
  take_expressions(&rule, attributes[NFTA_RULE_EXPRESSIONS]);
  const bool sure = !rule.other && !rule.unknown && !rule.replies;
  const bool drops = sure && rule.drop && direction != NEITHER;
  note(reader->found->drops_long, name, drops && rule.is_long);
  note(reader->found->drops_in, name, drops && rule.port_is && !rule.is_long && direction == IN);
  note(reader->found->drops_out, name, drops && rule.port_is && !rule.is_long && direction == OUT);
  if (chain && drops && !rule.port_is && !rule.is_long) chain->drops = true;
  const bool may_accept = (rule.accept || (rule.unknown && !rule.drop)) && !rule.other &&
                          (!rule.replies || rule.port_is);
  /* a chain that others jump to may accept for any of them */
  for (unsigned i = 0; i < reader->count && may_accept; i++)
    if (&reader->chains[i] == chain || !chain) reader->chains[i].accepts = true;
  return NL_OK;
}

/* ---- asking ---- */

static bool dump(struct nl_sock *socket, int type, int (*take)(struct nl_msg *, void *),
                 struct reader *reader) {
  const struct nfgenmsg request = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0};
  struct nl_msg *message = nlmsg_alloc_simple(NFNL_SUBSYS_NFTABLES << 8 | type, NLM_F_DUMP);
  bool done = false;
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, take, reader);
  if (message && nlmsg_append(message, (void *)&request, sizeof(request), NLMSG_ALIGNTO) == 0)
    done = nl_send_auto(socket, message) >= 0 && nl_recvmsgs_default(socket) >= 0;
  nlmsg_free(message);
  return done;
}

struct sw_nftables sw_nftables_read(uint16_t port, uint16_t peer_port) {
  struct sw_nftables found = {.closed = ""};
  struct reader reader = {.found = &found, .port = port, .peer_port = peer_port};
  struct nl_sock *socket = nl_socket_alloc();
  if (socket && nl_connect(socket, NETLINK_NETFILTER) == 0 &&
      dump(socket, NFT_MSG_GETCHAIN, take_chain, &reader) &&
      dump(socket, NFT_MSG_GETRULE, take_rule, &reader))
    for (unsigned i = 0; i < reader.count; i++)
      note(found.closed, reader.chains[i].name,
           reader.chains[i].drops && !reader.chains[i].accepts && reader.chains[i].direction == IN);
  nl_socket_free(socket);
  return found;
}
