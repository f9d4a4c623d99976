/*
 * What the kernel tells of interfaces, addresses, routes and rules: messages of rtnetlink(7), about
 * changes that any process makes.
 *
 * They belong to the network namespace in which the socket was opened.  Only the kernel can send
 * them.  One thread at a time may use a socket.
 */
#ifndef SALTWAY_LINUX_CHANGES_H
#define SALTWAY_LINUX_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "saltway/address.h"

struct nlmsghdr;

enum sw_change_kind {
  SW_CHANGE_OTHER,
  SW_CHANGE_LINK,          /* an interface: its state may have changed */
  SW_CHANGE_ADDRESS,       /* was removed */
  SW_CHANGE_ROUTE,         /* was removed, or another one took its place */
  SW_CHANGE_ROUTE_PRESENT, /* was added, or is in a list of routes */
  SW_CHANGE_RULE,          /* was removed */
};

struct sw_change {
  enum sw_change_kind kind;
  unsigned index;          /* the interface of a link, address or route; 0: none, or several */
  bool up;                 /* a link */
  struct sw_prefix prefix; /* of an address or route */
  uint32_t table, metric;  /* of a route, as is its type of service */
  uint8_t tos;
  uint32_t priority; /* of a rule */
};

/** Reads one message. */
void sw_change_read(struct nlmsghdr *message, struct sw_change *change);

/** Opens a socket on which the kernel reports changes, non-blocking and close-on-exec.  Returns it, or
 * a negative errno with `error` filled. */
int sw_changes_open(struct sw_error *error);

/** Receives some changes and calls `heard` for each.  Returns 0 or a negative errno: -EAGAIN if there
 * are none, -ENOBUFS if changes were lost. */
int sw_changes_receive(int fd, void (*heard)(void *user, const struct sw_change *change),
                       void *user);

#endif
