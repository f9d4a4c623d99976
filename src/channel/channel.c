#include "channel/channel.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define ERRNO_MAX 4095 /* the largest that the kernel returns */

int sw_channel_open(int ends[2]) {
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0 ? -errno
                                                                                         : 0;
}

int sw_channel_send(int fd, const struct sw_channel_message *message) {
  return send(fd, message, sizeof(*message), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int sw_channel_send_waiting(int fd, const struct sw_channel_message *message) {
  struct pollfd room = {.fd = fd, .events = POLLOUT};
  const int failed = sw_channel_send(fd, message);
  if (failed != -EAGAIN) return failed;
  int ready;
  do ready = poll(&room, 1, SW_CHANNEL_PATIENCE_MS);
  while (ready < 0 && errno == EINTR);
  return ready > 0 ? sw_channel_send(fd, message) : failed;
}

int sw_channel_receive(int fd, struct sw_channel_message *message) {
  ssize_t length = recv(fd, message, sizeof(*message), MSG_TRUNC);
  /* the other end was closed with messages unread: what it sent is behind this error */
  if (length < 0 && errno == ECONNRESET) length = recv(fd, message, sizeof(*message), MSG_TRUNC);
  if (length < 0) return -errno;
  if (length == 0) return 0;
  if (length != sizeof(*message) || message->kind < SW_CHANNEL_ENDPOINTS ||
      message->kind > SW_CHANNEL_FAILED)
    return -EPROTO;
  return (int)message->kind;
}

static bool is_fingerprint(const char text[SW_FINGERPRINT_TEXT]) {
  for (size_t i = 0; i < SW_FINGERPRINT_TEXT - 1; i++)
    if (!isxdigit((unsigned char)text[i])) return false;
  return text[SW_FINGERPRINT_TEXT - 1] == '\0';
}

static bool is_address(const struct sw_address *address) {
  return address->port <= UINT16_MAX;
}

static bool is_endpoint(const struct sw_endpoint_status *endpoint) {
  return is_address(&endpoint->address) && endpoint->error >= 0 && endpoint->error <= ERRNO_MAX;
}

static bool is_path(const struct sw_path_status *path) {
  return is_address(&path->path.peer) && path->mtu <= SW_PACKET_MAX && path->active <= 1 &&
         path->configured <= 1;
}

static bool is_status(const struct sw_link_status *link) {
  if ((unsigned)link->state > SW_LINK_CLOSED || !is_fingerprint(link->fingerprint)) return false;
  if (!is_address(&link->peer) || !is_address(&link->foreign) || !is_address(&link->stranger) ||
      !is_address(&link->init_from))
    return false;
  if (link->path_mtu > SW_PACKET_MAX || link->fragments > 1) return false;
  if (link->endpoint_count > sizeof(link->endpoints) / sizeof(link->endpoints[0])) return false;
  for (uint32_t i = 0; i < link->endpoint_count; i++)
    if (!is_endpoint(&link->endpoints[i])) return false;
  if (link->path_count > SW_PATHS_MAX) return false;
  for (uint32_t i = 0; i < link->path_count; i++)
    if (!is_path(&link->paths[i])) return false;
  return true;
}

static void make_printable(char text[SW_CHANNEL_TEXT]) {
  text[SW_CHANNEL_TEXT - 1] = '\0';
  for (char *c = text; *c; c++)
    if (!isprint((unsigned char)*c)) *c = '?';
}

bool sw_channel_from_parent(const struct sw_channel_message *message) {
  switch (message->kind) {
  case SW_CHANNEL_ENDPOINTS:
    return message->endpoints.count <= SW_ENDPOINTS_MAX;
  case SW_CHANNEL_KEYS:
    return message->keys.count >= 1 && message->keys.count <= SW_PSKS_MAX;
  case SW_CHANNEL_SOURCES:
    return message->sources.count <= SW_CHANNEL_SOURCES_MAX &&
           message->sources.first <= SW_SOURCES_MAX - message->sources.count;
  case SW_CHANNEL_SETTINGS:
    return message->settings.source_count <= SW_SOURCES_MAX &&
           message->settings.own_count <= SW_CHANNEL_OWN_MAX;
  case SW_CHANNEL_ASK:
  case SW_CHANNEL_STOP:
    return true;
  }
  return false;
}

bool sw_channel_from_engine(struct sw_channel_message *message) {
  switch (message->kind) {
  case SW_CHANNEL_STARTED:
    return true;
  case SW_CHANNEL_SNAPSHOT:
    return is_status(&message->snapshot.link);
  case SW_CHANNEL_FAILED:
    make_printable(message->text);
    return true;
  }
  return false;
}
