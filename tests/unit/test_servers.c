/* Reading the name servers of a resolv.conf(5). */
#include "resolver/servers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct sw_address servers[SW_SERVERS_MAX];

/* Writes the text to a file and reads it.  Returns the number of servers. */
static unsigned read_text(const char *text) {
  char file[] = "/tmp/saltway-servers-XXXXXX";
  const int fd = mkstemp(file);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  memset(servers, 0x55, sizeof(servers));
  const unsigned count = sw_servers_read(file, servers);
  unlink(file);
  return count;
}

static void assert_server(unsigned i, const char *text) {
  char got[SW_ADDRESS_TEXT];
  assert_string_equal(sw_address_text(&servers[i], got), text);
}

static void servers_of_both_families_are_read_in_order(void **state) {
  (void)state;
  assert_int_equal(read_text("# nameserver 192.0.2.9\nsearch example.net\n"
                             "nameserver 192.0.2.53\nnameserver\t 2001:db8::53 \n"),
                   2);
  assert_server(0, "192.0.2.53:53");
  assert_server(1, "[2001:db8::53]:53");
}

static void no_more_are_read_than_the_library_uses(void **state) {
  (void)state;
  assert_int_equal(read_text("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\n"
                             "nameserver 192.0.2.4\n"),
                   SW_SERVERS_MAX);
  assert_server(2, "192.0.2.3:53");
}

static void what_is_no_server_is_skipped(void **state) {
  (void)state;
  static const char *const texts[] = {
      "",
      "nameserver",
      "nameserver \n",
      "nameserver192.0.2.1\n",
      " nameserver 192.0.2.1\n",
      "nameserver 192.0.2\n",
      "nameserver dns.example.net\n",
      "nameserver fe80::1%eth0\n", /* its interface is known */
      "options nameserver 192.0.2.1\n",
  };
  for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
    if (read_text(texts[i]) != 0) fail_msg("\"%s\"", texts[i]);
  char line[2000];
  memset(line, 'x', sizeof(line));
  strcpy(line + sizeof(line) - 30, "\nnameserver 192.0.2.1\n");
  assert_int_equal(read_text(line), 1);
}

static void a_file_that_is_missing_has_none(void **state) {
  (void)state;
  assert_int_equal(sw_servers_read("/tmp/saltway-no-such-file", servers), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(servers_of_both_families_are_read_in_order),
      cmocka_unit_test(no_more_are_read_than_the_library_uses),
      cmocka_unit_test(what_is_no_server_is_skipped),
      cmocka_unit_test(a_file_that_is_missing_has_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
