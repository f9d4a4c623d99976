/*
 * A link's configuration file, in the format of WireGuard's tools (saltway.conf(5)), and what it
 * means.
 *
 * sw_config_load reads a whole file and reports every mistake in it, with its line, what is wrong
 * and what would be right.  A file with a mistake is not loaded at all.  The struct owns its
 * hooks and ranges, which sw_config_free frees; it holds no secret.
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
#include "saltway/key.h"

#define SW_CONFIG_DIRECTORY "/etc/saltway"

/* Limits of a file.  Each has an error of its own. */
#define SW_CONFIG_FILE_MAX 1048576 /* bytes */
#define SW_CONFIG_LINE_MAX 16384   /* bytes without the line's end: room for 800 ranges */
#define SW_CONFIG_ADDRESSES_MAX 16
#define SW_CONFIG_ALLOWED_IPS_MAX 8192
#define SW_CONFIG_ENDPOINTS_MAX 8
#define SW_CONFIG_HOOKS_MAX 64 /* of each kind */

enum sw_config_table {
  SW_CONFIG_TABLE_AUTO, /* the main table; another one for default routes */
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
  int64_t modified; /* when that was written, in nanoseconds since the epoch; 0: it was not read */

  /* [Interface] */
  struct sw_prefix addresses[SW_CONFIG_ADDRESSES_MAX]; /* host bits kept: our own address */
  size_t address_count;
  uint16_t listen_port; /* 0: any free port */
  uint16_t mtu;         /* bytes; 0: not given */
  enum sw_config_table table_kind;
  uint32_t table;                     /* if SW_CONFIG_TABLE_NUMBER */
  uint32_t metric;                    /* of the routes; 0: not given */
  uint32_t fwmark;                    /* 0: not given */
  uint64_t bandwidth;                 /* bits per second; 0: no limit */
  uint16_t overhead;                  /* bytes that the line adds to each datagram */
  bool dscp;                          /* of packets is copied to datagrams; false if not given */
  char netns[PATH_MAX];               /* of the interface, a name or a path; empty: our own */
  bool offload;                       /* true if not given */
  bool sandbox;                       /* true if not given */
  char *post_up[SW_CONFIG_HOOKS_MAX]; /* shell commands; "%i" in them is the name */
  size_t post_up_count;
  char *pre_down[SW_CONFIG_HOOKS_MAX];
  size_t pre_down_count;

  /* [Peer] */
  char key_file[PATH_MAX];
  struct sw_config_endpoint endpoints[SW_CONFIG_ENDPOINTS_MAX]; /* none: wait for the peer */
  size_t endpoint_count;
  struct sw_prefix *allowed_ips; /* no host bits set */
  size_t allowed_ip_count;
  uint16_t persistent_keepalive; /* seconds; 0: off; 25 if not given */
};

/** Whether a user means a file by `name_or_file`: with a slash, or the ending ".conf". */
bool sw_config_is_file(const char *name_or_file);

/** Finds the file and the link's name that a user means by `name_or_file`.  If it is no
 * file it is NAME for /etc/saltway/NAME.conf.  Initializes `config`:
 * name and file are set, all else is empty.  Returns 0, or -EINVAL after writing one line about
 * what is wrong to `complaints`. */
int sw_config_locate(const char *name_or_file, struct sw_config *config, FILE *complaints);

/** Sets what holds where the file says nothing, and is not zero. */
void sw_config_set_defaults(struct sw_config *config);

/** Reads config->file into `config`, which sw_config_locate has initialized, and the keys from the
 * key file that it names into `psks`, which the caller wipes.  Writes a line "FILE:LINE: what is
 * wrong; what would be right" to `complaints` for every mistake ("FILE: ..." if the file cannot be
 * read at all), and lines that are no mistakes, too.  Returns the number of mistakes, or -ENOMEM, -EMFILE or -ENFILE if the system was
 * short of that, which is no mistake and may pass.  Unless 0 is returned `config` is as
 * sw_config_locate left it and `psks` is wiped. */
int sw_config_load(struct sw_config *config, struct sw_psks *psks, FILE *complaints);

/** Whether the range is 0.0.0.0/0 or ::/0. */
bool sw_config_is_all(const struct sw_prefix *range);

/** Whether default routes of a family are to lead through the link, by rules: the range of all its
 * addresses is in AllowedIPs, and the table is not configured. */
bool sw_config_default_route(const struct sw_config *config, bool v4);

/** Frees what `config` owns.  Name and file stay, so that it can be loaded again. */
void sw_config_free(struct sw_config *config);

#endif
