#include "parent/host.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "linux/netlink.h"
#include "saltway/link.h"

extern char **environ;

/* A super-packet that does not fit one send would leave as a large one and a small one. */
static void cap_super_packets(struct sw_netlink *netlink, unsigned index, unsigned mtu) {
  const unsigned fit = SW_UDP_RUN / (mtu + SW_OVERHEAD);
  sw_netlink_gso_segments(netlink, index, fit < SW_UDP_SEGMENTS ? fit : SW_UDP_SEGMENTS);
}

static int configure(struct sw_host *host, const struct sw_config *config, struct sw_error *error) {
  struct sw_netlink *netlink;
  int failed = sw_netlink_open(&netlink, error);
  if (failed) return failed;
  const unsigned index = host->tun.index;
  host->mtu = config->mtu ? config->mtu : SW_HOST_MTU;
  failed = sw_netlink_link_up(netlink, index, host->mtu, SW_HOST_QUEUE, error);
  if (failed == -EPERM && host->tun.persistent) {
    sw_log(SW_LOG_INFO, "without CAP_NET_ADMIN: using the interface %s as it is", host->tun.name);
    failed = sw_netlink_link_mtu(netlink, index, &host->mtu, error);
    sw_netlink_close(netlink);
    return failed;
  }
  if (!failed) cap_super_packets(netlink, index, host->mtu);
  for (size_t i = 0; i < config->address_count && !failed; i++)
    failed = sw_netlink_address_add(netlink, index, &config->addresses[i], error);
  if (config->table_kind != SW_CONFIG_TABLE_OFF)
    for (size_t i = 0; i < config->allowed_ip_count && !failed; i++)
      failed = sw_netlink_route_add(netlink, index, &config->allowed_ips[i], config->table, error);
  sw_netlink_close(netlink);
  return failed;
}

int sw_host_open(struct sw_host *host, const struct sw_config *config, struct sw_error *error) {
  *host = (struct sw_host){.tun.fd = -1, .udp.fd = -1};
  int failed = sw_tun_open(&host->tun, config->name, config->offload, error);
  if (!failed && config->offload && !host->tun.offload)
    sw_log(SW_LOG_WARNING, "the kernel's TUN device hands over packets one by one; going on so");
  if (!failed)
    failed = sw_udp_open(&host->udp, config->listen_port, config->fwmark, config->offload, error);
  if (!failed) failed = configure(host, config, error);
  if (failed) sw_host_close(host);
  return failed;
}

/* Writes `hook` with every "%i" replaced.  Returns false if it does not fit. */
static bool expand(const char *hook, const char *interface, char *out, size_t size) {
  while (*hook) {
    const bool name = strncmp(hook, "%i", 2) == 0;
    const int length =
        name ? snprintf(out, size, "%s", interface) : snprintf(out, size, "%c", *hook);
    if ((size_t)length >= size) return false;
    out += length;
    size -= (size_t)length;
    hook += name ? 2 : 1;
  }
  *out = '\0';
  return true;
}

/* With SIGPIPE as a shell expects it: we ignore it, and that would be inherited. */
static int spawn_shell(pid_t *pid, char *const arguments[]) {
  posix_spawnattr_t attributes;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGPIPE);
  int failed = posix_spawnattr_init(&attributes);
  if (failed) return failed;
  posix_spawnattr_setsigdefault(&attributes, &signals);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  failed = posix_spawn(pid, "/bin/sh", NULL, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  return failed;
}

int sw_host_run_hooks(const char (*hooks)[SW_CONFIG_HOOK_TEXT], size_t count, const char *interface,
                      struct sw_error *error) {
  for (size_t i = 0; i < count; i++) {
    char command[4 * SW_CONFIG_HOOK_TEXT];
    if (!expand(hooks[i], interface, command, sizeof(command)))
      return sw_error_set(error, E2BIG, NULL, "hook \"%s\"", hooks[i]);
    sw_log(SW_LOG_INFO, "running: %s", command);
    char *const arguments[] = {"sh", "-c", command, NULL};
    pid_t pid;
    int status = 0;
    const int failed = spawn_shell(&pid, arguments);
    if (failed)
      return sw_error_set(error, failed, NULL, "hook \"%s\": cannot run /bin/sh", command);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (status != 0)
      return sw_error_set(error, 0, "run it by hand to see why",
                          "hook \"%s\" failed with status %d", command,
                          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
  return 0;
}

void sw_host_close(struct sw_host *host) {
  sw_udp_close(&host->udp);
  sw_tun_close(&host->tun);
}
