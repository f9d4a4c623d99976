#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/table.h"
#include "config_file.h"

static void nearest_known_key_is_suggested(void **state) {
  (void)state;
  assert_interface_mistake("AdressX = 10.77.0.1/30",
                           "unknown key \"AdressX\"; did you mean \"Address\"?");
  assert_interface_mistake("FirewallMark = 1",
                           "unknown key \"FirewallMark\"; [Interface] has "
                           "Address, ListenPort, MTU, Table, Metric, NetNS, FwMark, "
                           "DSCP, Bandwidth, Overhead, Offload, Sandbox, PostUp, PreDown\n");
  assert_peer_mistake("Keepalive = 1", "unknown key \"Keepalive\"; [Peer] has PresharedKeyFile, "
                                       "Endpoint, AllowedIPs, PersistentKeepalive\n");
  assert_peer_mistake("PersistantKeepalive = 25", "did you mean \"PersistentKeepalive\"?");
}

static void key_is_found_by_a_similar_name(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum sw_config_key key;
  } cases[] = {
      {"MTU", SW_CONFIG_KEY_MTU}, /* one letter may be wrong */
      {"mtu", SW_CONFIG_KEY_MTU},
      {"XMTU", SW_CONFIG_KEY_MTU},
      {"MXTU", SW_CONFIG_KEY_MTU},
      {"MTUX", SW_CONFIG_KEY_MTU},
      {"TU", SW_CONFIG_KEY_MTU},
      {"MU", SW_CONFIG_KEY_MTU},
      {"MT", SW_CONFIG_KEY_MTU},
      {"XTU", SW_CONFIG_KEY_MTU},
      {"MXU", SW_CONFIG_KEY_MTU},
      {"MTX", SW_CONFIG_KEY_MTU},
      {"MTUXX", SW_CONFIG_KEY_NONE},
      {"MXX", SW_CONFIG_KEY_NONE},
      {"XMT", SW_CONFIG_KEY_NONE},
      {"M", SW_CONFIG_KEY_NONE},
      {"PostXX", SW_CONFIG_KEY_POST_UP}, /* 4 to 7 letters: two may be wrong */
      {"PosXXX", SW_CONFIG_KEY_NONE},
      {"EndpoXXX", SW_CONFIG_KEY_ENDPOINT}, /* 8 to 11 letters: three may be wrong */
      {"xEndxointy", SW_CONFIG_KEY_ENDPOINT},
      {"EndpXXXX", SW_CONFIG_KEY_NONE},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    if (sw_config_key_find(cases[i].name) != cases[i].key)
      fail_msg("%s is taken for key %d", cases[i].name, sw_config_key_find(cases[i].name));
}

static void every_key_is_found_by_its_own_name(void **state) {
  (void)state;
  for (enum sw_config_key key = SW_CONFIG_KEY_ADDRESS; key < SW_CONFIG_KEYS; key++)
    assert_int_equal(sw_config_key_find(sw_config_row(key)->name), key);
}

static void list_of_keys_is_truncated_to_its_buffer(void **state) {
  (void)state;
  char text[32];
  memset(text, 'x', sizeof(text));
  assert_string_equal(sw_config_key_list(SW_CONFIG_SECTION_INTERFACE, text, 16), "Address, Listen");
  for (size_t i = 16; i < sizeof(text); i++) assert_int_equal(text[i], 'x');
  assert_string_equal(sw_config_key_list(SW_CONFIG_SECTION_NONE, text, 16), "");
}

static void misspelt_key_is_not_missing_too(void **state) {
  (void)state;
  assert_mistake(INTERFACE "[Peer]\nPresharedKeyFil = site-b.key\nAllowedIPs = 10.2.0.0/16\n", 4,
                 "did you mean \"PresharedKeyFile\"?");
}

static void misplaced_key_is_reported_with_its_section(void **state) {
  (void)state;
  assert_peer_mistake("MTU = 1376", "MTU does not belong to [Peer]; put it below [Interface]");
  assert_interface_mistake("Endpoint = b.example:1",
                           "Endpoint does not belong to [Interface]; put it below [Peer]");
  assert_mistake("MTU = 1376\n" INTERFACE PEER, 1,
                 "MTU does not belong before the first section; put it below [Interface]");
  assert_mistake("Colour = red\n" INTERFACE PEER, 1,
                 "unknown key \"Colour\"; keys belong below [Interface] or [Peer]");
}

