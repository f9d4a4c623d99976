/*
 * What the applications behind one host send through the link: small IP packets, each made from its
 * number alone, so that a packet that is delivered can be held to every byte that was sent, and to
 * having been sent, once.
 */
#ifndef SIM_TRAFFIC_H
#define SIM_TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"
#include "saltway/address.h"

#define TRAFFIC_PACKET_MAX 1400

enum traffic_flavour {
  TRAFFIC_FAIR,
  TRAFFIC_FOREIGN, /* from outside AllowedIPs */
  TRAFFIC_OWN,     /* claims to come from the receiver's own network */
  TRAFFIC_NOT_IP,  /* its length is not what its header says */
};

struct traffic_packet {
  uint64_t time;
  enum traffic_flavour flavour;
  bool accepted; /* the link sealed it */
  bool delivered;
};

struct traffic {
  unsigned side;
  uint64_t seed;
  uint64_t interval; /* mean time between packets; 0: silence */
  uint64_t next;
  unsigned foul; /* per mille of packets that must not be delivered */
  struct traffic_packet *packets;
  uint64_t count, capacity;
};

void traffic_start(struct traffic *traffic, unsigned side, uint64_t seed);
void traffic_free(struct traffic *traffic);

/* The networks behind a side, in both families: what its packets come from. */
#define TRAFFIC_NETWORKS 2
void traffic_networks(unsigned side, struct sw_prefix networks[TRAFFIC_NETWORKS]);

/* Makes the next packet; returns its length.  Its number is traffic->count - 1. */
size_t traffic_make(struct traffic *traffic, struct dice *dice, uint64_t now,
                    uint8_t packet[TRAFFIC_PACKET_MAX]);

/* Fails unless `packet` is one that this side sent, fit to be delivered and not delivered yet;
 * returns its number. */
uint64_t traffic_deliver(struct traffic *traffic, const uint8_t *packet, size_t length);

/* How many fair packets sent from `since` on were not delivered. */
uint64_t traffic_lost(const struct traffic *traffic, uint64_t since);

#endif
