/*
 * The channel between parent and engine, and what the parent accepts from an engine that an
 * attacker controls.
 */
#include "channel/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int ends[2];
static struct sw_channel_message message;

static int open_ends(void **state) {
  (void)state;
  memset(&message, 0, sizeof(message));
  return sw_channel_open(ends);
}

static int close_ends(void **state) {
  (void)state;
  close(ends[0]);
  close(ends[1]);
  return 0;
}

static void make_snapshot(void) {
  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_SNAPSHOT;
  message.snapshot.link.state = SW_LINK_UP;
  strcpy(message.snapshot.link.fingerprint, "0123abcF");
}

static void messages_arrive_one_by_one_as_sent(void **state) {
  (void)state;
  make_snapshot();
  message.snapshot.link.bytes_in = 42;
  assert_int_equal(sw_channel_send(ends[1], &message), 0);
  message.kind = SW_CHANNEL_ASK;
  assert_int_equal(sw_channel_send(ends[1], &message), 0);
  memset(&message, 0, sizeof(message));
  assert_int_equal(sw_channel_receive(ends[0], &message), SW_CHANNEL_SNAPSHOT);
  assert_int_equal(message.snapshot.link.bytes_in, 42);
  assert_int_equal(sw_channel_receive(ends[0], &message), SW_CHANNEL_ASK);
  assert_int_equal(sw_channel_receive(ends[0], &message), -EAGAIN);
}

static void on_alarm(int number) {
  (void)number;
}

/* Of the other end: reads the messages after a while, in which a signal came. */
static void *read_later(void *user) {
  static struct sw_channel_message taken;
  usleep(300000);
  while (sw_channel_receive(ends[0], &taken) > 0) continue;
  return user;
}

static void signal_does_not_end_the_wait_for_room(void **state) {
  (void)state;
  const struct sigaction action = {.sa_handler = on_alarm};
  const struct itimerval soon = {.it_value = {.tv_usec = 100000}};
  pthread_t reader;
  message.kind = SW_CHANNEL_ASK;
  while (sw_channel_send(ends[1], &message) == 0) continue;
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  sigaction(SIGALRM, &action, NULL);
  pthread_sigmask(SIG_BLOCK, &alarm, NULL); /* it is for this thread */
  assert_int_equal(pthread_create(&reader, NULL, read_later, NULL), 0);
  pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
  setitimer(ITIMER_REAL, &soon, NULL);
  assert_int_equal(sw_channel_send_waiting(ends[1], &message), 0);
  pthread_join(reader, NULL);
}

static void closed_end_is_seen_after_its_messages(void **state) {
  (void)state;
  make_snapshot();
  assert_int_equal(sw_channel_send(ends[1], &message), 0);
  message.kind = SW_CHANNEL_FAILED;
  assert_int_equal(sw_channel_send(ends[1], &message), 0);
  /* left unread, so that closing the end resets the connection */
  assert_int_equal(sw_channel_send(ends[0], &message), 0);
  close(ends[1]);
  assert_int_equal(sw_channel_receive(ends[0], &message), SW_CHANNEL_SNAPSHOT);
  assert_int_equal(sw_channel_receive(ends[0], &message), SW_CHANNEL_FAILED);
  assert_int_equal(sw_channel_receive(ends[0], &message), 0);
  assert_int_equal(sw_channel_send(ends[0], &message), -EPIPE);
  ends[1] = dup(ends[0]);
}

static void every_kind_arrives(void **state) {
  (void)state;
  for (int kind = SW_CHANNEL_ENDPOINTS; kind <= SW_CHANNEL_FAILED; kind++) {
    message.kind = (uint32_t)kind;
    assert_int_equal(sw_channel_send(ends[1], &message), 0);
    assert_int_equal(sw_channel_receive(ends[0], &message), kind);
  }
}

static void closed_end_is_no_error(void **state) {
  (void)state;
  close(ends[1]);
  errno = EINVAL; /* left over from an earlier call */
  assert_int_equal(sw_channel_receive(ends[0], &message), 0);
  ends[1] = dup(ends[0]);
}

