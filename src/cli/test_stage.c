#include "cli/test_stage.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/test_socket.h"

#define CONNECT_MS 5000
#define LATE_NS SW_TEST_NS /* answers to probes are waited for this long */
#define PROBE_NS (SW_TEST_NS / SW_TEST_PROBE_RATE)
#define PROGRESS_NS (SW_TEST_NS / 10)

struct run {
  struct sw_test_link *link;
  const struct sw_test_request *request;
  struct sw_test_stage *stage;
  int tcp, udp;
  uint64_t begin, end, next; /* of the data, and the time of the next probe */
  uint64_t shown;            /* the progress */
  uint64_t first;            /* byte of data; 0: none yet */
  bool measured, closed, over;
  uint8_t tail[SW_TEST_RESULT]; /* the latest bytes that were received */
  uint64_t received;
  uint64_t sent[SW_TEST_PROBES_MAX]; /* times; 0: answered */
  double trips[SW_TEST_PROBES_MAX];
};

/* ---- opening ---- */

static int no_peer(const struct run *run, int code, struct sw_error *error) {
  char text[SW_PREFIX_TEXT], fix[SW_ERROR_TEXT / 2];
  struct sw_prefix peer = {.length = 8 * SW_IP_BYTES};
  memcpy(peer.ip, run->link->peer, SW_IP_BYTES);
  sw_prefix_text(&peer, text);
  text[strcspn(text, "/")] = '\0';
  snprintf(fix, sizeof(fix), "run there: saltway test --listen %s%s", run->link->name,
           code == ECONNREFUSED ? ""
                                : "; if it does, a firewall there drops what comes from the link, "
                                  "or the address is not the other side's");
  return sw_error_set(error, code, fix, "test: %s does not listen on port %d", text, SW_TEST_PORT);
}

static int await_connection(const struct run *run, struct sw_error *error) {
  struct pollfd wait = {.fd = run->tcp, .events = POLLOUT};
  int code = 0;
  socklen_t length = sizeof(code);
  if (poll(&wait, 1, CONNECT_MS) != 1) return no_peer(run, ETIMEDOUT, error);
  getsockopt(run->tcp, SOL_SOCKET, SO_ERROR, &code, &length);
  return code ? no_peer(run, code, error) : 0;
}

static int open_sockets(struct run *run, struct sw_error *error) {
  struct sockaddr_storage address;
  const socklen_t length = sw_test_sockaddr(run->link->peer, &address);
  run->tcp = sw_test_socket(run->link->peer, SOCK_STREAM, run->link->name, error);
  if (run->tcp < 0) return run->tcp;
  run->udp = sw_test_socket(run->link->peer, SOCK_DGRAM, run->link->name, error);
  if (run->udp < 0) return run->udp;
  if (connect(run->udp, (struct sockaddr *)&address, length) < 0) return no_peer(run, errno, error);
  if (connect(run->tcp, (struct sockaddr *)&address, length) == 0) return 0;
  return errno == EINPROGRESS ? await_connection(run, error) : no_peer(run, errno, error);
}

/* ---- probes ---- */

static void send_probe(struct run *run, uint64_t now) {
  uint8_t bytes[SW_TEST_PROBE];
  struct sw_test_stage *stage = run->stage;
  struct sw_test_probe probe = {.sequence = stage->sent};
  run->next += PROBE_NS;
  if (stage->sent == SW_TEST_PROBES_MAX) return;
  memcpy(probe.token, run->request->token, SW_TEST_TOKEN);
  sw_test_probe_write(&probe, bytes);
  run->sent[stage->sent++] = now;
  (void)send(run->udp, bytes, sizeof(bytes), 0); /* one that is not sent is lost */
}

static void take_answers(struct run *run) {
  uint8_t bytes[SW_TEST_PROBE + 1];
  struct sw_test_probe probe;
  ssize_t length;
  while ((length = recv(run->udp, bytes, sizeof(bytes), 0)) >= 0) {
    if (length != SW_TEST_PROBE || !sw_test_probe_parse(&probe, bytes) || !probe.answer ||
        memcmp(probe.token, run->request->token, SW_TEST_TOKEN) != 0 ||
        probe.sequence >= run->stage->sent || run->sent[probe.sequence] == 0)
      continue;
    run->trips[run->stage->here.probes++] =
        (double)(sw_clock_now() - run->sent[probe.sequence]) / 1e6;
    run->sent[probe.sequence] = 0;
  }
}

