/*
 * Echo requests (RFC 792, RFC 4443) to the peer through the link: short ones, ones as long as the MTU,
 * and a burst of those, which the hosts on the way may coalesce.  Only answers from the interface count.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "doctor/gather.h"
#include "linux/netns.h"
#include "packet/checksum.h"

#define V4_OFFSET 12
#define SMALL 100 /* bytes of a packet that every path carries */
#define BURST 16  /* fits the queue of the interface */

/* A link may lose packets, and a machine may be slow. */
#define TRIES 6
#define TRY_MS 500
#define BURSTS 3
#define BURST_MS 2000

#define LONGEST 9000 /* of a packet */

struct echo {
  int fd;
  bool v4;
  uint8_t peer[SW_IP_BYTES];
  bool certain;
  uint16_t id, first, sequence; /* of the requests whose answers count: the first and the latest */
};

/* The peer's address is not configured.  In networks of two addresses it is the other one; in larger
 * ones people give the sides 1 and 2.  Returns whether it is certain. */
static bool other_side(const struct sw_prefix *own, uint8_t ip[SW_IP_BYTES]) {
  if (sw_prefix_other(own, ip)) return true;
  memcpy(ip, own->ip, SW_IP_BYTES);
  uint8_t *last = &ip[SW_IP_BYTES - 1];
  *last = *last == 1 ? 2 : 1;
  return false;
}

static bool find_peer(const struct sw_config *config, bool v4, struct echo *echo) {
  for (size_t i = 0; i < config->address_count; i++) {
    const struct sw_prefix *own = &config->addresses[i];
    if (sw_ip_is_v4(own->ip) != v4 || own->length == 8 * SW_IP_BYTES) continue;
    echo->certain = other_side(own, echo->peer);
    echo->v4 = v4;
    return true;
  }
  return false;
}

static bool open_socket(struct echo *echo, const char *interface) {
  const int type = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, probe = IP_PMTUDISC_PROBE;
  echo->fd =
      echo->v4 ? socket(AF_INET, type, IPPROTO_ICMP) : socket(AF_INET6, type, IPPROTO_ICMPV6);
  if (echo->fd < 0) return false;
  /* routes and path MTUs that the kernel remembers do not count */
  if (echo->v4)
    setsockopt(echo->fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe));
  else
    setsockopt(echo->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof(probe));
  if (setsockopt(echo->fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                 (socklen_t)strlen(interface) + 1) == 0)
    return true;
  close(echo->fd);
  return false;
}

/* Sends `count` requests in packets of `length` bytes.  Returns how many were sent. */
static unsigned send_requests(struct echo *echo, unsigned length, unsigned count) {
  static uint8_t request[LONGEST];
  const size_t header = echo->v4 ? 20 : 40, size = length - header;
  struct sockaddr_in v4 = {.sin_family = AF_INET};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
  memcpy(&v4.sin_addr, echo->peer + V4_OFFSET, sizeof(v4.sin_addr));
  memcpy(&v6.sin6_addr, echo->peer, sizeof(v6.sin6_addr));
  const uint16_t id = htons(echo->id), sequence = htons(++echo->sequence);
  memset(request, 0, size);
  request[0] = echo->v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
  memcpy(request + 4, &id, sizeof(id));
  memcpy(request + 6, &sequence, sizeof(sequence));
  if (echo->v4) { /* of IPv6 the kernel computes it */
    const uint16_t sum = htons((uint16_t)~sw_checksum_add(0, request, size));
    memcpy(request + 2, &sum, sizeof(sum));
  }
  struct iovec bytes = {.iov_base = request, .iov_len = size};
  struct mmsghdr messages[BURST];
  for (unsigned i = 0; i < count; i++)
    messages[i].msg_hdr = (struct msghdr){.msg_name = echo->v4 ? (void *)&v4 : (void *)&v6,
                                          .msg_namelen = echo->v4 ? sizeof(v4) : sizeof(v6),
                                          .msg_iov = &bytes,
                                          .msg_iovlen = 1};
  const int sent = sendmmsg(echo->fd, messages, count, 0);
  return sent > 0 ? (unsigned)sent : 0;
}

