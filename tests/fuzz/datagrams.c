/*
 * Datagrams into a live link.  The input is a list of records: a byte that says what is done (junk
 * as it is; sealed as a handshake message, so that what is behind the tag is reached; sealed in the
 * session; time passes; the link speaks), a length, and bytes.
 */
#include <sodium.h>
#include <stdlib.h>

#include "core/link_state.h"

static struct sw_link *make(const struct sw_psk *psk, uint64_t now, bool starts) {
  static const struct sw_prefix any[] = {{.ip = {[10] = 0xff, [11] = 0xff}, .length = 96},
                                         {.length = 0}};
  struct sw_link *link = sw_link_new(&(struct sw_link_options){
      .psk = psk, .persistent_keepalive = 25 * SW_SECOND, .sources = any, .source_count = 2});
  const struct sw_address peer = {.ip = {[15] = 1}, .port = 1};
  if (starts) sw_link_endpoints_set(link, now, &peer, 1);
  return link;
}

/* Lets both links speak until they have nothing to say. */
static void exchange(struct sw_link *a, struct sw_link *b, uint64_t now) {
  static uint8_t datagram[SW_CONTROL_MAX], packet[SW_CONTROL_MAX];
  struct sw_address to, from = {.ip = {[15] = 1}, .port = 1};
  for (unsigned i = 0; i < 64; i++) {
    size_t length = sw_link_transmit(a, now, datagram, &to), got;
    if (!length) {
      struct sw_link *other = a;
      a = b;
      b = other;
      length = sw_link_transmit(a, now, datagram, &to);
      if (!length) return;
    }
    sw_link_receive(b, now, &from, datagram, length, packet, &got);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool ready;
  if (!ready && sodium_init() < 0) abort();
  ready = true;
  const struct sw_psk psk = {{1, 2, 3}};
  uint64_t now = SW_SECOND;
  struct sw_link *a = make(&psk, now, true), *b = make(&psk, now, false);
  const struct sw_address from = {.ip = {[15] = 2}, .port = 2};
  exchange(a, b, now);
  while (size >= 3) {
    const uint8_t what = data[0];
    size_t length = (size_t)(data[1] | data[2] << 8) % 1024;
    data += 3;
    size -= 3;
    if (length > size) length = size;
    uint8_t *datagram = malloc(SW_HANDSHAKE_OVERHEAD + 1024);
    uint8_t *packet = malloc(SW_HANDSHAKE_OVERHEAD + 1024);
    size_t sealed = length, got;
    switch (what % 5) {
    case 0:
      memcpy(datagram, data, length);
      break;
    case 1:
      sealed =
          sw_message_seal(&a->keys, data, length < SW_INIT_MAX ? length : SW_INIT_MAX, datagram);
      break;
    case 2: {
      struct sw_session *session = sw_link_sending_session(a);
      if (session)
        sealed = (size_t)sw_session_seal(session, a->keys.mask, a->now,
                                         (enum sw_kind)(what / 5 % 8), data, length, datagram);
      else
        memcpy(datagram, data, length);
      break;
    }
    case 3:
      now += length * 100 * SW_MILLISECOND; /* fall through */
    default:
      exchange(a, b, now);
      sealed = 0;
    }
    if (sealed) {
      uint8_t *exact = malloc(sealed);
      memcpy(exact, datagram, sealed);
      sw_link_receive(b, now, &from, exact, sealed, packet, &got);
      free(exact);
    }
    free(datagram);
    free(packet);
    data += length;
    size -= length;
  }
  sw_link_free(a);
  sw_link_free(b);
  return 0;
}
