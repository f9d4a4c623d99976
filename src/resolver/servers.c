#include "resolver/servers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "linux/routes.h"

#define LINE_MAX_BYTES 256 /* the C library's own */
#define DNS_PORT 53

/* A scope, as in fe80::1%eth0, tells the interface already: such a server is left out. */
static bool parse_server(const char *line, struct sw_address *server) {
  char text[INET6_ADDRSTRLEN];
  if (sscanf(line, "nameserver%*[ \t]%45s", text) != 1) return false;
  *server = (struct sw_address){.ip = {[10] = 0xff, [11] = 0xff}, .port = DNS_PORT};
  return inet_pton(AF_INET, text, server->ip + 12) == 1 ||
         inet_pton(AF_INET6, text, server->ip) == 1;
}

unsigned sw_servers_read(const char *file, struct sw_address servers[SW_SERVERS_MAX]) {
  char line[LINE_MAX_BYTES];
  unsigned count = 0;
  FILE *lines = fopen(file, "re");
  while (lines && count < SW_SERVERS_MAX && fgets(line, sizeof(line), lines))
    count += parse_server(line, &servers[count]);
  if (lines) (void)fclose(lines);
  return count;
}

bool sw_servers_behind(unsigned interface, struct sw_address *server) {
  struct sw_address servers[SW_SERVERS_MAX];
  const unsigned count = sw_servers_read(SW_SERVERS_FILE, servers);
  struct sw_netlink *netlink;
  struct sw_error error;
  bool found = false;
  if (!interface || sw_netlink_open(&netlink, &error) != 0) return false;
  for (unsigned i = 0; i < count && !found; i++) {
    *server = servers[i];
    found = sw_netlink_route_interface(netlink, server->ip) == interface;
  }
  sw_netlink_close(netlink);
  return found;
}
