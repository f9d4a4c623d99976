/*
 * usage: other_version KEYFILE ADDRESS PORT
 *
 * Sends an init of protocol version 2, sealed with the key.
 */
#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "protocol/handshake.h"
#include "protocol/protocol.h"

static struct sw_psk read_key(const char *file) {
  char text[SW_PSK_TEXT] = "";
  struct sw_psk psk;
  FILE *in = fopen(file, "r");
  if (!in || !fgets(text, sizeof(text), in) || sw_psk_decode(text, SW_PSK_TEXT - 1, &psk) != 0) {
    fprintf(stderr, "other_version: no key in %s\n", file);
    exit(1);
  }
  fclose(in);
  return psk;
}

int main(int argc, char **argv) {
  if (argc != 4 || sodium_init() < 0) return 2;
  const struct sw_psk psk = read_key(argv[1]);
  struct sw_keys keys;
  sw_keys_derive(&psk, &keys);
  const uint8_t init[SW_INIT_MIN] = {SW_MESSAGE_INIT, SW_VERSION + 1, 'm', 'e'};
  uint8_t datagram[SW_INIT_MIN + SW_HANDSHAKE_OVERHEAD];
  const size_t length = sw_message_seal(&keys, init, sizeof(init), datagram);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) return 2;
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (sendto(fd, datagram, length, 0, (const struct sockaddr *)&to, sizeof(to)) < 0) {
    perror("other_version");
    return 1;
  }
  return 0;
}