static void ends_do_not_block_and_are_not_inherited(void **state) {
  (void)state;
  for (unsigned i = 0; i < 2; i++) {
    int kind = 0;
    socklen_t size = sizeof(kind);
    assert_int_equal(fcntl(ends[i], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(ends[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(getsockopt(ends[i], SOL_SOCKET, SO_TYPE, &kind, &size), 0);
    assert_int_equal(kind, SOCK_SEQPACKET);
  }
}

static void failure_to_make_a_channel_is_reported(void **state) {
  (void)state;
  struct rlimit before, none;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 0;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  int others[2];
  const int failed = sw_channel_open(others);
  setrlimit(RLIMIT_NOFILE, &before);
  assert_int_equal(failed, -EMFILE);
}

static void full_channel_does_not_block_the_sender(void **state) {
  (void)state;
  make_snapshot();
  int sent = 0;
  for (unsigned i = 0; i < 100000 && sent == 0; i++) sent = sw_channel_send(ends[0], &message);
  assert_int_equal(sent, -EAGAIN);
}

static void message_of_another_length_is_refused(void **state) {
  (void)state;
  static uint8_t bytes[sizeof(message) + 1];
  memcpy(bytes, &(uint32_t){SW_CHANNEL_STARTED}, sizeof(uint32_t));
  const size_t lengths[] = {1, 4, sizeof(message) - 1, sizeof(message) + 1};
  for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
    assert_int_equal(send(ends[1], bytes, lengths[i], 0), lengths[i]);
    assert_int_equal(sw_channel_receive(ends[0], &message), -EPROTO);
  }
}

static void message_of_unknown_kind_is_refused(void **state) {
  (void)state;
  const uint32_t kinds[] = {0, SW_CHANNEL_FAILED + 1, UINT32_MAX};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    message.kind = kinds[i];
    assert_int_equal(sw_channel_send(ends[1], &message), 0);
    assert_int_equal(sw_channel_receive(ends[0], &message), -EPROTO);
    message.kind = kinds[i];
    assert_false(sw_channel_from_engine(&message));
  }
}

static void engine_cannot_send_orders(void **state) {
  (void)state;
  for (message.kind = SW_CHANNEL_ENDPOINTS; message.kind <= SW_CHANNEL_STOP; message.kind++)
    assert_false(sw_channel_from_engine(&message));
  message.kind = SW_CHANNEL_STARTED;
  assert_true(sw_channel_from_engine(&message));
}

static void snapshot_with_impossible_values_is_refused(void **state) {
  (void)state;
  make_snapshot();
  assert_true(sw_channel_from_engine(&message));
  struct sw_link_status *link = &message.snapshot.link;
  link->state = SW_LINK_CLOSED;
  assert_true(sw_channel_from_engine(&message));
  link->state = SW_LINK_CLOSED + 1;
  assert_false(sw_channel_from_engine(&message));
  link->state = (enum sw_link_state) - 1;
  assert_false(sw_channel_from_engine(&message));
  for (size_t i = 0; i < SW_FINGERPRINT_TEXT; i++) {
    make_snapshot();
    link->fingerprint[i] = i == SW_FINGERPRINT_TEXT - 1 ? 'a' : '\x1b';
    assert_false(sw_channel_from_engine(&message));
    link->fingerprint[i] = i == SW_FINGERPRINT_TEXT - 1 ? 'a' : '\0';
    assert_false(sw_channel_from_engine(&message));
  }
}

static void snapshot_with_an_impossible_port_is_refused(void **state) {
  (void)state;
  struct sw_link_status *link = &message.snapshot.link;
  struct sw_address *const addresses[] = {&link->peer,
                                          &link->foreign,
                                          &link->stranger,
                                          &link->init_from,
                                          &link->endpoints[0].address,
                                          &link->endpoints[SW_ENDPOINTS_MAX].address};
  for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
    make_snapshot();
    link->endpoint_count = SW_ENDPOINTS_MAX + 1;
    addresses[i]->port = 65535;
    assert_true(sw_channel_from_engine(&message));
    addresses[i]->port = 65536;
    assert_false(sw_channel_from_engine(&message));
    addresses[i]->port = UINT32_MAX;
    assert_false(sw_channel_from_engine(&message));
  }
}

static void snapshot_with_too_many_endpoints_is_refused(void **state) {
  (void)state;
  make_snapshot();
  message.snapshot.link.endpoint_count = SW_ENDPOINTS_MAX + 1;
  assert_true(sw_channel_from_engine(&message));
  message.snapshot.link.endpoint_count++;
  assert_false(sw_channel_from_engine(&message));
  message.snapshot.link.endpoint_count = UINT32_MAX;
  assert_false(sw_channel_from_engine(&message));
}

static void endpoints_past_the_count_are_not_read(void **state) {
  (void)state;
  make_snapshot();
  message.snapshot.link.endpoint_count = 1;
  message.snapshot.link.endpoints[1].address.port = UINT32_MAX;
  assert_true(sw_channel_from_engine(&message));
  message.snapshot.link.endpoint_count = 2;
  assert_false(sw_channel_from_engine(&message));
}

static void snapshot_with_an_impossible_errno_is_refused(void **state) {
  (void)state;
  static const struct {
    int32_t error;
    bool accepted;
  } errors[] = {{0, true},     {ECONNREFUSED, true}, {4095, true},
                {4096, false}, {-1, false},          {INT32_MIN, false}};
  for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
    make_snapshot();
    message.snapshot.link.endpoint_count = 2;
    message.snapshot.link.endpoints[1].error = errors[i].error;
    assert_int_equal(sw_channel_from_engine(&message), errors[i].accepted);
  }
}

