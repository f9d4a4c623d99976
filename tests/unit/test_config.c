#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "config_file.h"

static void assert_prefix(const struct sw_prefix *prefix, const char *expected) {
  char text[SW_PREFIX_TEXT];
  assert_string_equal(sw_prefix_text(prefix, text), expected);
}

static void config_with_every_key_is_read(void **state) {
  (void)state;
  assert_good("# the link to site b\n"
              "[Interface]\n"
              "Address = 10.77.0.1/30, fd77::1/64\n"
              "Address = 10.78.0.1\n"
              "ListenPort = 51900\n"
              "MTU = 1376\n"
              "Table = 1234\n"
              "FwMark = 0xca6c\n"
              "PostUp = ip rule add fwmark 1 table 2\n"
              "PostUp = logger \"%i is up\"\n"
              "PreDown = ip rule del fwmark 1 table 2\n"
              "\n"
              "[Peer]\n"
              "PresharedKeyFile = site-b.key\n"
              "Endpoint = b.example.net:51900, [2001:db8::1]:51901\n"
              "Endpoint = 192.0.2.1:51902\n"
              "AllowedIPs = 10.2.0.0/16, fd02::/64\n"
              "AllowedIPs = 0.0.0.0/0\n"
              "PersistentKeepalive = 60\n");
  assert_string_equal(config.name, "site-b");
  assert_string_equal(config.file, config_file);
  assert_int_equal(config.address_count, 3);
  assert_prefix(&config.addresses[0], "10.77.0.1/30");
  assert_prefix(&config.addresses[1], "fd77::1/64");
  assert_prefix(&config.addresses[2], "10.78.0.1/32");
  assert_int_equal(config.listen_port, 51900);
  assert_int_equal(config.mtu, 1376);
  assert_int_equal(config.table_kind, SW_CONFIG_TABLE_NUMBER);
  assert_int_equal(config.table, 1234);
  assert_int_equal(config.fwmark, 0xca6c);
  assert_int_equal(config.post_up_count, 2);
  assert_string_equal(config.post_up[0], "ip rule add fwmark 1 table 2");
  assert_string_equal(config.post_up[1], "logger \"%i is up\"");
  assert_int_equal(config.pre_down_count, 1);
  assert_string_equal(config.pre_down[0], "ip rule del fwmark 1 table 2");
  assert_string_equal(config.key_file, config_key_file);
  assert_int_equal(config.endpoint_count, 3);
  assert_string_equal(config.endpoints[0].host, "b.example.net");
  assert_int_equal(config.endpoints[0].port, 51900);
  assert_string_equal(config.endpoints[1].host, "2001:db8::1");
  assert_int_equal(config.endpoints[1].port, 51901);
  assert_string_equal(config.endpoints[2].host, "192.0.2.1");
  assert_int_equal(config.endpoints[2].port, 51902);
  assert_int_equal(config.allowed_ip_count, 3);
  assert_prefix(&config.allowed_ips[0], "10.2.0.0/16");
  assert_prefix(&config.allowed_ips[1], "fd02::/64");
  assert_prefix(&config.allowed_ips[2], "0.0.0.0/0");
  assert_int_equal(config.persistent_keepalive, 60);
}

static void keys_that_are_not_given_have_defaults(void **state) {
  (void)state;
  assert_good(INTERFACE PEER);
  assert_int_equal(config.address_count, 0);
  assert_int_equal(config.mtu, 0);
  assert_int_equal(config.table_kind, SW_CONFIG_TABLE_AUTO);
  assert_int_equal(config.fwmark, 0);
  assert_false(config.dscp);
  assert_int_equal(config.post_up_count + config.pre_down_count, 0);
  assert_int_equal(config.endpoint_count, 0);
  assert_int_equal(config.persistent_keepalive, 25);

  assert_good("[Interface]\n" PEER "Endpoint = b.example.net:51900\n");
  assert_int_equal(config.listen_port, 0);
}

