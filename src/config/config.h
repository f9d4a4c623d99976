/*
 * A link's configuration file: the ini format of WireGuard's tools, read with inih.
 *
 * sw_config_load reads a whole file and reports every mistake in it, each with its line, what is
 * wrong and what would be right; it loads nothing half.  The struct owns no memory and holds no
 * secret (only the key file's path): it may be copied and needs no freeing.
 */
#ifndef SALTWAY_CONFIG_CONFIG_H
#define SALTWAY_CONFIG_CONFIG_H

#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "saltway/address.h"

#define SW_CONFIG_DIRECTORY "/etc/saltway"
#define SW_CONFIG_ADDRESSES_MAX 16
#define SW_CONFIG_ALLOWED_IPS_MAX 256
#define SW_CONFIG_ENDPOINTS_MAX 8
#define SW_CONFIG_HOOKS_MAX 8
#define SW_CONFIG_HOOK_TEXT 200

enum sw_config_table {
  SW_CONFIG_TABLE_AUTO, /* routes to AllowedIPs go to the main table */
  SW_CONFIG_TABLE_OFF,  /* no routes are made */
  SW_CONFIG_TABLE_NUMBER,
};

struct sw_config_endpoint {
  char host[256]; /* a name or an address, without brackets */
  uint16_t port;
};

struct sw_config {
  char name[IFNAMSIZ]; /* the interface's and the link's name: the file's stem */
  char file[PATH_MAX]; /* where it was read from */

  /* [Interface] */
  struct sw_prefix addresses[SW_CONFIG_ADDRESSES_MAX]; /* host bits kept: the own address */
  size_t address_count;
  uint16_t listen_port; /* 0: any free port */
  uint16_t mtu;         /* 0: not given */
  enum sw_config_table table_kind;
  uint32_t table;                                         /* if SW_CONFIG_TABLE_NUMBER */
  uint32_t fwmark;                                        /* 0: none */
  bool offload;                                           /* true if not given */
  bool sandbox;                                           /* likewise */
  char post_up[SW_CONFIG_HOOKS_MAX][SW_CONFIG_HOOK_TEXT]; /* shell commands, "%i" is the name */
  size_t post_up_count;
  char pre_down[SW_CONFIG_HOOKS_MAX][SW_CONFIG_HOOK_TEXT];
  size_t pre_down_count;

  /* [Peer] */
  char key_file[PATH_MAX];
  struct sw_config_endpoint endpoints[SW_CONFIG_ENDPOINTS_MAX]; /* none: wait for the peer */
  size_t endpoint_count;
  struct sw_prefix allowed_ips[SW_CONFIG_ALLOWED_IPS_MAX]; /* no host bits set */
  size_t allowed_ip_count;
  uint16_t persistent_keepalive; /* seconds; 0: off; 25 if not given */
};

/** Turns what a user typed after `saltway up` into a file and a link name.  With a slash or the
 * ending ".conf" it is a file, else it is NAME for /etc/saltway/NAME.conf.  Fills config->file and
 * config->name.  Returns 0, or -EINVAL after it wrote a line about what is wrong to `complaints`.
 */
int sw_config_locate(const char *name_or_file, struct sw_config *config, FILE *complaints);

/** Reads config->file (see sw_config_locate) into `config`, and the key file far enough to know
 * that it will do.  Writes a line "FILE:LINE: what is wrong; what would be right" to `complaints`
 * for every mistake ("FILE: ..." if the file cannot be read at all).  Returns the number of
 * mistakes: 0 if the configuration is good. */
int sw_config_load(struct sw_config *config, FILE *complaints);

#endif
