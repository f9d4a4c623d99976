#include "linux/netlink.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include "linux/netlink_parts.h"

/* ---- errors ---- */

/* libnl has fewer error numbers than the kernel.  So the kernel's own comes first, then errno, which
 * sw_netlink_begin cleared and a system call may have set. */
int sw_netlink_code(const struct sw_netlink *netlink, int failed) {
  if (netlink->refusal) return netlink->refusal;
  if (failed == -NLE_NOMEM) return ENOMEM;
  if (failed == -NLE_NODEV) return ENODEV; /* rtnl_link_get_kernel reports only this */
  return errno ? errno : EPROTO;
}

/* Extended acknowledgements follow the request that the kernel returns, which it may omit (Linux
 * Documentation/userspace-api/netlink/intro.rst). */
static int take_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *taker) {
  (void)from;
  struct sw_netlink *netlink = taker;
  netlink->refusal = -refusal->error;
  const struct nlmsghdr *header =
      (const struct nlmsghdr *)(const void *)((const char *)refusal - NLMSG_HDRLEN);
  if (!(header->nlmsg_flags & NLM_F_ACK_TLVS)) return NL_STOP;
  const bool capped = header->nlmsg_flags & NLM_F_CAPPED;
  const int skip = (int)sizeof(*refusal) +
                   (capped ? 0 : (int)NLMSG_ALIGN(refusal->msg.nlmsg_len) - NLMSG_HDRLEN);
  const struct nlattr *reason = nlmsg_find_attr((struct nlmsghdr *)header, skip, NLMSGERR_ATTR_MSG);
  if (reason) nla_strlcpy(netlink->reason, reason, sizeof(netlink->reason));
  return NL_STOP;
}

struct nl_sock *sw_netlink_begin(struct sw_netlink *netlink) {
  netlink->refusal = 0;
  netlink->reason[0] = '\0';
  errno = 0;
  return netlink->socket;
}

const char *sw_netlink_name(unsigned index, char name[IFNAMSIZ]) {
  if (!if_indextoname(index, name)) snprintf(name, IFNAMSIZ, "#%u", index);
  return name;
}

const char *sw_netlink_fix(const struct sw_netlink *netlink, int code) {
  switch (code) {
  case EPERM:
    return "CAP_NET_ADMIN is needed: run as root; in a container: --cap-add NET_ADMIN";
  case ENODEV:
    return "it was deleted: start the link again";
  case ENETDOWN:
    return "the interface was set down: start the link again";
  case ENFILE:
    return "the system has too many files open; raise the limit: sysctl fs.file-max";
  case EMFILE:
    return "this program has too many files open; raise the limit: ulimit -n";
  }
  return netlink->reason[0] ? netlink->reason : NULL;
}

/* A device that this program makes disappears with it, so its
 * sysctls cannot be set by hand; it takes the defaults. */
const char *sw_netlink_fix_v6(const struct sw_netlink *netlink, int code, const char *name,
                              char text[SW_NETLINK_FIX]) {
  switch (code) {
  case EACCES:
    snprintf(text, SW_NETLINK_FIX,
             "IPv6 is disabled: sysctl net/ipv6/conf/%s/disable_ipv6=0, or, before the interface "
             "is made, net/ipv6/conf/default/disable_ipv6=0; or leave IPv6 out",
             name);
    return text;
  case EINVAL:
    if (netlink->reason[0]) break;
    return "IPv6 needs an MTU of 1280 or more";
  case EOPNOTSUPP:
  case EAFNOSUPPORT:
    return "the kernel runs without IPv6: boot without ipv6.disable=1, or leave IPv6 out";
  }
  return sw_netlink_fix(netlink, code);
}

/* ---- socket ---- */

int sw_netlink_open(struct sw_netlink **netlink, struct sw_error *error) {
  struct sw_netlink *opened = calloc(1, sizeof(*opened));
  if (!opened) return sw_error_set(error, ENOMEM, NULL, "netlink: cannot open a socket");
  opened->socket = nl_socket_alloc();
  const int failed =
      opened->socket ? nl_connect(sw_netlink_begin(opened), NETLINK_ROUTE) : -NLE_NOMEM;
  if (failed < 0) {
    const int code = sw_netlink_code(opened, failed);
    sw_error_set(error, code, sw_netlink_fix(opened, code), "netlink: cannot open a socket");
    sw_netlink_close(opened);
    return -code;
  }
  const int on = 1;
  setsockopt(nl_socket_get_fd(opened->socket), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
  nl_socket_modify_err_cb(opened->socket, NL_CB_CUSTOM, take_refusal, opened);
  *netlink = opened;
  return 0;
}

void sw_netlink_close(struct sw_netlink *netlink) {
  if (!netlink) return;
  nl_socket_free(netlink->socket);
  free(netlink);
}

unsigned sw_netlink_added(const struct sw_netlink *netlink) {
  return netlink->added;
}

int sw_netlink_note_added(struct sw_netlink *netlink, int result) {
  if (result >= 0) netlink->added++;
  return result;
}

struct nl_addr *sw_netlink_address(const struct sw_prefix *prefix) {
  const bool v4 = sw_ip_is_v4(prefix->ip);
  assert(prefix->length <= 128 && (!v4 || prefix->length >= 96));
  struct nl_addr *address = v4 ? nl_addr_build(AF_INET, prefix->ip + 12, 4)
                               : nl_addr_build(AF_INET6, prefix->ip, SW_IP_BYTES);
  if (address) nl_addr_set_prefixlen(address, v4 ? prefix->length - 96 : prefix->length);
  return address;
}