static void all_mistakes_are_reported_in_one_run(void **state) {
  (void)state;
  assert_int_equal(load("[Interface]\n"
                        "Adress = 10.77.0.1/30, 10.77.0.1/33, 127.0.0.1\n"
                        "ListenPort = 0\n"
                        "nonsense\n"
                        "[Peer]\n"
                        "PresharedKeyFile = nowhere.key\n"
                        "AllowedIPs = 10.2.0.1/16, 10.2.0.1/24\n"
                        "MTU = 1\n"
                        "[Peer]\n"),
                   11);
  assert_complaint(2, "did you mean \"Address\"?");
  assert_complaint(2, "10.77.0.1/33");
  assert_complaint(2, "127.0.0.1");
  assert_complaint(3, "ListenPort");
  assert_complaint(4, "without \"=\"");
  assert_complaint(6, "nowhere.key");
  assert_complaint(7, "10.2.0.0/16?");
  assert_complaint(7, "10.2.0.0/24?");
  assert_complaint(8, "MTU does not belong to [Peer]");
  assert_complaint(8, "\"1\" is not a size");
  assert_complaint(9, "a second [Peer]");
}

static void default_routes_need_rules_unless_a_table_is_configured(void **state) {
  (void)state;
  static const struct {
    const char *table, *allowed;
    bool v4, v6;
  } cases[] = {
      {"auto", "0.0.0.0/0, ::/0", true, true},
      {"auto", "10.0.0.0/8, 0.0.0.0/0", true, false},
      {"auto", "::/0, 10.0.0.0/8", false, true},
      {"auto", "0.0.0.0/1, 128.0.0.0/1, ::/1", false, false},
      {"off", "0.0.0.0/0, ::/0", false, false},
      {"51900", "0.0.0.0/0, ::/0", false, false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[512];
    snprintf(text, sizeof(text),
             INTERFACE "Table = %s\n[Peer]\nPresharedKeyFile = site-b.key\nAllowedIPs = %s\n",
             cases[i].table, cases[i].allowed);
    assert_good(text);
    assert_int_equal(sw_config_default_route(&config, true), cases[i].v4);
    assert_int_equal(sw_config_default_route(&config, false), cases[i].v6);
    strcpy(config.netns, "b"); /* there, no rules are needed */
    assert_false(sw_config_default_route(&config, true));
    assert_false(sw_config_default_route(&config, false));
  }
  struct sw_prefix ranges[2];
  assert_int_equal(sw_prefix_parse("10.0.0.0/8", &ranges[0]), 0);
  assert_int_equal(sw_prefix_parse("0.0.0.0/0", &ranges[1]), 0);
  const struct sw_config first = {.allowed_ips = ranges, .allowed_ip_count = 1};
  assert_false(sw_config_default_route(&first, true));
}

static void bad_config_is_not_half_loaded(void **state) {
  (void)state;
  assert_int_equal(load(INTERFACE PEER "Endpoint = nowhere\n"), 1);
  assert_string_equal(config.name, "site-b");
  assert_int_equal(config.listen_port, 0);
  assert_int_equal(config.allowed_ip_count, 0);
  assert_string_equal(config.key_file, "");
}

static void missing_file_is_reported(void **state) {
  (void)state;
  assert_int_equal(load_file(), 1);
  assert_complaint(0,
                   "cannot open: No such file or directory; give NAME for /etc/saltway/NAME.conf");
}

static void directory_is_reported(void **state) {
  (void)state;
  assert_int_equal(mkdir(config_file, 0700), 0);
  assert_int_equal(load_file(), 1);
  assert_complaint(0, "this is a directory; a configuration is a file");
}

static void file_that_may_not_be_read_is_reported(void **state) {
  (void)state;
  const bool root = geteuid() == 0;
  write_file(config_file, INTERFACE PEER, sizeof(INTERFACE PEER) - 1, 0);
  assert_int_equal(chmod(config_directory, 0755), 0);
  if (root) assert_int_equal(seteuid(65534), 0);
  const int mistakes = load_file();
  if (root) assert_int_equal(seteuid(0), 0);
  assert_int_equal(mistakes, 1);
  assert_complaint(0, "cannot open: Permission denied");
}

static void empty_file_is_reported(void **state) {
  (void)state;
  assert_mistake("", 1, "the file is empty; a link needs [Interface] and [Peer]");
}

static void file_of_comments_has_no_sections(void **state) {
  (void)state;
  assert_int_equal(load("# one\n# two\n"), 2);
  assert_complaint(1, "there is no [Interface]");
  assert_complaint(2, "there is no [Peer]");
}

static void key_is_read_with_the_configuration(void **state) {
  (void)state;
  assert_good(INTERFACE PEER);
  for (unsigned i = 0; i < SW_PSK_BYTES; i++) assert_int_equal(config_psks.keys[0].bytes[i], i);
  assert_int_equal(load(INTERFACE PEER "MTU\n"), 1); /* a mistake in another line */
  assert_true(sodium_is_zero(config_psks.keys[0].bytes, SW_PSK_BYTES));
  assert_int_equal(load(INTERFACE "[Peer]\nAllowedIPs = 10.2.0.0/16\n"), 1);
  assert_true(sodium_is_zero(config_psks.keys[0].bytes, SW_PSK_BYTES));
}

static void shortage_is_not_a_mistake_in_the_file(void **state) {
  (void)state;
  struct rlimit limit, none;
  int held[64], count = 0;
  assert_good(INTERFACE PEER);
  FILE *out = fmemopen(complaints, sizeof(complaints), "w");
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
  none = limit;
  none.rlim_cur = 32;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  while (count < 64 && (held[count] = dup(STDERR_FILENO)) >= 0) count++;
  const int result = sw_config_load(&config, &config_psks, out);
  while (count > 0) close(held[--count]);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
  fclose(out);
  assert_int_equal(result, -EMFILE);
  assert_complaint(0, "cannot open: Too many open files");
}

static void config_is_loaded_again_after_it_was_freed(void **state) {
  (void)state;
  assert_good(INTERFACE "PostUp = a\nPreDown = b\n" PEER);
  sw_config_free(&config);
  assert_int_equal(config.post_up_count + config.pre_down_count + config.allowed_ip_count, 0);
  assert_null(config.allowed_ips);
  assert_string_equal(config.name, "site-b");
  assert_int_equal(sw_config_load(&config, &config_psks, stderr), 0);
  assert_int_equal(config.post_up_count + config.pre_down_count + config.allowed_ip_count, 3);
}

static void file_with_hooks_that_others_can_write_is_reported(void **state) {
  (void)state;
  static const char with[] = INTERFACE "PreDown = true\nPostUp = true\n" PEER;
  static const char without[] = INTERFACE PEER;
  static const mode_t modes[] = {0664, 0622, 0602};
  for (size_t i = 0; i < 3; i++) {
    char words[64];
    snprintf(words, sizeof(words), "others can write this file (mode %04o); chmod go-w ", modes[i]);
    assert_int_equal(load_bytes(with, sizeof(with) - 1, modes[i]), 1);
    assert_complaint(3, words);
    assert_int_equal(load_bytes(without, sizeof(without) - 1, modes[i]), 0);
  }
  assert_int_equal(load_bytes(with, sizeof(with) - 1, 0644), 0);
  static const char only_down[] = INTERFACE "PreDown = true\n" PEER;
  assert_int_equal(load_bytes(only_down, sizeof(only_down) - 1, 0622), 1);
  assert_complaint(3, "PreDown is run as the user who starts the link, but others");
  static const char up_first[] = INTERFACE "PostUp = true\nPreDown = true\n" PEER;
  assert_int_equal(load_bytes(up_first, sizeof(up_first) - 1, 0622), 1);
  assert_complaint(3, "PostUp is run as the user who starts the link, but others");
}

static void file_with_hooks_of_another_user_is_reported(void **state) {
  (void)state;
  static const char with[] = INTERFACE "PostUp = true\n" PEER;
  if (geteuid() != 0) skip();
  write_file(config_file, with, sizeof(with) - 1, 0644);
  assert_int_equal(chown(config_file, 65534, 65534), 0);
  assert_int_equal(load_file(), 1);
  assert_complaint(3, "this file belongs to user 65534; chown 0 ");
  assert_int_equal(chown(config_file, 0, 0), 0);
  assert_int_equal(load_file(), 0);
}

static void file_with_hooks_may_belong_to_root_or_the_user_who_runs_it(void **state) {
  (void)state;
  static const char with[] = INTERFACE "PostUp = true\n" PEER;
  static const uid_t owners[] = {0, 65534};
  if (geteuid() != 0) skip();
  assert_int_equal(chmod(config_directory, 0755), 0);
  assert_int_equal(chown(config_key_file, 65534, 65534), 0);
  write_file(config_file, with, sizeof(with) - 1, 0644);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(chown(config_file, owners[i], 0), 0);
    assert_int_equal(seteuid(65534), 0);
    const int mistakes = load_file();
    assert_int_equal(seteuid(0), 0);
    if (mistakes != 0) fail_msg("refused: %s", complaints);
  }
}

