#include "parent/sentence.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void sw_sentence_add(char text[SW_SENTENCE_TEXT], const char *format, ...) {
  const size_t length = strlen(text);
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text + length, SW_SENTENCE_TEXT - length, format, arguments);
  va_end(arguments);
}

void sw_sentence_add_ip(char text[SW_SENTENCE_TEXT], const struct sw_address *address) {
  char ip[INET6_ADDRSTRLEN];
  if (sw_ip_is_v4(address->ip))
    inet_ntop(AF_INET, address->ip + 12, ip, sizeof(ip));
  else
    inet_ntop(AF_INET6, address->ip, ip, sizeof(ip));
  sw_sentence_add(text, "%s", ip);
}
