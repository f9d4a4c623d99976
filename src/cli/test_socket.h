/*
 * The sockets of `saltway test`: of the link's interface only, and never waiting.  Callers own the
 * descriptors.
 */
#ifndef SALTWAY_CLI_TEST_SOCKET_H
#define SALTWAY_CLI_TEST_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"
#include "cli/test_message.h"
#include "saltway/address.h"

#define SW_TEST_CHUNK (128 << 10) /* bytes of data that are sent or received at once */

/** Writes the address and SW_TEST_PORT as the kernel takes it.  Returns its length. */
socklen_t sw_test_sockaddr(const uint8_t ip[SW_IP_BYTES], struct sockaddr_storage *address);

/** Opens a socket of the address's family, SOCK_STREAM or SOCK_DGRAM, bound to the interface.  Returns
 * a descriptor, or a negative errno with `error` filled. */
int sw_test_socket(const uint8_t ip[SW_IP_BYTES], int type, const char *interface,
                   struct sw_error *error);

/** Sends some data that means nothing.  Returns the bytes, or a negative errno: -EAGAIN if there is no
 * room. */
int64_t sw_test_send_data(int fd);

/** Writes what the kernel knows of data that was sent on the connection: retransmits and window. */
void sw_test_sent(int fd, struct sw_test_side *side);

#endif
