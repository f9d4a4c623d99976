/*
 * The side of `saltway test` that listens.  It serves one connection at a time, and closes all others
 * at once.  What arrives is not trusted: a client has seconds for its request, and a connection ends
 * some time after the data that was asked for, whatever the client does.  All memory is in the struct.
 */
#ifndef SALTWAY_CLI_TEST_LISTEN_H
#define SALTWAY_CLI_TEST_LISTEN_H

#include <net/if.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/test_load.h"
#include "cli/test_message.h"
#include "cli/test_socket.h"
#include "config/config.h"

/* Of each address a TCP socket, and then a UDP socket. */
#define SW_TEST_SOCKETS (2 * SW_CONFIG_ADDRESSES_MAX)

struct sw_test_listener {
  struct sw_test_load load; /* opened by the caller, as the next */
  uint64_t bandwidth;       /* that is set, bits per second; 0: none */
  bool keep;                /* it goes on after a whole test */

  struct pollfd sockets[1 + SW_TEST_SOCKETS]; /* the first is the connection, or -1 */
  unsigned count;

  enum { SW_TEST_ASKING, SW_TEST_RUNNING, SW_TEST_ANSWERING } state; /* of the connection */
  struct sockaddr_storage client;
  uint64_t begin, end, deadline; /* of the data, and of the connection */
  uint64_t first;                /* byte of data; 0: none yet */
  bool measured;                 /* the load */
  uint8_t message[SW_TEST_RESULT];
  size_t length; /* of the message that was received or sent */
  struct sw_test_request request;
  struct sw_test_side side;
};

/** Binds to the addresses.  Returns 0, or a negative errno with `error` filled. */
int sw_test_listen_open(struct sw_test_listener *listener, const char *interface,
                        const struct sw_prefix *addresses, size_t count, struct sw_error *error);

/** Serves until a whole test has ended (unless `keep`), or the time has come (0: never).  Returns
 * whether a test has ended. */
bool sw_test_listen_run(struct sw_test_listener *listener, uint64_t end);

#endif
