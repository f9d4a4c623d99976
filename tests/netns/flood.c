/*
 * usage: flood garbage|refusals|FILE|altered:FILE SOURCES DESTINATION RATE SECONDS
 *
 * Sends RATE UDP datagrams a second to port 51900 of the IPv4 address DESTINATION. The sources are
 * SOURCES addresses from 198.19.0.1 on. Prints how many datagrams a second were sent.
 *
 *   garbage       random bytes of every length
 *   FILE          the payloads in FILE in turn; each follows its length, 4 bytes in host order
 *   altered:FILE  the same with one bit of the masked counter flipped, so that the receiver has not
 *                 seen the counter
 *   refusals      ICMP port unreachable reports about datagrams from port 51900
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define PAYLOADS_MAX 4096
#define PAYLOAD_MAX 1472

struct payload {
  uint32_t length;
  uint8_t bytes[PAYLOAD_MAX];
};

struct datagram {
  struct iphdr ip;
  struct udphdr udp;
};

static struct payload payloads[PAYLOADS_MAX];

static unsigned make_garbage(void) {
  for (unsigned i = 0; i < PAYLOADS_MAX; i++) {
    payloads[i].length = i % (PAYLOAD_MAX + 1);
    for (size_t at = 0; at < PAYLOAD_MAX; at += 256)
      if (getrandom(payloads[i].bytes + at, PAYLOAD_MAX - at < 256 ? PAYLOAD_MAX - at : 256, 0) < 0)
        exit(1);
  }
  return PAYLOADS_MAX;
}

static unsigned read_payloads(const char *name) {
  FILE *file = fopen(name, "rb");
  unsigned count = 0;
  if (!file) return 0;
  while (count < PAYLOADS_MAX && fread(&payloads[count].length, 4, 1, file) == 1 &&
         payloads[count].length <= PAYLOAD_MAX &&
         fread(payloads[count].bytes, 1, payloads[count].length, file) == payloads[count].length)
    count++;
  fclose(file);
  return count;
}

/* The counter follows the 4 bytes of the session id, little-endian and masked (docs/protocol.md).
 * With bit 24 flipped it is outside the replay window, and below the limit of a session. */
static void alter(unsigned count) {
  for (unsigned i = 0; i < count; i++) payloads[i].bytes[7] ^= 1;
}

static uint16_t checksum(const uint8_t *bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i += 2) sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons((uint16_t)~sum);
}

/* RFC 792: a report holds the IP header of the datagram it is about, and the next 8 bytes. */
static unsigned make_refusal(struct in_addr victim) {
  struct {
    struct icmphdr icmp;
    struct datagram about;
  } refusal = {.icmp = {.type = ICMP_DEST_UNREACH, .code = ICMP_PORT_UNREACH},
               .about = {.ip = {.version = 4,
                                .ihl = 5,
                                .tot_len = htons(100),
                                .ttl = 64,
                                .protocol = IPPROTO_UDP,
                                .saddr = victim.s_addr,
                                .daddr = htonl(0xcb00714d)}, /* 203.0.113.77 */
                         .udp = {.source = htons(51900), .dest = htons(51900), .len = htons(80)}}};
  refusal.icmp.checksum = checksum((const uint8_t *)&refusal, sizeof(refusal));
  payloads[0].length = sizeof(refusal);
  memcpy(payloads[0].bytes, &refusal, sizeof(refusal));
  return 1;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc != 6) return 2;
  static const char altered_prefix[] = "altered:";
  const size_t prefix = sizeof(altered_prefix) - 1;
  const bool icmp = strcmp(argv[1], "refusals") == 0;
  const bool altered = strncmp(argv[1], altered_prefix, prefix) == 0;
  const unsigned sources = (unsigned)atoi(argv[2]);
  const double rate = atof(argv[4]), seconds = atof(argv[5]);
  struct sockaddr_in to = {.sin_family = AF_INET};
  const int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
  if (fd < 0 || sources == 0 || inet_pton(AF_INET, argv[3], &to.sin_addr) != 1) return 1;
  const unsigned count = icmp ? make_refusal(to.sin_addr)
                         : strcmp(argv[1], "garbage") == 0
                             ? make_garbage()
                             : read_payloads(argv[1] + (altered ? prefix : 0));
  if (count == 0) return 1;
  if (altered) alter(count);
  static struct datagram headers[BATCH];
  static struct iovec parts[BATCH][2];
  static struct mmsghdr messages[BATCH];
  const double start = now();
  unsigned long sent = 0;
  while (now() - start < seconds) {
    if ((double)sent > (now() - start) * rate) continue;
    for (unsigned i = 0; i < BATCH; i++) {
      struct payload *payload = &payloads[(sent + i) % count];
      const size_t length = sizeof(struct udphdr) + payload->length;
      headers[i] = (struct datagram){
          .ip = {.version = 4,
                 .ihl = 5,
                 .ttl = 64,
                 .protocol = icmp ? IPPROTO_ICMP : IPPROTO_UDP,
                 .saddr = htonl(0xc6130001u + (uint32_t)((sent + i) % sources)),
                 .daddr = to.sin_addr.s_addr},
          .udp = {.source = htons(51900), .dest = htons(51900), .len = htons((uint16_t)length)}};
      parts[i][0] = (struct iovec){&headers[i], icmp ? sizeof(struct iphdr) : sizeof(headers[i])};
      parts[i][1] = (struct iovec){payload->bytes, payload->length};
      messages[i].msg_hdr = (struct msghdr){
          .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts[i], .msg_iovlen = 2};
    }
    const int done = sendmmsg(fd, messages, BATCH, 0);
    if (done > 0) sent += (unsigned)done;
  }
  printf("%.0f\n", (double)sent / (now() - start));
  return 0;
}
