#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/write.h"
#include "cli/cli.h"
#include "saltway/key.h"

static bool others_can_read_output(void) {
  struct stat status;
  return fstat(STDOUT_FILENO, &status) == 0 && S_ISREG(status.st_mode) &&
         (status.st_mode & (S_IRGRP | S_IROTH)) != 0;
}

int sw_cli_genkey(int argc, char **argv) {
  if (argc > 1) {
    fprintf(stderr, "genkey: unexpected argument %s\n", argv[1]);
    sw_cli_usage(stderr, argv[0]);
    return 2;
  }
  if (others_can_read_output())
    fprintf(stderr, "warning: writing a key to a file that others can read; use umask 077\n");

  struct sw_psk psk;
  char text[SW_PSK_TEXT];
  sw_psk_generate(&psk);
  sw_psk_encode(&psk, text);
  text[SW_PSK_TEXT - 1] = '\n';
  const int result = sw_write(STDOUT_FILENO, text, SW_PSK_TEXT); /* stdio would keep it */
  sodium_memzero(&psk, sizeof(psk));
  sodium_memzero(text, sizeof(text));
  if (result == 0) return 0;
  fprintf(stderr, "genkey: cannot write the key: %s\n", strerror(-result));
  return 1;
}