/* Whether what was received answers one of the requests. */
static bool is_answer(const struct echo *echo, const uint8_t *packet, size_t length) {
  const size_t skip = !echo->v4 ? 0 : length > 0 ? 4 * (size_t)(packet[0] & 15) : 0;
  const uint16_t id = htons(echo->id);
  uint16_t sequence;
  if (length < skip + 8 || packet[skip] != (echo->v4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
    return false;
  memcpy(&sequence, packet + skip + 6, sizeof(sequence));
  return memcmp(packet + skip + 4, &id, sizeof(id)) == 0 &&
         (uint16_t)(ntohs(sequence) - echo->first) <= (uint16_t)(echo->sequence - echo->first);
}

/* Waits for `wanted` answers, no longer than the time.  Returns how many came. */
static unsigned await(const struct echo *echo, unsigned wanted, unsigned ms) {
  static uint8_t packet[LONGEST + 64];
  const uint64_t end = sw_clock_now() + ms * (SW_SECOND / 1000);
  unsigned answers = 0;
  for (uint64_t now; answers < wanted && (now = sw_clock_now()) < end;) {
    struct pollfd wait = {.fd = echo->fd, .events = POLLIN};
    if (poll(&wait, 1, (int)((end - now) / (SW_SECOND / 1000)) + 1) <= 0) continue;
    const ssize_t length = recv(echo->fd, packet, sizeof(packet), 0);
    answers += length > 0 && is_answer(echo, packet, (size_t)length);
  }
  return answers;
}

/* Answers to earlier requests count no more. */
static void begin(struct echo *echo) {
  echo->first = (uint16_t)(echo->sequence + 1);
}

static bool passes(struct echo *echo, unsigned length) {
  begin(echo);
  for (unsigned i = 0; i < TRIES; i++)
    if (send_requests(echo, length, 1) == 1 && await(echo, 1, TRY_MS)) return true;
  return false;
}

/* The link may change its MTU meanwhile. */
static unsigned mtu_of(const struct echo *echo, const char *interface) {
  struct ifreq request = {.ifr_mtu = 0};
  snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
  if (ioctl(echo->fd, SIOCGIFMTU, &request) < 0 || request.ifr_mtu < SMALL) return SMALL;
  return request.ifr_mtu < LONGEST ? (unsigned)request.ifr_mtu : LONGEST;
}

static bool passes_long(struct echo *echo, const char *interface, unsigned *mtu) {
  begin(echo);
  for (unsigned i = 0; i < TRIES; i++) {
    *mtu = mtu_of(echo, interface);
    if (send_requests(echo, *mtu, 1) == 1 && await(echo, 1, TRY_MS)) return true;
  }
  return false;
}

static unsigned find_longest(struct echo *echo, unsigned below) {
  static const unsigned lengths[] = {1400, 1280, 1000, 576};
  for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
    if (lengths[i] < below && passes(echo, lengths[i])) return lengths[i];
  return SMALL;
}

/* A link that wakes up for the first burst may send its packets one by one. */
static void send_bursts(struct echo *echo, unsigned length, struct sw_doctor_echo *result) {
  for (unsigned i = 0; i < BURSTS; i++) {
    begin(echo);
    const unsigned sent = send_requests(echo, length, BURST);
    result->sent += sent;
    result->answered += await(echo, sent, BURST_MS);
  }
}

static void measure(struct echo *echo, const char *interface, struct sw_doctor_echo *result) {
  unsigned mtu;
  result->tried = true;
  result->certain = echo->certain;
  memcpy(result->peer, echo->peer, SW_IP_BYTES);
  result->small = passes(echo, SMALL);
  if (!result->small) return;
  result->large = passes_long(echo, interface, &mtu);
  result->longest = result->large ? mtu : find_longest(echo, mtu);
  if (result->large) send_bursts(echo, mtu, result);
}

static void run(struct sw_doctor_facts *facts) {
  struct echo echo = {.fd = -1, .id = (uint16_t)randombytes_uniform(65536)};
  if (!find_peer(&facts->config, true, &echo) && !find_peer(&facts->config, false, &echo)) return;
  if (!open_socket(&echo, facts->name)) return;
  measure(&echo, facts->name, &facts->echo);
  close(echo.fd);
}

void sw_doctor_echo(struct sw_doctor_facts *facts) {
  struct sw_error error;
  if (!facts->loaded || !sw_doctor_is_up(facts)) return;
  const int netns = facts->config.netns[0] ? sw_netns_open(facts->config.netns, &error) : -1;
  const int before = netns >= 0 ? sw_netns_enter(netns, &error) : -1;
  if (!facts->config.netns[0] || before >= 0) run(facts);
  if (before >= 0) sw_netns_leave(before);
  if (netns >= 0) close(netns);
}