static void snapshot_with_an_impossible_path_is_refused(void **state) {
  (void)state;
  struct sw_path_status *last = &message.snapshot.link.paths[SW_PATHS_MAX - 1];
  static const struct {
    struct sw_path_status path;
    bool accepted;
  } paths[] = {
      {{.path.peer.port = 65535, .mtu = SW_PACKET_MAX, .active = 1, .configured = 1}, true},
      {{.path.peer.port = 65536}, false},
      {{.mtu = SW_PACKET_MAX + 1}, false},
      {{.active = 2}, false},
      {{.configured = 2}, false},
  };
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    make_snapshot();
    *last = paths[i].path;
    message.snapshot.link.path_count = SW_PATHS_MAX;
    assert_int_equal(sw_channel_from_engine(&message), paths[i].accepted);
    message.snapshot.link.path_count = SW_PATHS_MAX - 1; /* those past the count are not read */
    assert_true(sw_channel_from_engine(&message));
    message.snapshot.link.path_count = SW_PATHS_MAX + 1;
    assert_false(sw_channel_from_engine(&message));
  }
}

static void text_is_terminated_and_printable(void **state) {
  (void)state;
  message.kind = SW_CHANNEL_FAILED;
  strcpy(message.text, "tun: \x1b[2J\n\xff gone");
  assert_true(sw_channel_from_engine(&message));
  assert_string_equal(message.text, "tun: ?[2J?? gone");
  memset(message.text, 'x', sizeof(message.text));
  assert_true(sw_channel_from_engine(&message));
  assert_int_equal(strlen(message.text), SW_CHANNEL_TEXT - 1);
}

static void assert_order(bool accepted) {
  assert_int_equal(sw_channel_from_parent(&message), accepted);
}

static void sizes_in_orders_are_checked(void **state) {
  (void)state;
  message.kind = SW_CHANNEL_ENDPOINTS;
  message.endpoints.count = SW_ENDPOINTS_MAX;
  assert_order(true);
  message.endpoints.count++;
  assert_order(false);

  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_KEYS;
  assert_order(false);
  for (message.keys.count = 1; message.keys.count <= SW_PSKS_MAX; message.keys.count++)
    assert_order(true);
  assert_order(false);

  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_SOURCES;
  message.sources.count = SW_CHANNEL_SOURCES_MAX;
  message.sources.first = SW_SOURCES_MAX - SW_CHANNEL_SOURCES_MAX;
  assert_order(true);
  message.sources.first++;
  assert_order(false);
  message.sources.first = UINT32_MAX;
  assert_order(false);
  message.sources.first = 0;
  message.sources.count++;
  assert_order(false);

  memset(&message, 0, sizeof(message));
  message.kind = SW_CHANNEL_SETTINGS;
  message.settings.source_count = SW_SOURCES_MAX;
  message.settings.own_count = SW_CHANNEL_OWN_MAX;
  assert_order(true);
  message.settings.source_count++;
  assert_order(false);
  message.settings.source_count = 0;
  message.settings.own_count++;
  assert_order(false);
}

static void parent_sends_orders_only(void **state) {
  (void)state;
  for (message.kind = 0; message.kind < SW_CHANNEL_FAILED + 2; message.kind++)
    if (message.kind == SW_CHANNEL_ASK || message.kind == SW_CHANNEL_STOP)
      assert_order(true);
    else if (message.kind < SW_CHANNEL_ENDPOINTS || message.kind >= SW_CHANNEL_STARTED)
      assert_order(false);
}

static void channel_that_stays_full_is_reported(void **state) {
  (void)state;
  message.kind = SW_CHANNEL_ASK;
  while (sw_channel_send(ends[1], &message) == 0) continue;
  assert_int_equal(sw_channel_send_waiting(ends[1], &message), -EAGAIN);
}

static void sender_waits_for_room(void **state) {
  (void)state;
  unsigned sent = 0, received = 0;
  message.kind = SW_CHANNEL_ASK;
  while (sw_channel_send(ends[1], &message) == 0) sent++;
  const pid_t reader = fork();
  if (reader == 0) {
    usleep(100000);
    while (sw_channel_receive(ends[0], &message) > 0) received++;
    _exit(received == sent ? 0 : 1);
  }
  assert_int_equal(sw_channel_send_waiting(ends[1], &message), 0);
  int status;
  assert_int_equal(waitpid(reader, &status, 0), reader);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_ends, close_ends)
  const struct CMUnitTest tests[] = {
      TEST(messages_arrive_one_by_one_as_sent),
      TEST(signal_does_not_end_the_wait_for_room),
      TEST(closed_end_is_seen_after_its_messages),
      TEST(every_kind_arrives),
      TEST(closed_end_is_no_error),
      TEST(ends_do_not_block_and_are_not_inherited),
      TEST(failure_to_make_a_channel_is_reported),
      TEST(full_channel_does_not_block_the_sender),
      TEST(message_of_another_length_is_refused),
      TEST(message_of_unknown_kind_is_refused),
      TEST(engine_cannot_send_orders),
      TEST(snapshot_with_impossible_values_is_refused),
      TEST(snapshot_with_an_impossible_port_is_refused),
      TEST(snapshot_with_too_many_endpoints_is_refused),
      TEST(endpoints_past_the_count_are_not_read),
      TEST(snapshot_with_an_impossible_errno_is_refused),
      TEST(snapshot_with_an_impossible_path_is_refused),
      TEST(text_is_terminated_and_printable),
      TEST(sizes_in_orders_are_checked),
      TEST(parent_sends_orders_only),
      TEST(sender_waits_for_room),
      TEST(channel_that_stays_full_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