static void name_stands_for_a_file_in_etc(void **state) {
  (void)state;
  assert_int_equal(locate("site-b"), 0);
  assert_string_equal(config.name, "site-b");
  assert_string_equal(config.file, "/etc/saltway/site-b.conf");
}

static void path_is_used_unchanged(void **state) {
  (void)state;
  static const struct {
    const char *file, *name;
  } cases[] = {{"site-b.conf", "site-b"},
               {"./site-b.conf", "site-b"},
               {"../links.d/site-b", "site-b"},
               {"/etc/saltway/a.b.conf", "a.b"},
               {"/tmp/x.conf/fifteen-letters.conf", "fifteen-letters"}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(locate(cases[i].file), 0);
    assert_string_equal(config.file, cases[i].file);
    assert_string_equal(config.name, cases[i].name);
  }
}

static void name_that_is_no_interface_name_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *name, *words;
  } cases[] = {
      {"", "it is empty"},
      {"/etc/saltway/.conf", "it is empty"},
      {"/etc/saltway/", "it is empty"},
      {"sixteen-letters-", "it has 16 bytes, Linux takes at most 15"},
      {"/etc/saltway/sixteen-letters-.conf", "it has 16 bytes, Linux takes at most 15"},
      {"site b", "byte 0x20 is in it"},
      {"site\tb", "byte 0x09 is in it"},
      {"site:b", "':' is in it"},
      {"site%d", "'%' is in it"},
      {"$(reboot)", "'$' is in it"},
      {"caf\xc3\xa9", "byte 0xC3 is in it"},
      {"..conf", "\".\" cannot be the name of a link: it means something else to Linux"},
      {"/etc/..", "it means something else to Linux"},
      {"all", "it means something else to Linux"},
      {"default.conf", "it means something else to Linux"},
      {"lo", "it means something else to Linux"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(locate(cases[i].name), -EINVAL);
    if (!strstr(complaints, cases[i].words))
      fail_msg("\"%s\" is not in: %s", cases[i].words, complaints);
    assert_ptr_equal(strchr(complaints, '\n'), complaints + strlen(complaints) - 1);
  }
}