static int compare(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static void evaluate(struct run *run) {
  const uint32_t count = run->stage->here.probes;
  run->stage->median = run->stage->worst = -1;
  if (count == 0) return;
  qsort(run->trips, count, sizeof(run->trips[0]), compare);
  run->stage->median = run->trips[count / 2];
  run->stage->worst = run->trips[count - 1];
}

/* ---- the connection ---- */

/* What is received ends with the result, so that the latest bytes are kept apart from data. */
static void keep_tail(struct run *run, const uint8_t *bytes, size_t count) {
  const size_t from = count < SW_TEST_RESULT ? count : SW_TEST_RESULT;
  memmove(run->tail, run->tail + from, SW_TEST_RESULT - from);
  memcpy(run->tail + SW_TEST_RESULT - from, bytes + count - from, from);
}

/* Returns 0, or -errno. */
static int take_data(struct run *run) {
  static uint8_t data[SW_TEST_CHUNK];
  const ssize_t got = recv(run->tcp, data, sizeof(data), 0);
  const uint64_t now = sw_clock_now();
  if (got < 0) return errno == EAGAIN ? 0 : -errno;
  if (got == 0) {
    run->over = true;
    return 0;
  }
  keep_tail(run, data, (size_t)got);
  run->received += (uint64_t)got;
  if (!run->first) run->first = now;
  if (got > SW_TEST_RESULT) run->stage->here.time = now - run->first; /* with data in it */
  return 0;
}

static int send_data(struct run *run) {
  const int64_t sent = sw_test_send_data(run->tcp);
  return sent < 0 && sent != -EAGAIN ? (int)sent : 0;
}

static void close_own_direction(struct run *run) {
  run->closed = true;
  shutdown(run->tcp, SHUT_WR);
}

static void show_progress(struct run *run, uint64_t now) {
  if (!run->link->progress || now < run->shown) return;
  run->shown = now + PROGRESS_NS;
  const double share = (double)(now - run->begin) / (double)(run->end - run->begin);
  run->link->progress(run->request->kind, share < 1 ? share : 1);
}

static void do_what_is_due(struct run *run, uint64_t now) {
  show_progress(run, now);
  if (now < run->end) {
    if (now >= run->next) send_probe(run, now);
    return;
  }
  if (!run->measured) {
    run->measured = true;
    sw_test_load_end(&run->link->load, &run->stage->here);
  }
  if (!run->closed && (run->stage->here.probes == run->stage->sent || now >= run->end + LATE_NS))
    close_own_direction(run);
}

static int turn(struct run *run) {
  const uint64_t now = sw_clock_now();
  if (now >= run->end + SW_TEST_GRACE_S * SW_TEST_NS) return -ETIMEDOUT;
  do_what_is_due(run, now);
  const bool sending = run->request->kind == SW_TEST_SENDING && now < run->end;
  struct pollfd wait[] = {{.fd = run->tcp, .events = (short)(POLLIN | (sending ? POLLOUT : 0))},
                          {.fd = run->udp, .events = POLLIN}};
  const uint64_t due = now < run->end ? run->next : now + PROBE_NS;
  const int ms = due > now ? (int)((due - now) / 1000000) + 1 : 0;
  if (poll(wait, 2, ms) < 0 && errno != EINTR) return -errno;
  if (wait[1].revents) take_answers(run);
  int failed = wait[0].revents & ~POLLOUT ? take_data(run) : 0;
  if (!failed && sending && (wait[0].revents & POLLOUT)) failed = send_data(run);
  return failed;
}

static int finish(struct run *run, struct sw_error *error) {
  struct sw_test_stage *stage = run->stage;
  if (run->received < SW_TEST_RESULT || !sw_test_side_parse(&stage->there, run->tail))
    return sw_error_set(error, 0, "is another test running there? try again",
                        "test: the other side has ended the test");
  if (run->request->kind == SW_TEST_SENDING) sw_test_sent(run->tcp, &stage->here);
  stage->here.bytes = run->received - SW_TEST_RESULT;
  stage->here.bandwidth = run->link->bandwidth;
  if (stage->there.probes > stage->sent) stage->there.probes = stage->sent;
  if (stage->there.probes < stage->here.probes) stage->there.probes = stage->here.probes;
  evaluate(run);
  return 0;
}

static int ask(const struct run *run, struct sw_error *error) {
  uint8_t request[SW_TEST_REQUEST], ready;
  struct pollfd wait = {.fd = run->tcp, .events = POLLIN};
  sw_test_request_write(run->request, request);
  if (send(run->tcp, request, sizeof(request), MSG_NOSIGNAL) == sizeof(request) &&
      poll(&wait, 1, CONNECT_MS) == 1 && recv(run->tcp, &ready, 1, 0) == 1)
    return 0;
  return sw_error_set(error, 0, "is another test running there? try again",
                      "test: the other side does not begin");
}

static int run_stage(struct run *run, struct sw_error *error) {
  int failed = open_sockets(run, error);
  if (!failed) failed = ask(run, error);
  if (failed) return failed;
  run->begin = run->next = sw_clock_now();
  run->end = run->begin + run->request->seconds * SW_TEST_NS;
  sw_test_load_begin(&run->link->load);
  while (!failed && !run->over) failed = turn(run);
  if (failed == -ECONNRESET || failed == -EPIPE) failed = 0; /* without a result */
  return failed ? sw_error_set(error, -failed, "ask saltway status whether the link is still up",
                               "test: the other side does not go on")
                : finish(run, error);
}

int sw_test_stage_run(struct sw_test_link *link, const struct sw_test_request *request,
                      struct sw_test_stage *stage, struct sw_error *error) {
  struct run *run = calloc(1, sizeof(*run));
  if (!run) return sw_error_set(error, ENOMEM, NULL, "test");
  *stage = (struct sw_test_stage){.sent = 0};
  *run = (struct run){.link = link, .request = request, .stage = stage, .tcp = -1, .udp = -1};
  const int failed = run_stage(run, error);
  if (run->tcp >= 0) close(run->tcp);
  if (run->udp >= 0) close(run->udp);
  free(run);
  return failed;
}
