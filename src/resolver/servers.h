/*
 * The name servers of /etc/resolv.conf (resolv.conf(5)), and the way to them.
 */
#ifndef SALTWAY_RESOLVER_SERVERS_H
#define SALTWAY_RESOLVER_SERVERS_H

#include <stdbool.h>

#include "saltway/address.h"

#define SW_SERVERS_FILE "/etc/resolv.conf"
#define SW_SERVERS_MAX 3 /* as many as the C library uses */

/** Reads the name servers of `file`.  Returns how many there are; 0 if it cannot be read. */
unsigned sw_servers_read(const char *file, struct sw_address servers[SW_SERVERS_MAX]);

/** Finds the first name server to which this process's datagrams leave by the interface of this
 * index.  Returns false if there is none, or the index is 0. */
bool sw_servers_behind(unsigned interface, struct sw_address *server);

#endif
