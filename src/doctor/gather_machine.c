/* What the kernel says of this machine. */
#include "doctor/gather.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "linux/netns.h"
#include "linux/sandbox.h"
#include "linux/sysctl.h"
#include "linux/tun.h"
#include "linux/udp.h"

void sw_doctor_tun(struct sw_doctor_facts *facts) {
  facts->tun = sw_tun_probe(&facts->tun_error);
}

void sw_doctor_privileges(struct sw_doctor_facts *facts) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
  if (syscall(SYS_capget, &header, data) == 0)
    facts->capabilities = (uint64_t)data[1].effective << 32 | data[0].effective;
  facts->root = geteuid() == 0;
  facts->resolver_user = sw_sandbox_has_user(SW_SANDBOX_RESOLVER_USER);
}

/* In the namespace of the link's interface. */
void sw_doctor_interfaces(struct sw_doctor_facts *facts) {
  struct sw_error error;
  const int netns = facts->config.netns[0] ? sw_netns_open(facts->config.netns, &error) : -1;
  if (netns == -ENOENT) facts->netns_error = error;
  const int before = netns >= 0 ? sw_netns_enter(netns, &error) : -1;
  if (!facts->config.netns[0] || before >= 0) {
    facts->interface_count = sw_lookup_interfaces(facts->interfaces, SW_DOCTOR_INTERFACES);
    facts->address_count = sw_lookup_addresses(facts->addresses, SW_DOCTOR_ADDRESSES);
  }
  if (before >= 0) sw_netns_leave(before);
  if (netns >= 0) close(netns);
}

/* ---- UDP sockets ---- */

struct udp_socket {
  unsigned long inode; /* 0: there is none */
  uint64_t drops;
};

/* Finds the socket with this local port in one of the kernel's lists. */
static bool find_socket(const char *list, unsigned port, struct udp_socket *found) {
  char line[256], local[8], inode[24], drops[24];
  bool any = false;
  FILE *lines = fopen(list, "re");
  while (lines && !any && fgets(line, sizeof(line), lines)) {
    any = sscanf(line, " %*s %*[0-9A-F]:%7s %*s %*s %*s %*s %*s %*s %*s %23s %*s %*s %23s", local,
                 inode, drops) == 3 &&
          strtoul(local, NULL, 16) == port;
    if (any) *found = (struct udp_socket){strtoul(inode, NULL, 10), strtoull(drops, NULL, 10)};
  }
  if (lines) (void)fclose(lines);
  return any;
}

static struct udp_socket socket_at(unsigned port) {
  struct udp_socket found = {0};
  if (port && !find_socket("/proc/net/udp6", port, &found))
    find_socket("/proc/net/udp", port, &found);
  return found;
}

static bool has_socket(const char *process, const char *wanted) {
  char directory[64], target[64];
  snprintf(directory, sizeof(directory), "/proc/%.16s/fd", process);
  DIR *descriptors = opendir(directory);
  bool found = false;
  for (const struct dirent *entry; descriptors && !found && (entry = readdir(descriptors));) {
    const ssize_t length =
        readlinkat(dirfd(descriptors), entry->d_name, target, sizeof(target) - 1);
    if (length < 0) continue;
    target[length] = '\0';
    found = strcmp(target, wanted) == 0;
  }
  if (descriptors) closedir(descriptors);
  return found;
}

static void read_line(const char *path, char *line, size_t size) {
  FILE *file = fopen(path, "re");
  if (!file || !fgets(line, (int)size, file)) line[0] = '\0';
  line[strcspn(line, "\n")] = '\0';
  if (file) (void)fclose(file);
}

static void find_holder(unsigned long inode, char *text, size_t size) {
  char wanted[64], path[64], name[32];
  snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
  DIR *processes = opendir("/proc");
  for (const struct dirent *entry; processes && (entry = readdir(processes));) {
    if (!isdigit((unsigned char)entry->d_name[0]) || !has_socket(entry->d_name, wanted)) continue;
    snprintf(path, sizeof(path), "/proc/%.16s/comm", entry->d_name);
    read_line(path, name, sizeof(name));
    snprintf(text, size, "%s (pid %.16s)", name, entry->d_name);
    break;
  }
  if (processes) closedir(processes);
}

