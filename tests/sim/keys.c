#include "keys.h"

struct sw_psk key_psk(unsigned number) {
  struct sw_psk psk = {"a key of the hosts"};
  psk.bytes[SW_PSK_BYTES - 1] = (uint8_t)number;
  return psk;
}
