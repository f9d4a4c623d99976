#include "protocol/cookie.h"

#include <sodium.h>

#include "protocol/wire.h"

void sw_cookies_start(struct sw_cookies *cookies, uint64_t now) {
  *cookies = (struct sw_cookies){.drawn = now, .second = now};
  randombytes_buf(cookies->secret, sizeof(cookies->secret));
}

static void rotate(struct sw_cookies *cookies, uint64_t now) {
  const uint64_t age = now - cookies->drawn;
  if (age < SW_COOKIE_SECRET_LIFETIME) return;
  if (age < 2 * SW_COOKIE_SECRET_LIFETIME)
    memcpy(cookies->secret[1], cookies->secret[0], SW_KEY_BYTES);
  else
    randombytes_buf(cookies->secret[1], SW_KEY_BYTES);
  randombytes_buf(cookies->secret[0], SW_KEY_BYTES);
  cookies->drawn = now;
}

bool sw_cookies_count(struct sw_cookies *cookies, uint64_t now) {
  const uint64_t passed = now - cookies->second;
  if (passed >= SW_SECOND) {
    cookies->busy = passed < 2 * SW_SECOND && cookies->inits > SW_LOAD_INITS;
    cookies->second = now;
    cookies->inits = 0;
  }
  if (cookies->inits <= SW_LOAD_INITS) cookies->inits++;
  return cookies->busy || cookies->inits > SW_LOAD_INITS;
}

static void compute(const uint8_t secret[SW_KEY_BYTES], const struct sw_address *source,
                    const uint8_t point[SW_POINT_BYTES], uint8_t cookie[SW_COOKIE_BYTES]) {
  uint8_t input[SW_IP_BYTES + 8 + SW_POINT_BYTES];
  memcpy(input, source->ip, SW_IP_BYTES);
  sw_store32(input + SW_IP_BYTES, source->scope);
  sw_store32(input + SW_IP_BYTES + 4, source->port);
  memcpy(input + SW_IP_BYTES + 8, point, SW_POINT_BYTES);
  crypto_generichash(cookie, SW_COOKIE_BYTES, input, sizeof(input), secret, SW_KEY_BYTES);
}

void sw_cookies_make(struct sw_cookies *cookies, uint64_t now, const struct sw_address *source,
                     const uint8_t point[SW_POINT_BYTES], uint8_t cookie[SW_COOKIE_BYTES]) {
  rotate(cookies, now);
  compute(cookies->secret[0], source, point, cookie);
}

bool sw_cookies_verify(struct sw_cookies *cookies, uint64_t now, const struct sw_address *source,
                       const uint8_t point[SW_POINT_BYTES], const uint8_t cookie[SW_COOKIE_BYTES]) {
  rotate(cookies, now);
  for (unsigned i = 0; i < 2; i++) {
    uint8_t expected[SW_COOKIE_BYTES];
    compute(cookies->secret[i], source, point, expected);
    if (sodium_memcmp(expected, cookie, SW_COOKIE_BYTES) == 0) return true;
  }
  return false;
}
