/*
 * Addresses.  They are plain values without pointers or padding, and can be compared byte by byte.
 * IPv4 addresses are stored IPv4-mapped (::ffff:a.b.c.d, RFC 4291 §2.5.5.2).  Nothing here is
 * secret.  Any thread may use its own copies.
 */
#ifndef SALTWAY_ADDRESS_H
#define SALTWAY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SW_IP_BYTES 16

/** Longest text of an sw_address, "[address%scope]:port" and the terminating zero. */
#define SW_ADDRESS_TEXT 72

/** Longest text of an sw_prefix, "address/128" and the terminating zero. */
#define SW_PREFIX_TEXT 50

/** The source or destination of a datagram: an IP address and a UDP port. */
struct sw_address {
  uint8_t ip[SW_IP_BYTES]; /* network order, IPv4-mapped for IPv4 */
  uint32_t scope;          /* interface index of an IPv6 link-local address, else 0 */
  uint32_t port;           /* 1 to 65535; 0: no address */
};

/** The two ends of the path that a datagram takes. */
struct sw_path {
  struct sw_address peer;
  uint8_t local[SW_IP_BYTES]; /* our own address; all zero: the kernel chooses */
};

/** A range of inner addresses: those that share the first `length` bits of `ip`.  `length` is 0 to
 * 128; 96 + n for an IPv4 /n. */
struct sw_prefix {
  uint8_t ip[SW_IP_BYTES];
  uint8_t length;
};

/** Whether address, port and scope are equal. */
bool sw_address_equal(const struct sw_address *a, const struct sw_address *b);

/** Whether both ends are equal. */
bool sw_path_equal(const struct sw_path *a, const struct sw_path *b);

/** Whether `ip` (16 bytes) is an IPv4-mapped address. */
bool sw_ip_is_v4(const uint8_t ip[SW_IP_BYTES]);

/** Writes "192.0.2.1:51900" or "[2001:db8::1]:51900" to `text`, and returns it. */
char *sw_address_text(const struct sw_address *address, char text[SW_ADDRESS_TEXT]);

/** Whether `ip` is in the prefix.  An IPv6 prefix contains no IPv4 address, not even ::/0. */
bool sw_prefix_contains(const struct sw_prefix *prefix, const uint8_t ip[SW_IP_BYTES]);

/** Whether `inner` is `outer` or a part of it. */
bool sw_prefix_within(const struct sw_prefix *inner, const struct sw_prefix *outer);

/** The same range with the bits past its length cleared. */
struct sw_prefix sw_prefix_network(const struct sw_prefix *prefix);

/** Writes the other host of a network of two, an IPv4 /30 or /31 or an IPv6 /126 or /127, to `ip`.
 * Returns whether it is one. */
bool sw_prefix_other(const struct sw_prefix *prefix, uint8_t ip[SW_IP_BYTES]);

/** Writes "10.2.0.0/16" or "fd02::/64" to `text`, and returns it. */
char *sw_prefix_text(const struct sw_prefix *prefix, char text[SW_PREFIX_TEXT]);

/** Parses "10.2.0.0/16" or "fd02::/64"; without a length the prefix is the one address.  Bits past
 * the length are kept as written.  Returns 0, or -EINVAL for any other text, an IPv4-mapped address
 * (::ffff:10.2.0.1) included. */
int sw_prefix_parse(const char *text, struct sw_prefix *prefix);

#endif
