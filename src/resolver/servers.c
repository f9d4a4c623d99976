#include "resolver/servers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "linux/lookup.h"

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

/* Asked for this process's user, as its queries are sent by that. */
static bool leads_to(unsigned interface, const struct sw_address *server) {
  struct sw_lookup_packet packet = {.mark = 0};
  memcpy(packet.ip, server->ip, SW_IP_BYTES);
  return sw_lookup_route(&packet).index == interface;
}

bool sw_servers_behind(unsigned interface, struct sw_address *server) {
  struct sw_address servers[SW_SERVERS_MAX];
  const unsigned count = interface ? sw_servers_read(SW_SERVERS_FILE, servers) : 0;
  bool found = false;
  for (unsigned i = 0; i < count && !found; i++) {
    *server = servers[i];
    found = leads_to(interface, server);
  }
  return found;
}
