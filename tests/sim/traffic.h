/*
 * The packets that applications behind one host send through the link.  Each small IP packet is
 * made from its number alone, so that every byte of a delivered packet can be checked, and that it
 * is delivered once.
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
  TRAFFIC_OWN,     /* from the receiver's own network */
  TRAFFIC_NOT_IP,  /* its length contradicts its header */
};

struct traffic_packet {
  uint64_t time;
  enum traffic_flavour flavour;
  bool accepted; /* the link sealed it */
  bool too_long; /* the kernel refused it */
  bool delivered;
};

struct traffic {
  unsigned side;
  uint64_t seed;
  uint64_t interval; /* mean time between packets; 0: none */
  uint64_t next;
  unsigned bad; /* per mille of packets that must not be delivered */
  struct traffic_packet *packets;
  uint64_t count, capacity;
};

void traffic_start(struct traffic *traffic, unsigned side, uint64_t seed);
void traffic_free(struct traffic *traffic);

/* Source networks behind each side, one of each family. */
#define TRAFFIC_NETWORKS 2
void traffic_networks(unsigned side, struct sw_prefix networks[TRAFFIC_NETWORKS]);

/* Makes the next packet, number traffic->count - 1; returns its length. */
size_t traffic_make(struct traffic *traffic, struct dice *dice, uint64_t now,
                    uint8_t packet[TRAFFIC_PACKET_MAX]);

/* Fails unless this side sent `packet`, it may be delivered, and it was not delivered before.
 * Returns its number. */
uint64_t traffic_deliver(struct traffic *traffic, const uint8_t *packet, size_t length);

/* Returns how many deliverable packets sent from `since` on were not delivered. */
uint64_t traffic_lost(const struct traffic *traffic, uint64_t since);

#endif