static void keys_of_wireguard_are_reported_with_what_to_write(void **state) {
  (void)state;
  assert_interface_mistake("PrivateKey = " KEY, "PrivateKey is not a key of saltway's: there are "
                                                "no key pairs, both ends share one key");
  assert_interface_mistake("DNS = 192.0.2.53", "PostUp = resolvectl dns %i");
  assert_interface_mistake("SaveConfig = true", "this file is never written to");
  assert_interface_mistake("PreUp = true", "use PostUp");
  assert_interface_mistake("PostDown = true", "use PreDown");
  assert_peer_mistake("PublicKey = " KEY, "PublicKey is not a key of saltway's");
  assert_peer_mistake("presharedkey = " KEY,
                      "keys are kept in a file of their own; PresharedKeyFile = FILE");
}

static void single_key_given_twice_is_refused(void **state) {
  (void)state;
  assert_interface_mistake("ListenPort = 51901", "ListenPort is given twice (first in line 2)");
  assert_peer_mistake("PresharedKeyFile = site-b.key",
                      "PresharedKeyFile is given twice (first in line 4); remove one");
  assert_int_equal(load("[Interface]\nMTU = 1\nMTU = 2\nMTU = 3\n" PEER "Endpoint = b:1\n"), 3);
  assert_complaint(4, "MTU is given twice (first in line 2)");
}

static void unknown_section_is_refused(void **state) {
  (void)state;
  assert_mistake(INTERFACE PEER "[Colours]\nred = 1\nno equals sign\n", 6,
                 "unknown section [Colours]; there are [Interface] and [Peer]");
  assert_mistake(INTERFACE PEER "[]\n", 6, "unknown section; there are");
  assert_mistake("[Colours]\nred = 1\n" INTERFACE PEER, 1, "unknown section [Colours]");
  assert_int_equal(load(INTERFACE PEER "[Colours]\n[Shapes]\n"), 2);
  assert_complaint(6, "unknown section [Colours]");
  assert_complaint(7, "unknown section [Shapes]");
}

static void misspelt_section_is_read_as_the_nearest(void **state) {
  (void)state;
  assert_mistake(INTERFACE "[Peeer]\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16\n", 3,
                 "unknown section [Peeer]; did you mean [Peer]?");
}

static void malformed_section_is_refused(void **state) {
  (void)state;
  assert_mistake(INTERFACE "[Peer\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16\n", 3,
                 "\"[\" without \"]\"");
  assert_mistake("[Interface] ListenPort = 51900\n" PEER "Endpoint = b.example:1\n", 1,
                 "text follows [Interface]");
  assert_mistake("[Interface]x\nListenPort = 51900\n" PEER, 1, "text follows [Interface]");
}

static void missing_section_is_reported(void **state) {
  (void)state;
  assert_mistake(PEER "Endpoint = b.example.net:51900\n", 1, "there is no [Interface]");
  assert_mistake(INTERFACE "\n\n", 4, "there is no [Peer]");
  assert_mistake(INTERFACE, 2, "there is no [Peer]");
}

static void second_peer_is_refused(void **state) {
  (void)state;
  assert_mistake(INTERFACE PEER PEER, 6,
                 "a second [Peer] (the first is in line 3), but a link has one peer; write a file "
                 "for each further site");
}

static void second_interface_is_refused_and_read(void **state) {
  (void)state;
  assert_mistake("[Interface]\n" PEER INTERFACE, 5,
                 "a second [Interface] (the first is in line 1); keep all in one");
}

static void missing_required_key_is_reported_at_its_section(void **state) {
  (void)state;
  assert_mistake(INTERFACE "[Peer]\nPresharedKeyFile = site-b.key\n", 3,
                 "[Peer] has no AllowedIPs");
  assert_mistake(INTERFACE "\n[Peer]\nAllowedIPs = 10.2.0.0/16\n", 4,
                 "[Peer] has no PresharedKeyFile; add PresharedKeyFile = FILE");
}

static void neither_endpoint_nor_port_is_refused(void **state) {
  (void)state;
  assert_mistake("[Interface]\nMTU = 1376\n" PEER, 3, "neither Endpoint nor ListenPort is given");
}

static void names_are_read_in_any_case(void **state) {
  (void)state;
  assert_good("[INTERFACE]\nlistenport=51900\nmtu=1376\n[peer]\npresharedKEYfile=site-b.key\n"
              "allowedips=10.2.0.0/16\n");
  assert_int_equal(config.listen_port, 51900);
}

static void indentation_is_ignored(void **state) {
  (void)state;
  assert_good("[Interface]\n  ListenPort = 51900\n\tMTU = 1376 \n  [Peer]\t\n"
              "  PresharedKeyFile = site-b.key\n  AllowedIPs = 10.2.0.0/16\n");
  assert_int_equal(config.mtu, 1376);
  assert_int_equal(config.allowed_ip_count, 1);
}

static void comments_are_skipped(void **state) {
  (void)state;
  assert_good("# one\n; two\n   # three\n[Interface] # four\nListenPort = 51900 # five\n"
              "MTU = 1376\t#six\n" PEER);
  assert_int_equal(config.listen_port, 51900);
  assert_int_equal(config.mtu, 1376);
}

