/*
 * What the parent passes to the engine when it forks it.  Afterwards they only exchange messages
 * (channel.h).
 *
 * The pointers lead to memory of the parent, of which the fork gives the engine a copy.  The keys are
 * the only secrets in it.  The engine frees its copy of them once the link is made.
 */
#ifndef SALTWAY_CHANNEL_SETUP_H
#define SALTWAY_CHANNEL_SETUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "channel/channel.h"

struct sw_tun;
struct sw_udp;

struct sw_setup {
  const struct sw_tun *tun;
  const struct sw_udp *udp;
  bool dscp; /* datagrams get the DSCP of their packets */
  struct sw_shaping shaping;
  bool confined;        /* give up all privileges before the first packet */
  struct sw_psks *psks; /* from sodium_malloc; the same as link.psks */
  struct sw_link_options link;
  pid_t parent; /* the process that forks */
  int channel;  /* the engine's end */
};

/** The function that the forked process runs.  Returns its exit status. */
typedef int sw_setup_main(const struct sw_setup *setup);

#endif
