/*
 * The channel between parent and engine: messages of one fixed size over a socket pair that keeps
 * message boundaries.  The parent sends orders and requests; the engine sends answers and events.
 *
 * An attacker may control the engine.  The parent validates each message before it uses anything in
 * it, and ends the link at the first one that no engine would send.  The only number in a message
 * that the parent uses as a length is checked against the size of its array; none is used as an
 * index or an address.
 */
#ifndef SALTWAY_CHANNEL_CHANNEL_H
#define SALTWAY_CHANNEL_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "saltway/link.h"

#define SW_CHANNEL_TEXT 512
#define SW_CHANNEL_OWN_MAX 16 /* our own addresses */

enum sw_channel_kind {
  /* from the parent */
  SW_CHANNEL_ENDPOINTS = 1, /* the peer's addresses */
  SW_CHANNEL_KEYS,          /* the link's keys; secret: both ends wipe the message */
  SW_CHANNEL_SOURCES,       /* some of the ranges that the next settings are about */
  SW_CHANNEL_SETTINGS,      /* what the configuration says now */
  SW_CHANNEL_ASK,           /* request for a snapshot */
  SW_CHANNEL_STOP,          /* send the farewell and exit */
  /* from the engine */
  SW_CHANNEL_STARTED,  /* confined, and ready for packets */
  SW_CHANNEL_SNAPSHOT, /* answer to a request, or the link's state changed */
  SW_CHANNEL_FAILED,   /* the engine exits; the text says why */
};

struct sw_channel_endpoints {
  uint32_t count;
  struct sw_address addresses[SW_ENDPOINTS_MAX];
};

struct sw_channel_keys {
  uint32_t count;
  struct sw_psk psks[SW_PSKS_MAX];
};

/** A part of the allowed sources of inner packets: they do not fit into one message. */
#define SW_CHANNEL_SOURCES_MAX 128
struct sw_channel_sources {
  uint32_t first; /* the number of ranges in the messages before */
  uint32_t count;
  struct sw_prefix ranges[SW_CHANNEL_SOURCES_MAX];
};

/** The rate that the link's datagrams are held to. */
struct sw_shaping {
  uint64_t bandwidth; /* bits per second of the line; 0: no limit */
  uint32_t overhead;  /* bytes that the line adds to each datagram, beyond the IP header */
};

struct sw_channel_settings {
  uint32_t source_count; /* of the messages before */
  uint32_t own_count;
  struct sw_prefix own[SW_CHANNEL_OWN_MAX];
  uint32_t persistent_keepalive; /* seconds */
  uint32_t mtu;                  /* configured; 0: that of the path */
  bool dscp;
  struct sw_shaping shaping;
};

/** The packets that wait in the engine because more is to be sent than the line carries. */
struct sw_queue_status {
  uint64_t bytes;
  uint64_t time;   /* nanoseconds that it will take to send them; 0: not known */
  uint64_t marked; /* packets that got a mark (ECN) instead of being dropped, so far */
};

/** What the engine knows about the link. */
struct sw_snapshot {
  struct sw_link_status link;
  struct sw_queue_status queue;
};

struct sw_channel_message {
  uint32_t kind;
  union {
    struct sw_channel_endpoints endpoints;
    struct sw_channel_keys keys;
    struct sw_channel_sources sources;
    struct sw_channel_settings settings;
    struct sw_snapshot snapshot;
    char text[SW_CHANNEL_TEXT];
  };
};

/** Makes the two ends, non-blocking and close-on-exec.  Returns 0 or a negative errno. */
int sw_channel_open(int ends[2]);

/** Sends a message.  Returns 0 or a negative errno: -EAGAIN if the channel is full. */
int sw_channel_send(int fd, const struct sw_channel_message *message);

/** As sw_channel_send, but waits up to SW_CHANNEL_PATIENCE_MS for room in the channel. */
#define SW_CHANNEL_PATIENCE_MS 2000
int sw_channel_send_waiting(int fd, const struct sw_channel_message *message);

/** Receives a message.  Returns its kind, 0 if the other end is closed, -EAGAIN if there is no
 * message, or -EPROTO for one of the wrong size or kind. */
int sw_channel_receive(int fd, struct sw_channel_message *message);

/** Whether the sizes in a message from the parent fit their arrays. */
bool sw_channel_from_parent(const struct sw_channel_message *message);

/** Validates a message from the engine.  Returns true if everything in it can be used.  Characters
 * that are not printable are replaced in its text. */
bool sw_channel_from_engine(struct sw_channel_message *message);

#endif