static void long_comments_are_skipped(void **state) {
  (void)state;
  char text[2000];
  snprintf(text, sizeof(text), INTERFACE "#%0600d\nMTU = 1376 # %0600d\n" PEER, 0, 0);
  assert_good(text);
  assert_int_equal(config.mtu, 1376);
}

static void command_is_kept_whole(void **state) {
  (void)state;
  assert_good(INTERFACE "PostUp = a ; b\t;c\nPostUp = echo \"rule # 1\"; x=y  z=1 # the shell's\n"
                        "PreDown = : ;\n" PEER);
  assert_string_equal(config.post_up[0], "a ; b\t;c");
  assert_string_equal(config.post_up[1], "echo \"rule # 1\"; x=y  z=1 # the shell's");
  assert_string_equal(config.pre_down[0], ": ;");
}

static void windows_line_ends_and_mark_are_accepted(void **state) {
  (void)state;
  assert_good("\xef\xbb\xbf[Interface]\r\nListenPort = 51900\r\n\r\n[Peer]\r\n"
              "PresharedKeyFile = site-b.key\r\nAllowedIPs = 10.2.0.0/16\r\n");
  assert_string_equal(config.key_file, config_key_file);
}

static void last_line_needs_no_end(void **state) {
  (void)state;
  assert_good(INTERFACE "[Peer]\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16");
  assert_int_equal(config.allowed_ip_count, 1);
}

static void missing_value_is_reported(void **state) {
  (void)state;
  assert_interface_mistake("MTU =", "MTU has no value");
  assert_interface_mistake("PostUp =", "PostUp has no value");
  assert_interface_mistake("Address = # later", "Address has no value");
}

static void line_without_equals_sign_is_reported(void **state) {
  (void)state;
  assert_interface_mistake("MTU 1376", "a line without \"=\"; write KEY = VALUE");
  assert_interface_mistake("MTU: 1376", "a line without \"=\"");
  load(INTERFACE "one\n\ntwo\n" PEER "three\n"); /* each is reported */
  assert_complaint(3, "a line without \"=\"");
  assert_complaint(5, "a line without \"=\"");
  assert_complaint(9, "a line without \"=\"");
}

static void line_without_a_keys_name_is_reported(void **state) {
  (void)state;
  assert_interface_mistake("MTU\xc2\xa0 = 1376",
                           "write KEY = VALUE (byte 0xC2 in it is not ASCII)\n");
  assert_interface_mistake("MTU = \xc2\xa0"
                           "1376",
                           " (byte 0xC2 in it is not ASCII)\n");
  assert_interface_mistake("MTU x = 1376", "write KEY = VALUE\n");
  assert_interface_mistake("= 1376", "the text before \"=\" is not the name of a key");
  assert_interface_mistake("MTU: x = 1376", "the text before \"=\" is not the name of a key");
}

static void key_in_the_configuration_is_not_shown(void **state) {
  (void)state;
  static const char *const lines[] = {KEY,
                                      "PresharedKey = " KEY,
                                      "PresharedKey: " KEY,
                                      "PresharedKeyFile = " KEY,
                                      "PresharedKeyFile = AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
                                      "PresharedKeyFile = /AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBka"
                                      "GxwdHh8="};
  for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
    char text[512];
    snprintf(text, sizeof(text), INTERFACE "[Peer]\n%s\nAllowedIPs = 10.2.0.0/16\n", lines[i]);
    assert_int_not_equal(load(text), 0);
    assert_null(strstr(complaints, "AECAwQF"));
  }
  assert_mistake(INTERFACE "[Peer]\nPresharedKeyFile = " KEY "\nAllowedIPs = 10.2.0.0/16\n", 4,
                 "this is a key itself; put it into a file");
}

/* Returns "PostUp = 000..." of `length` bytes. */
static char *line_of_length(size_t length) {
  static char line[20000];
  snprintf(line, sizeof(line), "PostUp = %0*d", (int)length - 9, 0);
  assert_int_equal(strlen(line), length);
  return line;
}

static void longest_line_is_read_whole(void **state) {
  (void)state;
  char text[20000];
  const char *line = line_of_length(16384);
  snprintf(text, sizeof(text), INTERFACE "%s\n" PEER, line);
  assert_good(text);
  assert_string_equal(config.post_up[0], line + strlen("PostUp = "));
  snprintf(text, sizeof(text), INTERFACE "%s\r\n" PEER, line); /* the line end is not counted */
  assert_good(text);
}

