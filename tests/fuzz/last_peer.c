/*
 * The file with the peer's last address.  A text that is read is the same when written again, and its
 * address is one that datagrams can be sent to.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "parent/last_peer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1), again[SW_LAST_PEER_TEXT];
  struct sw_last_peer peer;
  memcpy(text, data, size);
  text[size] = '\0';
  if (sw_last_peer_parse(text, &peer)) {
    sw_last_peer_text(&peer, again);
    assert(strcmp(text, again) == 0);
    assert(peer.address.port > 0 && peer.address.port <= UINT16_MAX);
  }
  free(text);
  return 0;
}
