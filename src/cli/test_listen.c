#include "cli/test_listen.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define REQUEST_NS (3 * SW_TEST_NS) /* for a client to say what it wants */
#define BETWEEN (10 * SW_TEST_NS)   /* two stages of a test */
#define BACKLOG 4
#define TURNS_PROBES 64 /* answered in one turn of the loop */

/* ---- opening ---- */

static int add_socket(struct sw_test_listener *listener, const char *interface,
                      const uint8_t ip[SW_IP_BYTES], int type, struct sw_error *error) {
  static const int on = 1;
  struct sockaddr_storage address;
  const socklen_t length = sw_test_sockaddr(ip, &address);
  const int fd = sw_test_socket(ip, type, interface, error);
  if (fd < 0) return fd;
  listener->sockets[1 + listener->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
  if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd, (struct sockaddr *)&address, length) == 0 &&
      (type != SOCK_STREAM || listen(fd, BACKLOG) == 0))
    return 0;
  return sw_error_set(error, errno,
                      errno == EADDRINUSE ? "does another saltway test --listen run here?" : NULL,
                      "test: cannot listen on port %d of %s", SW_TEST_PORT, interface);
}

int sw_test_listen_open(struct sw_test_listener *listener, const char *interface,
                        const struct sw_prefix *addresses, size_t count, struct sw_error *error) {
  listener->sockets[0] = (struct pollfd){.fd = -1};
  for (size_t i = 0; i < count; i++) {
    int failed = add_socket(listener, interface, addresses[i].ip, SOCK_STREAM, error);
    if (!failed) failed = add_socket(listener, interface, addresses[i].ip, SOCK_DGRAM, error);
    if (failed) return failed;
  }
  return 0;
}

/* ---- the connection ---- */

static void hang_up(struct sw_test_listener *listener) {
  close(listener->sockets[0].fd);
  listener->sockets[0].fd = -1;
}