static void path_that_is_too_long_is_refused(void **state) {
  (void)state;
  char path[PATH_MAX + 16];
  memset(path, '/', sizeof(path));
  strcpy(path + PATH_MAX, "site-b.conf");
  assert_int_equal(locate(path), -EINVAL);
  assert_non_null(strstr(complaints, "the path is too long; at most 4095 bytes"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, config_file_make_key, config_file_remove)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(config_with_every_key_is_read),
      TEST(keys_that_are_not_given_have_defaults),
      TEST(all_mistakes_are_reported_in_one_run),
      TEST(default_routes_need_rules_unless_a_table_is_configured),
      TEST(bad_config_is_not_half_loaded),
      TEST(missing_file_is_reported),
      TEST(directory_is_reported),
      TEST(file_that_may_not_be_read_is_reported),
      TEST(empty_file_is_reported),
      TEST(file_of_comments_has_no_sections),
      TEST(key_is_read_with_the_configuration),
      TEST(shortage_is_not_a_mistake_in_the_file),
      TEST(config_is_loaded_again_after_it_was_freed),
      TEST(file_with_hooks_that_others_can_write_is_reported),
      TEST(file_with_hooks_of_another_user_is_reported),
      TEST(file_with_hooks_may_belong_to_root_or_the_user_who_runs_it),
      TEST(name_stands_for_a_file_in_etc),
      TEST(path_is_used_unchanged),
      TEST(name_that_is_no_interface_name_is_refused),
      TEST(path_that_is_too_long_is_refused),
  };
  return cmocka_run_group_tests_name("config", tests, config_file_start, config_file_finish);
}
