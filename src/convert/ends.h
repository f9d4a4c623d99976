/*
 * The configurations of both ends of one link, while they are made: from two hosts (saltway pair) or
 * from another program's file (saltway import).  The functions of config/value.h fill them, so that
 * what they refuse in a file cannot get into one.
 */
#ifndef SALTWAY_CONVERT_ENDS_H
#define SALTWAY_CONVERT_ENDS_H

#include "base/error.h"
#include "config/complaint.h"
#include "config/config.h"

struct sw_ends {
  struct sw_config ours;   /* of the first host, or of the machine whose file is imported */
  struct sw_config theirs; /* of the other one */
};

/** Initializes both with the name of their link and the defaults; sw_ends_free frees what they come
 * to own.  Returns 0, or -EINVAL after writing a line about the name to `complaints`. */
int sw_ends_init(struct sw_ends *ends, const char *name, FILE *complaints);

void sw_ends_free(struct sw_ends *ends);

/** Lets packets from the range come from the peer.  Bits past its length are cleared, and a range that
 * is there already is not added.  Returns 0, or a negative errno, with `error` filled. */
int sw_ends_allow(struct sw_config *end, const struct sw_prefix *range, struct sw_error *error);

/** Does so for each range of a list between commas. */
int sw_ends_allow_list(struct sw_config *end, const char *list, struct sw_error *error);

/** Adds `more` to a list between commas, which is NULL at first and which the caller frees: what an
 * option means that is given again.  Returns 0 or -ENOMEM. */
int sw_ends_join(char **list, const char *more);

/** Adds an endpoint; `host` is a name or an address, and has no port: `port_rule`, or NULL, says where
 * that comes from, for people.  Returns 0, or a negative errno, with `error` filled. */
int sw_ends_add_endpoint(struct sw_config *end, const char *host, uint16_t port,
                         const char *port_rule, struct sw_error *error);

/** Whether the hosts and networks that saltway pair was given make a link: two hosts, none of them in a
 * network that is reached through the link, and no network on both sides.  A network within one of the
 * other side works, but may be a mistake: `notices` gets a line about it.  Returns 0, or a negative
 * errno, with `error` filled. */
int sw_ends_check(const struct sw_ends *ends, FILE *notices, struct sw_error *error);

/** Gives each end an address of both families: a random /31 (RFC 3021) of 10.64.0.0/11, which has
 * 1,048,576 of them, and a random /127 (RFC 6164) of fd00::/8 (RFC 4193).  None is in a range of
 * AllowedIPs, unless they leave hardly any. */
void sw_ends_choose_addresses(struct sw_ends *ends);

/** Completes what was read from another program's file, which tells only of our own end: the
 * addresses if it has none, theirs in our AllowedIPs and ours in theirs, and the ports. `host`, or NULL, is
 * the name or the address at which they reach us, by default at `port`. */
void sw_ends_finish(struct sw_ends *ends, const char *host, uint16_t port,
                    struct sw_complaints *complaints);

/** Lets each end's addresses come from the other. */
int sw_ends_allow_addresses(struct sw_ends *ends, struct sw_error *error);

#endif