static void take_connection(struct sw_test_listener *listener, int from) {
  struct sockaddr_storage client;
  socklen_t length = sizeof(client);
  const int fd = accept4(from, (struct sockaddr *)&client, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (listener->sockets[0].fd >= 0) { /* one at a time */
    close(fd);
    return;
  }
  listener->sockets[0] = (struct pollfd){.fd = fd, .events = POLLIN};
  listener->client = client;
  listener->state = SW_TEST_ASKING;
  listener->length = 0;
  listener->deadline = sw_clock_now() + REQUEST_NS;
}

static void begin(struct sw_test_listener *listener) {
  const uint64_t now = sw_clock_now();
  listener->side = (struct sw_test_side){.bandwidth = listener->bandwidth};
  listener->state = SW_TEST_RUNNING;
  listener->begin = now;
  listener->end = now + listener->request.seconds * SW_TEST_NS;
  listener->deadline = listener->end + SW_TEST_GRACE_S * SW_TEST_NS;
  listener->first = 0;
  listener->measured = false;
  sw_test_load_begin(&listener->load);
}

/* The request, which may come in pieces.  Returns false if it is none. */
static bool read_request(struct sw_test_listener *listener) {
  const ssize_t got = recv(listener->sockets[0].fd, listener->message + listener->length,
                           SW_TEST_REQUEST - listener->length, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  listener->length += (size_t)got;
  if (listener->length < SW_TEST_REQUEST) return true;
  if (!sw_test_request_parse(&listener->request, listener->message)) return false;
  begin(listener);
  return send(listener->sockets[0].fd, "", 1, MSG_NOSIGNAL) == 1; /* the client may begin, too */
}

static void measure_load(struct sw_test_listener *listener) {
  if (listener->measured) return;
  listener->measured = true;
  sw_test_load_end(&listener->load, &listener->side);
}

/* The client has enough. */
static void answer(struct sw_test_listener *listener) {
  measure_load(listener);
  if (listener->request.kind == SW_TEST_RECEIVING)
    sw_test_sent(listener->sockets[0].fd, &listener->side);
  sw_test_side_write(&listener->side, listener->message);
  listener->length = 0;
  listener->state = SW_TEST_ANSWERING;
}

/* Data, of which only a client that sends has any.  Returns false if the client is to be dropped. */
static bool read_data(struct sw_test_listener *listener) {
  static uint8_t data[SW_TEST_CHUNK];
  const ssize_t got = recv(listener->sockets[0].fd, data, sizeof(data), 0);
  const uint64_t now = sw_clock_now();
  if (got < 0) return errno == EAGAIN;
  if (got == 0) {
    answer(listener);
    return true;
  }
  if (!listener->first) listener->first = now;
  listener->side.bytes += (uint64_t)got;
  listener->side.time = now - listener->first;
  return listener->request.kind == SW_TEST_SENDING;
}

static bool send_data(struct sw_test_listener *listener) {
  const int64_t sent = sw_test_send_data(listener->sockets[0].fd);
  return sent >= 0 || sent == -EAGAIN;
}

/* Returns false when there is nothing more to do on the connection. */
static bool send_answer(struct sw_test_listener *listener) {
  const ssize_t sent = send(listener->sockets[0].fd, listener->message + listener->length,
                            SW_TEST_RESULT - listener->length, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  listener->length += (size_t)sent;
  return listener->length < SW_TEST_RESULT;
}

static bool is_sending(const struct sw_test_listener *listener, uint64_t now) {
  return listener->state == SW_TEST_RUNNING && listener->request.kind == SW_TEST_RECEIVING &&
         now < listener->end;
}

/* Returns false when the connection is over. */
static bool advance(struct sw_test_listener *listener, short events) {
  const uint64_t now = sw_clock_now();
  if (now >= listener->deadline) return false;
  if (listener->state == SW_TEST_RUNNING && now >= listener->end) measure_load(listener);
  if (listener->state == SW_TEST_ANSWERING) return !(events & ~POLLIN) || send_answer(listener);
  if ((events & POLLOUT) && is_sending(listener, now) && !send_data(listener)) return false;
  if (!(events & ~POLLOUT)) return true;
  return listener->state == SW_TEST_ASKING ? read_request(listener) : read_data(listener);
}

/* ---- probes ---- */

static bool is_client(const struct sw_test_listener *listener,
                      const struct sockaddr_storage *source) {
  const struct sockaddr_storage *client = &listener->client;
  if (source->ss_family != client->ss_family) return false;
  if (source->ss_family == AF_INET)
    return ((const struct sockaddr_in *)source)->sin_addr.s_addr ==
           ((const struct sockaddr_in *)client)->sin_addr.s_addr;
  return memcmp(&((const struct sockaddr_in6 *)source)->sin6_addr,
                &((const struct sockaddr_in6 *)client)->sin6_addr, SW_IP_BYTES) == 0;
}

/* Returns whether it was one of the stage that runs. */
static bool take_probe(struct sw_test_listener *listener, const uint8_t *bytes, ssize_t length,
                       const struct sockaddr_storage *source, struct sw_test_probe *probe) {
  if (length != SW_TEST_PROBE || listener->sockets[0].fd < 0 ||
      listener->state != SW_TEST_RUNNING || listener->side.probes == SW_TEST_PROBES_MAX ||
      !is_client(listener, source) || !sw_test_probe_parse(probe, bytes) || probe->answer ||
      memcmp(probe->token, listener->request.token, SW_TEST_TOKEN) != 0)
    return false;
  listener->side.probes++;
  return true;
}

static void answer_probes(struct sw_test_listener *listener, int fd) {
  for (unsigned i = 0; i < TURNS_PROBES; i++) {
    uint8_t bytes[SW_TEST_PROBE + 1];
    struct sockaddr_storage source;
    struct sw_test_probe probe;
    socklen_t size = sizeof(source);
    const ssize_t length = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&source, &size);
    if (length < 0) return;
    if (!take_probe(listener, bytes, length, &source, &probe)) continue;
    probe.answer = true;
    sw_test_probe_write(&probe, bytes);
    sendto(fd, bytes, SW_TEST_PROBE, 0, (struct sockaddr *)&source, size);
  }
}

/* ---- the loop ---- */

static bool is_tcp(unsigned index) {
  return index % 2 == 1; /* the connection is the first */
}

/* Returns milliseconds until something is due. */
static int time_left(const struct sw_test_listener *listener, uint64_t end) {
  const uint64_t now = sw_clock_now();
  uint64_t next = end ? end : UINT64_MAX;
  if (listener->sockets[0].fd >= 0) { /* it may go on after the end */
    next = listener->deadline;
    if (listener->state == SW_TEST_RUNNING && !listener->measured) next = listener->end;
  }
  if (next == UINT64_MAX) return -1;
  return next <= now ? 0 : (int)((next - now) / 1000000) + 1;
}

static void turn(struct sw_test_listener *listener, uint64_t end) {
  struct pollfd *connection = &listener->sockets[0];
  connection->revents = 0;
  connection->events = listener->state == SW_TEST_ANSWERING ? POLLOUT : POLLIN;
  if (is_sending(listener, sw_clock_now())) connection->events |= POLLOUT;
  if (poll(listener->sockets, 1 + listener->count, time_left(listener, end)) < 0) return;
  const short events = connection->revents;
  for (unsigned i = 1; i <= listener->count; i++) {
    if (!listener->sockets[i].revents) continue;
    if (is_tcp(i))
      take_connection(listener, listener->sockets[i].fd);
    else
      answer_probes(listener, listener->sockets[i].fd);
  }
  if (connection->fd >= 0 && !advance(listener, events)) hang_up(listener);
}

bool sw_test_listen_run(struct sw_test_listener *listener, uint64_t end) {
  while (!end || sw_clock_now() < end || listener->sockets[0].fd >= 0) {
    turn(listener, end);
    if (listener->state != SW_TEST_ANSWERING || listener->sockets[0].fd >= 0) continue;
    listener->state = SW_TEST_ASKING;
    if (listener->length != SW_TEST_RESULT) continue;
    if (listener->request.last && !listener->keep) return true;
    const uint64_t least = sw_clock_now() + BETWEEN; /* for the next stage of this test */
    if (end && end < least) end = least;
  }
  return false;
}
