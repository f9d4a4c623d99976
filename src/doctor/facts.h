/*
 * What saltway doctor knows of a link and of its machine.  The functions in gather*.c fill it, and
 * those in judge*.c judge it; judges change nothing and ask nothing.  It holds no secret.  Main thread only.
 */
#ifndef SALTWAY_DOCTOR_FACTS_H
#define SALTWAY_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/error.h"
#include "channel/names.h"
#include "config/config.h"
#include "linux/lookup.h"
#include "linux/nftables.h"

#define SW_DOCTOR_SENTENCE 1024 /* the longest condition of a link, and more */
#define SW_DOCTOR_COMPLAINTS 4096
#define SW_DOCTOR_INTERFACES 256
#define SW_DOCTOR_ADDRESSES 512
#define SW_DOCTOR_OTHERS 1024 /* networks of other links */
#define SW_DOCTOR_RANGES 256  /* of AllowedIPs whose routes are looked up */
#define SW_DOCTOR_SERVERS 3

/* A running link's answer. */
struct sw_doctor_status {
  bool running;
  bool refused; /* the link runs, and this user may not ask it */
  char state[32], reason[32], condition[SW_DOCTOR_SENTENCE];
  uint32_t mtu, path_mtu, port;
  uint64_t packets_in, packets_out;
  char file[PATH_MAX];                     /* that the link has read; empty: not known */
  bool same_file;                          /* it is the configuration's */
  double modified;                         /* when that was written, seconds since the epoch */
  char fingerprints[SW_FINGERPRINTS_TEXT]; /* of the keys that it has; empty: not known */
};

/* A host that packets are sent to, with the ways to it. */
struct sw_doctor_endpoint {
  struct sw_address address;
  struct sw_lookup route; /* of the link's own datagrams */
  struct sw_lookup back;  /* as the kernel looks up the source of what arrives (rp_filter) */
  int rp_filter;          /* of the route's interface: 0, 1 (strict) or 2 */
  bool mark_valid;        /* that lookup uses the mark */
};

/* A network of another link on this machine. */
struct sw_doctor_other {
  char link[IFNAMSIZ];
  struct sw_prefix prefix; /* no host bits set */
  uint32_t metric;
  bool own; /* of its Address, not of AllowedIPs */
};

/* Echo requests to the peer through a link that is up. */
struct sw_doctor_echo {
  bool tried;              /* the peer's inner address is known, and requests can be sent */
  bool small, large;       /* one was answered */
  unsigned longest;        /* bytes of the longest packet that was answered */
  unsigned sent, answered; /* of those in bursts; 0: none was sent */
  uint8_t peer[SW_IP_BYTES];
  bool certain; /* it is the peer's, because the network has two addresses */
};

struct sw_doctor_facts {
  char name[IFNAMSIZ];

  bool root, resolver_user; /* we are the former; there is the latter */
  bool forward_v4, forward_v6;
  bool gro_sound;        /* the kernel's is used */
  uint64_t capabilities; /* effective ones of this process */

  bool loaded;                           /* the configuration and its key */
  bool absent;                           /* there is no such file */
  char complaints[SW_DOCTOR_COMPLAINTS]; /* lines, each a mistake or a notice */
  struct sw_config config;               /* if loaded; else only name and file */
  char fingerprints[SW_FINGERPRINTS_TEXT];

  struct sw_doctor_status status;

  int tun;                   /* negative errno of opening the device */
  struct sw_error tun_error; /* then */
  int port;                  /* negative errno of binding it; 0 if it is free, or the link runs */
  struct sw_error port_error;
  struct sw_error netns_error; /* there is no namespace of the name NetNS; else empty */
  char port_holder[64];        /* "socat (pid 7)"; empty: not known */

  char unresolved[SW_NAMES_FAILURE + SW_NAMES_HOST + 2]; /* "b.example.net: why"; empty: none */
  struct sw_doctor_endpoint servers[SW_DOCTOR_SERVERS];  /* of names */
  unsigned server_count;

  struct sw_doctor_endpoint endpoints[SW_ENDPOINTS_MAX + 1];
  unsigned endpoint_count;
  uint32_t mark;                             /* of the link's datagrams; 0: none */
  struct sw_lookup uplink;                   /* the way to the internet */
  struct sw_lookup ranges[SW_DOCTOR_RANGES]; /* of AllowedIPs, while the link runs */
  size_t range_count;
  int link_rp_filter;
  uint64_t rp_filtered; /* packets that rp_filter dropped while the doctor looked */

  struct sw_lookup_interface interfaces[SW_DOCTOR_INTERFACES];
  size_t interface_count;
  struct sw_lookup_address addresses[SW_DOCTOR_ADDRESSES];
  size_t address_count;
  struct sw_doctor_other others[SW_DOCTOR_OTHERS];
  size_t other_count;

  struct {
    uint32_t entries, most; /* of the table; 0: no connection tracking */
    uint32_t udp_timeout;   /* of a stream, seconds */
  } conntrack;
  struct sw_nftables nftables;

  uint64_t overflows; /* datagrams that the socket had no room for */
  int receive_limit;  /* net.core.rmem_max, bytes; 0: not known */
  struct {
    bool known, gro, gso, checksum;
  } offload;
  char congestion[32];

  time_t now, key_time; /* of the wall clock (0: not known), and of the key file's last change */

  struct sw_doctor_echo echo;
};

/** Whether the link runs and packets pass. */
bool sw_doctor_is_up(const struct sw_doctor_facts *facts);

/** Whether the link runs and gives this reason for its state, a word of `saltway status --json`. */
bool sw_doctor_reason_is(const struct sw_doctor_facts *facts, const char *reason);

/** Whether a saltway that does not answer has the link's port: it may be this link. */
bool sw_doctor_port_is_ours(const struct sw_doctor_facts *facts);

/** The interface with this index, which is a part of the facts; NULL: none. */
const struct sw_lookup_interface *sw_doctor_interface_at(const struct sw_doctor_facts *facts,
                                                         unsigned index);

/** Whether the route to AllowedIPs' range `i`, which is below range_count, does not lead into the link.
 * Routes to parts of the range are none of ours. */
bool sw_doctor_leads_elsewhere(const struct sw_doctor_facts *facts, size_t i);

#endif
