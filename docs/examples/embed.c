/*
 * Both ends of a link in one program, without TUN, UDP or privileges: a socketpair takes the place of the network.
 *
 *   cc -o embed embed.c $(pkg-config --static --cflags --libs saltway)
 */
#include <poll.h>
#include <saltway/link.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct end {
  const char *name;
  struct sw_link *link;
  struct sw_path path; /* of a datagram that arrives: where it came from, and to which address */
  int fd;
  bool sent, received;
};

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (uint64_t)t.tv_sec * SW_SECOND + (uint64_t)t.tv_nsec;
}

/* Sends what the link itself has to say: handshakes, probes, acks. */
static void transmit(struct end *end) {
  uint8_t datagram[SW_CONTROL_MAX];
  struct sw_path path; /* a real program sends to path.peer, from path.local */
  bool whole;
  for (size_t length; (length = sw_link_transmit(end->link, now(), datagram, &path, &whole)) > 0;)
    if (write(end->fd, datagram, length) < 0) perror(end->name);
}

/* Sends an IPv4 packet, a header and one byte, where a real program sends what it reads from TUN. */
static void send_packet(struct end *end) {
  uint8_t packet[] = {0x45, 0, 0, 21, 0, 0, 0, 0, 64, 253, 0, 0, 10, 77, 0, 1, 10, 77, 0, 2, 'a'};
  uint8_t datagram[sizeof(packet) + SW_OVERHEAD];
  if (end->name[0] == 'b') packet[15] = 2, packet[19] = 1, packet[20] = 'b';
  const int64_t length = sw_link_send(end->link, now(), packet, sizeof(packet), datagram);
  end->sent = length > 0 && write(end->fd, datagram, (size_t)length) == length;
}

static void receive(struct end *end) {
  uint8_t datagram[SW_CONTROL_MAX], packet[SW_CONTROL_MAX];
  size_t size;
  const ssize_t length = read(end->fd, datagram, sizeof(datagram));
  if (length <= 0 || sw_link_receive(end->link, now(), &end->path, datagram, (size_t)length, packet,
                                     &size) != SW_RECEIVED_PACKET)
    return;
  printf("%s: a packet of %zu bytes from %c\n", end->name, size, packet[20]);
  end->received = true;
}

static bool begin(struct end *end, const struct sw_psk *psk, const char *peer) {
  struct sw_prefix inside, host;
  if (sw_prefix_parse("10.77.0.0/30", &inside) || sw_prefix_parse(peer, &host)) return false;
  memcpy(end->path.peer.ip, host.ip, SW_IP_BYTES);
  end->path.peer.port = 51900;
  end->link = sw_link_new(&(struct sw_link_options){
      .psks = psk, .psk_count = 1, .sources = &inside, .source_count = 1});
  return end->link;
}

int main(void) {
  struct end ends[] = {{.name = "a"}, {.name = "b"}};
  struct pollfd polls[2];
  struct sw_psk psk;
  int fds[2];
  if (sodium_init() < 0 || socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds) != 0) return 1;
  sw_psk_generate(&psk);
  if (!begin(&ends[0], &psk, "192.0.2.2") || !begin(&ends[1], &psk, "192.0.2.1")) return 1;
  sodium_memzero(&psk, sizeof(psk));
  sw_link_endpoints_set(ends[0].link, now(), &ends[0].path.peer, 1); /* a begins, b waits */
  const uint64_t end_time = now() + 10 * SW_SECOND;
  while (!(ends[0].received && ends[1].received) && now() < end_time) {
    uint64_t next = end_time;
    for (int i = 0; i < 2; i++) {
      ends[i].fd = fds[i];
      transmit(&ends[i]);
      if (!ends[i].sent && sw_link_status(ends[i].link)->state == SW_LINK_UP) send_packet(&ends[i]);
      if (sw_link_deadline(ends[i].link) < next) next = sw_link_deadline(ends[i].link);
      polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    poll(polls, 2, next > now() ? (int)((next - now()) / 1000000 + 1) : 0);
    for (int i = 0; i < 2; i++)
      if (polls[i].revents) receive(&ends[i]);
  }
  for (int i = 0; i < 2; i++) sw_link_free(ends[i].link);
  return ends[0].received && ends[1].received ? 0 : 1;
}
