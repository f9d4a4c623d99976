#include "cli/test_socket.h"

#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <unistd.h>

#define V4_OFFSET 12

socklen_t sw_test_sockaddr(const uint8_t ip[SW_IP_BYTES], struct sockaddr_storage *address) {
  memset(address, 0, sizeof(*address));
  if (sw_ip_is_v4(ip)) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(SW_TEST_PORT);
    memcpy(&v4->sin_addr, ip + V4_OFFSET, sizeof(v4->sin_addr));
    return sizeof(*v4);
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
  v6->sin6_family = AF_INET6;
  v6->sin6_port = htons(SW_TEST_PORT);
  memcpy(&v6->sin6_addr, ip, SW_IP_BYTES);
  return sizeof(*v6);
}

int sw_test_socket(const uint8_t ip[SW_IP_BYTES], int type, const char *interface,
                   struct sw_error *error) {
  const int fd =
      socket(sw_ip_is_v4(ip) ? AF_INET : AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return sw_error_set(error, errno, NULL, "test: cannot open a socket");
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface) + 1) == 0)
    return fd;
  const int code = errno;
  close(fd);
  return sw_error_set(error, code, code == EPERM ? "run it as root" : NULL,
                      "test: cannot use the interface %s", interface);
}

int64_t sw_test_send_data(int fd) {
  static const uint8_t data[SW_TEST_CHUNK];
  const ssize_t sent = send(fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? -errno : sent;
}

void sw_test_sent(int fd, struct sw_test_side *side) {
  struct tcp_info info = {.tcpi_total_retrans = 0};
  socklen_t length = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return;
  side->retransmits = info.tcpi_total_retrans;
  if (info.tcpi_busy_time && info.tcpi_rwnd_limited <= info.tcpi_busy_time)
    side->window = (uint32_t)(info.tcpi_rwnd_limited * 1000 / info.tcpi_busy_time);
}
