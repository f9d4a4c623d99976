#include "cli/bench_links.h"

#include <sodium.h>

#define MESSAGES 8 /* more than a handshake has */

static void pass_message(struct sw_link *from, struct sw_link *into) {
  uint8_t datagram[SW_CONTROL_MAX], opened[SW_CONTROL_MAX];
  struct sw_path path;
  size_t length;
  bool whole;
  while ((length = sw_link_transmit(from, SW_BENCH_NOW, datagram, &path, &whole)) > 0)
    sw_link_receive(into, SW_BENCH_NOW, &path, datagram, length, opened, &length);
}

bool sw_bench_links_make(struct sw_bench_links *links) {
  static const struct sw_prefix everywhere[] = {{.ip = {[10] = 0xff, [11] = 0xff}, .length = 96}};
  struct sw_psk psk;
  sw_psk_generate(&psk);
  const struct sw_link_options options = {
      .psks = &psk, .psk_count = 1, .sources = everywhere, .source_count = 1};
  *links = (struct sw_bench_links){.path.peer = {.ip = {[15] = 1}, .port = 1}};
  links->left = sw_link_new(&options);
  links->right = sw_link_new(&options);
  sodium_memzero(&psk, sizeof(psk));
  if (!links->left || !links->right) return false;
  sw_link_endpoints_set(links->left, SW_BENCH_NOW, &links->path.peer, 1);
  for (unsigned i = 0; i < MESSAGES; i++)
    pass_message(i % 2 ? links->right : links->left, i % 2 ? links->left : links->right);
  return sw_link_status(links->left)->state == SW_LINK_UP;
}

void sw_bench_links_free(struct sw_bench_links *links) {
  sw_link_free(links->left);
  sw_link_free(links->right);
}
