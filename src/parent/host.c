#include "parent/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "channel/setup.h"
#include "linux/netlink.h"

/* A super-packet that does not fit one send would be sent as a large one and a small one. */
static void cap_super_packets(struct sw_netlink *netlink, unsigned index, unsigned mtu) {
  const unsigned fit = SW_UDP_RUN / (mtu + SW_OVERHEAD);
  sw_netlink_gso_segments(netlink, index, fit < SW_UDP_SEGMENTS ? fit : SW_UDP_SEGMENTS);
}

/* A router advertisement comes from a link-local address, which the peer may use.  It would give the
 * host an address and a default route, whatever AllowedIPs says.  Before the interface is up: the
 * kernel then does not solicit one either. */
static void refuse_router_advertisements(const char *interface) {
  char file[sizeof("/proc/sys/net/ipv6/conf//accept_ra") + IFNAMSIZ];
  snprintf(file, sizeof(file), "/proc/sys/net/ipv6/conf/%s/accept_ra", interface);
  const int fd = open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0 && (errno == ENOENT || errno == EACCES))
    return; /* no IPv6, or not ours to configure */
  if (fd < 0 || write(fd, "0\n", 2) != 2)
    sw_log(
        SW_LOG_WARNING,
        "cannot set %s to 0: %s; the peer's router advertisements could give this host a default "
        "route",
        file, strerror(errno));
  if (fd >= 0) close(fd);
}

static int add_routes(struct sw_netlink *netlink, unsigned index, const struct sw_config *config,
                      struct sw_error *error) {
  for (size_t i = 0; i < config->allowed_ip_count; i++) {
    const struct sw_prefix *range = &config->allowed_ips[i];
    const uint32_t best = sw_ip_is_v4(range->ip) ? SW_HOST_METRIC_V4 : SW_HOST_METRIC_V6;
    const struct sw_route route = {
        .prefix = *range, .table = config->table, .metric = config->metric ? config->metric : best};
    const int failed = sw_netlink_route_add(netlink, index, &route, error);
    if (failed) return failed;
  }
  return 0;
}

static int configure(struct sw_host *host, const struct sw_config *config, struct sw_error *error) {
  struct sw_netlink *netlink;
  int failed = sw_netlink_open(&netlink, error);
  if (failed) return failed;
  const unsigned index = host->tun.index;
  host->mtu = config->mtu ? config->mtu : SW_HOST_MTU;
  refuse_router_advertisements(host->tun.name);
  failed = sw_netlink_link_up(netlink, index, host->mtu, SW_HOST_QUEUE, error);
  if (failed == -EPERM && host->tun.persistent) {
    sw_log(SW_LOG_INFO, "without CAP_NET_ADMIN: using the interface %s as it is configured",
           host->tun.name);
    failed = sw_netlink_link_mtu(netlink, index, &host->mtu, error);
    sw_netlink_close(netlink);
    return failed;
  }
  if (!failed) cap_super_packets(netlink, index, host->mtu);
  for (size_t i = 0; i < config->address_count && !failed; i++)
    failed = sw_netlink_address_add(netlink, index, &config->addresses[i], error);
  if (!failed && config->table_kind != SW_CONFIG_TABLE_OFF)
    failed = add_routes(netlink, index, config, error);
  sw_netlink_close(netlink);
  return failed;
}

int sw_host_open(struct sw_host *host, const struct sw_config *config, struct sw_error *error) {
  *host = (struct sw_host){.tun.fd = -1, .udp.fd = -1};
  int failed = sw_tun_open(&host->tun, config->name, config->offload, error);
  if (!failed && config->offload && !host->tun.offload)
    sw_log(
        SW_LOG_WARNING,
        "the kernel's TUN device has no offloads: packets come one by one, and the link is slower");
  if (!failed)
    failed = sw_udp_open(&host->udp, config->listen_port, config->fwmark, config->offload, error);
  if (!failed) failed = configure(host, config, error);
  if (failed) sw_host_close(host);
  return failed;
}

void sw_host_close(struct sw_host *host) {
  sw_udp_close(&host->udp);
  sw_tun_close(&host->tun);
}
