#include "linux/changes.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdalign.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES 16384 /* more than any message has that is not part of a list */
#define GROUP(number) (1U << ((number)-1))

/* ---- messages ---- */

static void read_link(struct nlmsghdr *message, struct sw_change *change) {
  const struct ifinfomsg *link = nlmsg_data(message);
  if (!nlmsg_valid_hdr(message, sizeof(*link)) || link->ifi_family != AF_UNSPEC) return;
  change->kind = SW_CHANGE_LINK;
  change->index = (unsigned)link->ifi_index;
  change->up = message->nlmsg_type == RTM_NEWLINK && link->ifi_flags & IFF_UP;
}

static void read_prefix(bool v4, const struct nlattr *ip, unsigned length,
                        struct sw_prefix *prefix) {
  if (v4) prefix->ip[10] = prefix->ip[11] = 0xff;
  if (ip) nla_memcpy(prefix->ip + (v4 ? 12 : 0), ip, v4 ? 4 : SW_IP_BYTES);
  prefix->length = (uint8_t)(length + (v4 ? 96 : 0));
}

static void read_address(struct nlmsghdr *message, struct sw_change *change) {
  const struct ifaddrmsg *address = nlmsg_data(message);
  struct nlattr *attributes[IFA_MAX + 1];
  if (nlmsg_parse(message, sizeof(*address), attributes, IFA_MAX, NULL) < 0) return;
  change->kind = SW_CHANGE_ADDRESS;
  change->index = address->ifa_index;
  /* with a peer's address, which is the other attribute then, or without */
  const struct nlattr *local =
      attributes[IFA_LOCAL] ? attributes[IFA_LOCAL] : attributes[IFA_ADDRESS];
  read_prefix(address->ifa_family == AF_INET, local, address->ifa_prefixlen, &change->prefix);
}

static void read_route(struct nlmsghdr *message, struct sw_change *change) {
  const struct rtmsg *route = nlmsg_data(message);
  struct nlattr *attributes[RTA_MAX + 1];
  if (nlmsg_parse(message, sizeof(*route), attributes, RTA_MAX, NULL) < 0) return;
  const bool v4 = route->rtm_family == AF_INET;
  if ((!v4 && route->rtm_family != AF_INET6) || route->rtm_flags & RTM_F_CLONED) return;
  const struct nlattr *table = attributes[RTA_TABLE], *metric = attributes[RTA_PRIORITY];
  read_prefix(v4, attributes[RTA_DST], route->rtm_dst_len, &change->prefix);
  change->table = table ? nla_get_u32(table) : route->rtm_table;
  change->metric = metric ? nla_get_u32(metric) : 0;
  change->tos = route->rtm_tos;
  if (attributes[RTA_OIF]) change->index = nla_get_u32(attributes[RTA_OIF]);
  const bool replaced = message->nlmsg_flags & NLM_F_REPLACE;
  change->kind =
      message->nlmsg_type == RTM_DELROUTE || replaced ? SW_CHANGE_ROUTE : SW_CHANGE_ROUTE_PRESENT;
}

static void read_rule(struct nlmsghdr *message, struct sw_change *change) {
  struct nlattr *attributes[FRA_MAX + 1];
  if (nlmsg_parse(message, sizeof(struct fib_rule_hdr), attributes, FRA_MAX, NULL) < 0) return;
  change->kind = SW_CHANGE_RULE;
  if (attributes[FRA_PRIORITY]) change->priority = nla_get_u32(attributes[FRA_PRIORITY]);
}

void sw_change_read(struct nlmsghdr *message, struct sw_change *change) {
  *change = (struct sw_change){.kind = SW_CHANGE_OTHER};
  switch (message->nlmsg_type) {
  case RTM_NEWLINK:
  case RTM_DELLINK:
    read_link(message, change);
    break;
  case RTM_DELADDR:
    read_address(message, change);
    break;
  case RTM_NEWROUTE:
  case RTM_DELROUTE:
    read_route(message, change);
    break;
  case RTM_DELRULE:
    read_rule(message, change);
    break;
  }
}

/* ---- socket ---- */

int sw_changes_open(struct sw_error *error) {
  const struct sockaddr_nl groups = {
      .nl_family = AF_NETLINK,
      .nl_groups = GROUP(RTNLGRP_LINK) | GROUP(RTNLGRP_IPV4_IFADDR) | GROUP(RTNLGRP_IPV6_IFADDR) |
                   GROUP(RTNLGRP_IPV4_ROUTE) | GROUP(RTNLGRP_IPV6_ROUTE) |
                   GROUP(RTNLGRP_IPV4_RULE) | GROUP(RTNLGRP_IPV6_RULE)};
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd >= 0 && bind(fd, (const struct sockaddr *)&groups, sizeof(groups)) == 0) return fd;
  const int code = errno;
  if (fd >= 0) close(fd);
  return sw_error_set(error, code, NULL, "netlink: cannot watch interfaces, addresses and routes");
}

int sw_changes_receive(int fd, void (*heard)(void *user, const struct sw_change *change),
                       void *user) {
  alignas(struct nlmsghdr) char buffer[BUFFER_BYTES];
  struct sockaddr_nl from;
  socklen_t size = sizeof(from);
  const ssize_t length =
      recvfrom(fd, buffer, sizeof(buffer), MSG_TRUNC, (struct sockaddr *)&from, &size);
  if (length < 0) return -errno;
  if (length > BUFFER_BYTES) return -ENOBUFS;
  if (from.nl_pid != 0) return 0; /* not from the kernel */
  int left = (int)length;
  for (struct nlmsghdr *message = (struct nlmsghdr *)(void *)buffer; nlmsg_ok(message, left);
       message = nlmsg_next(message, &left)) {
    struct sw_change change;
    sw_change_read(message, &change);
    if (change.kind != SW_CHANGE_OTHER) heard(user, &change);
  }
  return 0;
}