void sw_doctor_port(struct sw_doctor_facts *facts) {
  struct sw_udp udp;
  const uint16_t port = facts->config.listen_port;
  if (facts->status.running || !port) return;
  facts->port = sw_udp_open(&udp, port, 0, false, &facts->port_error);
  if (facts->port == 0) sw_udp_close(&udp);
  const struct udp_socket holder = socket_at(port);
  if (facts->port == -EADDRINUSE && holder.inode)
    find_holder(holder.inode, facts->port_holder, sizeof(facts->port_holder));
}

void sw_doctor_buffers(struct sw_doctor_facts *facts) {
  facts->overflows = facts->status.running ? socket_at(facts->status.port).drops : 0;
  sw_sysctl_get("net/core/rmem_max", &facts->receive_limit);
}

/* ---- settings ---- */

void sw_doctor_forwarding(struct sw_doctor_facts *facts) {
  int v4 = 1, v6 = 1;
  sw_sysctl_get("net/ipv4/ip_forward", &v4);
  sw_sysctl_get("net/ipv6/conf/all/forwarding", &v6);
  facts->forward_v4 = v4 > 0;
  facts->forward_v6 = v6 > 0;
}

static uint32_t setting(const char *name) {
  int value = 0;
  return sw_sysctl_get(name, &value) == 0 && value > 0 ? (uint32_t)value : 0;
}

void sw_doctor_firewall(struct sw_doctor_facts *facts) {
  const uint32_t port = facts->status.running ? facts->status.port : facts->config.listen_port;
  const uint32_t peer = facts->endpoint_count ? facts->endpoints[0].address.port : 0;
  if (facts->loaded) facts->nftables = sw_nftables_read((uint16_t)port, (uint16_t)peer);
  facts->conntrack.entries = setting("net/netfilter/nf_conntrack_count");
  facts->conntrack.most = setting("net/netfilter/nf_conntrack_max");
  facts->conntrack.udp_timeout = setting("net/netfilter/nf_conntrack_udp_timeout_stream");
}

void sw_doctor_congestion(struct sw_doctor_facts *facts) {
  read_line("/proc/sys/net/ipv4/tcp_congestion_control", facts->congestion,
            sizeof(facts->congestion));
}

static bool feature(int fd, const char *interface, uint32_t command, bool *on) {
  struct ethtool_value value = {.cmd = command};
  struct ifreq request = {.ifr_data = (void *)&value};
  snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
  if (ioctl(fd, SIOCETHTOOL, &request) < 0) return false;
  *on = value.data != 0;
  return true;
}

/* Of the interface that leads to the peer. */
void sw_doctor_offload(struct sw_doctor_facts *facts) {
  const char *interface = facts->endpoint_count ? facts->endpoints[0].route.interface : "";
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct sw_udp udp;
  struct sw_error error;
  facts->offload.known = fd >= 0 && interface[0] &&
                         feature(fd, interface, ETHTOOL_GGRO, &facts->offload.gro) &&
                         feature(fd, interface, ETHTOOL_GGSO, &facts->offload.gso) &&
                         feature(fd, interface, ETHTOOL_GTXCSUM, &facts->offload.checksum);
  if (fd >= 0) close(fd);
  if (sw_udp_open(&udp, 0, 0, true, &error) != 0) return;
  facts->gro_sound = udp.gro;
  sw_udp_close(&udp);
}

/* The kernel shows when it was booted by its wall clock as it is set now.  So no part of the program asks
 * for the time of day. */
static time_t wall_clock(void) {
  char line[256];
  long long booted = 0;
  FILE *file = fopen("/proc/stat", "re");
  while (file && !booted && fgets(line, sizeof(line), file))
    if (strncmp(line, "btime ", 6) == 0) booted = strtoll(line + 6, NULL, 10);
  if (file) (void)fclose(file);
  return booted ? (time_t)(booted + (long long)(sw_clock_now() / SW_SECOND)) : 0;
}

void sw_doctor_clock(struct sw_doctor_facts *facts) {
  struct stat status;
  facts->now = wall_clock();
  if (facts->loaded && stat(facts->config.key_file, &status) == 0)
    facts->key_time = status.st_mtim.tv_sec;
}
