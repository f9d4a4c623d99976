/*
 * The messages between parent and resolver, over a socket pair that keeps message boundaries.  The
 * parent sends one question for each endpoint and closes its direction.  The resolver sends one
 * answer for each question, in the same order.
 *
 * The resolver reads what name servers send, so it may be under an attacker's control: the parent
 * uses an answer only after sw_names_answer_valid.
 */
#ifndef SALTWAY_CHANNEL_NAMES_H
#define SALTWAY_CHANNEL_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "saltway/link.h"

/* How the parent executes saltway as the resolver: the name of the process, the subcommand, the
 * argument that follows it if the sandbox is off, and the descriptor of the channel. */
#define SW_NAMES_PROCESS "saltway-names"
#define SW_NAMES_SUBCOMMAND "resolver"
#define SW_NAMES_UNCONFINED "unconfined"
#define SW_NAMES_CHANNEL 3

#define SW_NAMES_HOST 256
#define SW_NAMES_FAILURE 240

struct sw_names_question {
  uint32_t interface;       /* the index of the link's; 0: it is elsewhere */
  char host[SW_NAMES_HOST]; /* terminated by a zero byte */
};

struct sw_names_answer {
  uint32_t index; /* of the question, from 0 */
  uint32_t count;
  struct sw_address addresses[SW_ENDPOINTS_MAX]; /* without ports */
  char failure[SW_NAMES_FAILURE];                /* why there is no address; empty: no failure */
  /* the name server that did not answer, if it is reached through the link; port 0: none */
  struct sw_address server;
};

/** Whether the parent can use the answer to question `index`: it has addresses or a failure, its count
 * and its port are in range, and its text is terminated and printable. */
bool sw_names_answer_valid(const struct sw_names_answer *answer, uint32_t index);

/** Calls getaddrinfo(3) with `flags` and stores the addresses, at most SW_ENDPOINTS_MAX, in its order
 * but with both families in turn (RFC 8305 §4).  Returns its status, with errno as it left it; the
 * answer is changed only if that is 0. */
int sw_names_look_up(const char *host, int flags, struct sw_names_answer *answer);

#endif
