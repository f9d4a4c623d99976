#include "protocol/control.h"

#include <assert.h>
#include <sodium.h>

/* Seals a token and padding, `least` to `most` bytes in all, at random. */
static size_t seal_token(struct sw_link *link, struct sw_session *session, enum sw_kind kind,
                         uint64_t token, size_t least, size_t most, uint8_t *datagram) {
  uint8_t plain[SW_CONTROL_MAX] = {0};
  assert(least >= SW_PROBE_BYTES && least <= most && most + SW_OVERHEAD <= sizeof(plain));
  sw_store64(plain, token);
  const size_t length = least + randombytes_uniform((uint32_t)(most - least + 1));
  const int64_t sealed = sw_session_seal(session, link->now, kind, plain, length, datagram);
  if (sealed < 0) return 0;
  link->status.sent_time = link->now;
  return (size_t)sealed;
}

size_t sw_control_probe(struct sw_link *link, struct sw_session *session, enum sw_kind kind,
                        uint64_t token, size_t least, size_t most, uint8_t *datagram) {
  return seal_token(link, session, kind, token, least, most, datagram);
}

size_t sw_control_ack(struct sw_link *link, struct sw_session *session, uint64_t token,
                      size_t length, uint8_t *datagram) {
  const size_t most = length < SW_PROBE_MAX ? length : SW_PROBE_MAX;
  return seal_token(link, session, SW_KIND_PROBE_ACK, token, SW_PROBE_BYTES, most, datagram);
}

size_t sw_control_farewell(struct sw_link *link, struct sw_session *session, uint8_t *datagram) {
  return seal_token(link, session, SW_KIND_CLOSE, 0, SW_PROBE_BYTES, SW_PROBE_MAX, datagram);
}