static void line_that_is_too_long_is_reported_and_not_split(void **state) {
  (void)state;
  char text[20000];
  snprintf(text, sizeof(text), INTERFACE "%s MTU = 1\n" PEER, line_of_length(16377));
  assert_mistake(text, 3, "line too long: 16385 bytes, at most 16384 are read; repeat the key");
  snprintf(text, sizeof(text), INTERFACE PEER "AllowedIPs = 10.3.0.0/33,%16400s\n", "");
  assert_mistake(text, 6, "line too long: 16425 bytes");
  snprintf(text, sizeof(text), INTERFACE PEER "# %16400s\n", "");
  assert_mistake(text, 6, "line too long: 16402 bytes");
}

static void key_of_a_line_that_is_too_long_is_not_missing_too(void **state) {
  (void)state;
  char text[20000];
  snprintf(text, sizeof(text),
           INTERFACE "[Peer]\nPresharedKeyFile = site-b.key\nAllowedIPs = 10.2.0.0/16,%16400s\n",
           "");
  assert_mistake(text, 5, "line too long");
  snprintf(text, sizeof(text), "[Interface] #%16400s\nMTU = 1\n" PEER "Endpoint = b:1\n", "");
  assert_int_equal(load(text), 2); /* the section header is still read */
  assert_complaint(2, "MTU");
}

static void line_that_seems_to_continue_is_reported(void **state) {
  (void)state;
  assert_interface_mistake("PostUp = ip rule add \\",
                           "PostUp ends in \"\\\", but no line continues in "
                           "the next one; write all of it on this line");
  assert_interface_mistake("Address = 10.77.0.1/30, \\ # more",
                           "Address ends in \"\\\", but no line "
                           "continues in the next one; repeat "
                           "the key for more values");
  assert_good("# a comment may \\\n" INTERFACE "PostUp = \\ls\n" PEER);
  assert_string_equal(config.post_up[0], "\\ls");
}

static void bytes_that_are_not_text_are_reported(void **state) {
  (void)state;
  assert_interface_mistake("# caf\xe9", "byte 0xE9 in column 6 is not UTF-8");
  assert_interface_mistake("# \xc0\xaf", "byte 0xC0 in column 3 is not UTF-8");
  assert_interface_mistake("# \xed\xa0\x80", "byte 0xED in column 3 is not UTF-8");
  assert_interface_mistake("MTU = 1376\x1b[2J", "byte 0x1B in column 11 is a control character");
  assert_interface_mistake("MTU = 1376\rTable = off", "byte 0x0D in column 11");
  assert_good("# caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\xa7\x82\n" INTERFACE PEER);
}

static void nul_byte_is_the_only_mistake_reported(void **state) {
  (void)state;
  static const char text[] = INTERFACE "MTU = 13\00076\nno equals sign\n" PEER;
  assert_int_equal(load_bytes(text, sizeof(text) - 1, 0600), 1);
  assert_complaint(3, "a NUL byte, so this is not a text file");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, config_file_make_key, config_file_remove)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nearest_known_key_is_suggested),
      TEST(key_is_found_by_a_similar_name),
      TEST(every_key_is_found_by_its_own_name),
      TEST(list_of_keys_is_truncated_to_its_buffer),
      TEST(misspelt_key_is_not_missing_too),
      TEST(misplaced_key_is_reported_with_its_section),
      TEST(keys_of_wireguard_are_reported_with_what_to_write),
      TEST(single_key_given_twice_is_refused),
      TEST(unknown_section_is_refused),
      TEST(misspelt_section_is_read_as_the_nearest),
      TEST(malformed_section_is_refused),
      TEST(missing_section_is_reported),
      TEST(second_peer_is_refused),
      TEST(second_interface_is_refused_and_read),
      TEST(missing_required_key_is_reported_at_its_section),
      TEST(neither_endpoint_nor_port_is_refused),
      TEST(names_are_read_in_any_case),
      TEST(indentation_is_ignored),
      TEST(comments_are_skipped),
      TEST(long_comments_are_skipped),
      TEST(command_is_kept_whole),
      TEST(windows_line_ends_and_mark_are_accepted),
      TEST(last_line_needs_no_end),
      TEST(missing_value_is_reported),
      TEST(line_without_equals_sign_is_reported),
      TEST(line_without_a_keys_name_is_reported),
      TEST(key_in_the_configuration_is_not_shown),
      TEST(longest_line_is_read_whole),
      TEST(line_that_is_too_long_is_reported_and_not_split),
      TEST(key_of_a_line_that_is_too_long_is_not_missing_too),
      TEST(line_that_seems_to_continue_is_reported),
      TEST(bytes_that_are_not_text_are_reported),
      TEST(nul_byte_is_the_only_mistake_reported),
  };
  return cmocka_run_group_tests_name("config lines", tests, config_file_start, config_file_finish);
}
