/*
 * TUN devices of the running kernel.  Needs root and /dev/net/tun.  Each test has its own network
 * namespace, whose devices disappear with it.  Mounts on /dev/net are visible to this program only.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "linux/tun.h"

#define NODE "/dev/net/tun"
#define DISABLE_IPV6 "/proc/sys/net/ipv6/conf/sw0/disable_ipv6"
#define NOBODY 65534
#define OURS "10.77.0.1"
#define THEIRS "10.77.0.2"
#define OUR_PORT 5100
#define THEIR_PORT 5200
#define SEGMENT 500
#define SEGMENTS 3
#define HEADERS (sizeof(struct iphdr) + sizeof(struct udphdr))
#define UDP_CHECKSUM_OFFSET 6
#define TUN_F_USO 0x60 /* for IPv4 and IPv6 */

static struct sw_tun tun = {.fd = -1};
static struct sw_error error;
static struct sw_offload offload;
static struct rlimit limit;
static bool covered; /* a file system is mounted on /dev/net */
static int udp = -1;
static uint8_t buffer[SW_TUN_HEADROOM + 65536];
static uint8_t *const packet = buffer + SW_TUN_HEADROOM;

/* ---- the kernel and the system ---- */

static bool no_header;    /* the kernel lacks IFF_VNET_HDR ... */
static unsigned offloads; /* ... and these offloads */

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  const struct ifreq *interface = argument;
  if ((request == TUNSETIFF && no_header && interface->ifr_flags & IFF_VNET_HDR) ||
      (request == TUNSETOFFLOAD && (unsigned long)argument & offloads)) {
    errno = EINVAL;
    return -1;
  }
  return (int)syscall(SYS_ioctl, fd, request, argument);
}

static void ip(const char *words) {
  char command[200];
  snprintf(command, sizeof(command), "ip %s", words);
  if (system(command) != 0) fail_msg("failed: %s", command);
}

static void cover(unsigned long flags) {
  assert_int_equal(mount("none", "/dev/net", "tmpfs", flags, NULL), 0);
  covered = true;
}

static void cover_with_node(mode_t mode, unsigned minor_number) {
  cover(0);
  assert_int_equal(mknod(NODE, S_IFCHR, makedev(10, minor_number)), 0);
  assert_int_equal(chmod(NODE, mode), 0);
}

static void set_user_nobody(void) {
  assert_int_equal(seteuid(NOBODY), 0);
}

static unsigned open_files(void) {
  unsigned count = 0;
  DIR *directory = opendir("/proc/self/fd");
  assert_non_null(directory);
  while (readdir(directory)) count++;
  closedir(directory);
  return count;
}

/* Limits open files to `more` than are open now. */
static void limit_files(unsigned more) {
  const int next = open("/dev/null", O_RDONLY);
  assert_true(next >= 0);
  close(next);
  const struct rlimit low = {.rlim_cur = (rlim_t)next + more, .rlim_max = limit.rlim_max};
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
}

static int start(void **state) {
  (void)state;
  return getrlimit(RLIMIT_NOFILE, &limit) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

static int enter(void **state) {
  (void)state;
  return unshare(CLONE_NEWNET);
}

static int leave(void **state) {
  (void)state;
  if (seteuid(0) != 0 || setrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  sw_tun_close(&tun);
  if (udp >= 0) close(udp);
  udp = -1;
  if (covered && umount("/dev/net") != 0) return -1;
  covered = no_header = false;
  offloads = 0;
  return 0;
}

/* ---- opening ---- */

static void assert_opens(const char *name, bool with_offload) {
  strcpy(error.text, "");
  if (sw_tun_open(&tun, name, with_offload, &error) != 0) fail_msg("refused: %s", error.text);
}

/* Asserts that opening fails with this errno, that the complete error line has all of these texts,
 * and that no file stays open. */
#define assert_refused(code, ...) \
  assert_refused_name("sw0", code, (const char *const[]){__VA_ARGS__, NULL})

static void assert_refused_name(const char *name, int code, const char *const *texts) {
  const unsigned files = open_files();
  strcpy(error.text, "");
  const int returned = sw_tun_open(&tun, name, true, &error);
  assert_int_equal(tun.fd, -1);
  assert_int_equal(open_files(), files);
  if (returned != -code) fail_msg("returned %d (%s), not %d", returned, error.text, -code);
  assert_ptr_equal(strstr(error.text, "tun: "), error.text);
  assert_non_null(strstr(error.text, strerror(code)));
  for (; *texts; texts++)
    if (!strstr(error.text, *texts)) fail_msg("\"%s\" is not in: %s", *texts, error.text);
  assert_null(strchr(error.text, '\n'));
  assert_int_equal(error.text[strlen(error.text) - 1], ')'); /* the line is complete */
}

static void device_is_made_with_the_name_asked_for(void **state) {
  (void)state;
  assert_opens("sw0", false);
  assert_string_equal(tun.name, "sw0");
  assert_int_not_equal(tun.index, 0);
  assert_int_equal(tun.index, if_nametoindex("sw0"));
  assert_false(tun.persistent);
  assert_false(tun.offload);
}

static void descriptor_does_not_block_and_is_not_inherited(void **state) {
  (void)state;
  assert_opens("sw0", false);
  assert_true(fcntl(tun.fd, F_GETFL) & O_NONBLOCK);
  assert_true(fcntl(tun.fd, F_GETFD) & FD_CLOEXEC);
}

static void name_is_the_one_the_kernel_chose(void **state) {
  (void)state;
  assert_opens("sw%d", false);
  assert_string_equal(tun.name, "sw0");
  assert_int_equal(tun.index, if_nametoindex("sw0"));
}

static void device_disappears_when_it_is_closed(void **state) {
  (void)state;
  assert_opens("sw0", false);
  sw_tun_close(&tun);
  assert_int_equal(tun.fd, -1);
  assert_int_equal(if_nametoindex("sw0"), 0);
}

static void existing_device_is_reported_and_stays(void **state) {
  (void)state;
  ip("tuntap add mode tun dev sw0");
  assert_opens("sw0", false);
  assert_true(tun.persistent);
  sw_tun_close(&tun);
  assert_int_not_equal(if_nametoindex("sw0"), 0);
}

static void device_made_for_a_user_opens_without_privilege(void **state) {
  (void)state;
  ip("tuntap add mode tun dev sw0 user 65534");
  cover_with_node(0666, 200);
  set_user_nobody();
  assert_opens("sw0", true);
  assert_true(tun.persistent);
}

/* ---- failing to open ---- */

static void missing_node_is_reported(void **state) {
  (void)state;
  cover(0);
  assert_refused(ENOENT, "cannot open " NODE, "modprobe tun",
                 "mkdir -p /dev/net && mknod /dev/net/tun c 10 200", "--device /dev/net/tun");
}

static void node_without_driver_is_reported(void **state) {
  (void)state;
  cover_with_node(0666, 254);
  assert_refused(ENODEV, "cannot open " NODE, "modprobe tun");
}

static void node_of_another_driver_is_reported(void **state) {
  (void)state;
  cover(0);
  assert_int_equal(mknod(NODE, S_IFCHR | 0666, makedev(1, 3)), 0);
  assert_refused(ENOTTY, "not the TUN driver's", "mknod /dev/net/tun c 10 200");
}

static void directory_in_place_of_the_node_is_reported(void **state) {
  (void)state;
  cover(0);
  assert_int_equal(mkdir(NODE, 0755), 0);
  assert_refused(EISDIR, "cannot open " NODE, "rmdir " NODE);
}

static void node_that_users_may_not_open_is_reported(void **state) {
  (void)state;
  cover_with_node(0600, 200);
  set_user_nobody();
  assert_refused(EACCES, "cannot open " NODE, "chmod 0666 /dev/net/tun", "safe", "root");
}

static void node_on_a_nodev_file_system_is_reported(void **state) {
  (void)state;
  cover(MS_NODEV);
  assert_int_equal(mknod(NODE, S_IFCHR | 0666, makedev(10, 200)), 0);
  assert_refused(EACCES, "cannot open " NODE, "nodev");
}

static void missing_capability_is_reported(void **state) {
  (void)state;
  cover_with_node(0666, 200);
  set_user_nobody();
  assert_refused(EPERM, "sw0", "CAP_NET_ADMIN", "ip tuntap add mode tun dev sw0 user 65534");
}

static void device_of_another_user_is_reported(void **state) {
  (void)state;
  ip("tuntap add mode tun dev sw0 user 12345");
  cover_with_node(0666, 200);
  set_user_nobody();
  assert_refused(EPERM, "belongs to another user", "ip -d link show sw0",
                 "ip tuntap add mode tun dev sw0 user 65534");
}

static void device_in_use_is_reported(void **state) {
  (void)state;
  struct sw_tun first;
  assert_int_equal(sw_tun_open(&first, "sw0", true, &error), 0);
  assert_refused(EBUSY, "another program has it open", "another saltway", "ip -d link show sw0");
  sw_tun_close(&first);
}

static void tap_device_is_reported(void **state) {
  (void)state;
  ip("tuntap add mode tap dev sw0");
  assert_refused(EINVAL, "not a TUN device", "of the kind tap", "ip link del sw0");
}

static void veth_interface_is_reported(void **state) {
  (void)state;
  ip("link add sw0 type veth peer name other");
  assert_refused(EINVAL, "not a TUN device", "of the kind veth");
}

static void interface_of_unknown_kind_is_reported(void **state) {
  (void)state;
  assert_refused_name("lo", EINVAL, (const char *const[]){"not a TUN device:", NULL});
}

static void multi_queue_device_is_reported(void **state) {
  (void)state;
  ip("tuntap add mode tun dev sw0 multi_queue");
  assert_refused(EINVAL, "multi-queue", "ip link del sw0; ip tuntap add mode tun dev sw0");
}

static void name_that_is_too_long_is_reported(void **state) {
  (void)state;
  assert_opens("fifteen-letters", false);
  assert_string_equal(tun.name, "fifteen-letters");
  sw_tun_close(&tun);
  assert_refused_name("sixteen--letters", ENAMETOOLONG,
                      (const char *const[]){"sixteen--letters", "at most 15", NULL});
  char endless[1000];
  memset(endless, 'a', sizeof(endless) - 1);
  endless[sizeof(endless) - 1] = '\0';
  assert_refused_name(endless, ENAMETOOLONG, (const char *const[]){"at most 15", NULL});
}

static void invalid_name_is_reported(void **state) {
  (void)state;
  static const char *const names[] = {"", ".", "..", "a b", "a/b", "a:b", "a\t"};
  for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
    assert_refused_name(names[i], EINVAL, (const char *const[]){"1 to 15 characters", NULL});
  assert_refused_name("100%", EINVAL, (const char *const[]){"100%", "not a name", NULL});
}

static void too_many_open_files_are_reported(void **state) {
  (void)state;
  limit_files(0);
  assert_int_equal(sw_tun_open(&tun, "sw0", true, &error), -EMFILE);
  assert_non_null(strstr(error.text, "cannot open " NODE ": Too many open files"));
  assert_non_null(strstr(error.text, "ulimit -n"));
}

static void no_device_stays_when_descriptors_run_out_half_way(void **state) {
  (void)state;
  limit_files(1); /* enough for the device, but not to query its index */
  assert_refused(EMFILE, "cannot set up the interface sw0", "ulimit -n");
  setrlimit(RLIMIT_NOFILE, &limit);
  assert_int_equal(if_nametoindex("sw0"), 0);
}

/* ---- packets ---- */

static struct sockaddr_in endpoint(const char *address, uint16_t port) {
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port)};
  assert_int_equal(inet_pton(AF_INET, address, &there.sin_addr), 1);
  return there;
}

/* Brings the device up with an address, and opens a UDP socket on it. */
static void open_up(bool with_offload) {
  assert_opens("sw0", with_offload);
  ip("addr add " OURS "/30 dev sw0");
  /* the kernel sends IPv6 packets by itself */
  if (access(DISABLE_IPV6, F_OK) == 0) assert_int_equal(system("echo 1 >" DISABLE_IPV6), 0);
  ip("link set sw0 up");
  udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const struct sockaddr_in here = endpoint(OURS, OUR_PORT), there = endpoint(THEIRS, THEIR_PORT);
  assert_int_equal(bind(udp, (const struct sockaddr *)&here, sizeof(here)), 0);
  assert_int_equal(connect(udp, (const struct sockaddr *)&there, sizeof(there)), 0);
}

static ssize_t read_packet(void) {
  memset(&offload, 0x5a, sizeof(offload));
  return sw_tun_read(&tun, packet, sizeof(buffer) - SW_TUN_HEADROOM, &offload);
}

static int write_packet(size_t length, const struct sw_offload *described) {
  static const struct sw_offload nothing;
  return sw_tun_write(&tun, packet, length, described ? described : &nothing);
}

static uint16_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static uint32_t sum_of(const uint8_t *bytes, size_t length) {
  uint32_t sum = 0;
  for (size_t i = 0; i < length; i++) sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
  return sum;
}

static uint16_t pseudo_sum(size_t udp_length) {
  return fold(sum_of(packet + 12, 8) + IPPROTO_UDP + (uint32_t)udp_length);
}

/* Whether the packet's UDP checksum is correct. */
static bool checksum_is_correct(size_t length) {
  const size_t udp_length = length - sizeof(struct iphdr);
  return fold(pseudo_sum(udp_length) + sum_of(packet + sizeof(struct iphdr), udp_length)) == 0xffff;
}

/* Makes a reply of a packet that was sent. */
static void make_answer(void) {
  uint8_t address[4], port[2];
  uint8_t *header = packet + sizeof(struct iphdr);
  memcpy(address, packet + 12, 4);
  memcpy(packet + 12, packet + 16, 4);
  memcpy(packet + 16, address, 4);
  memcpy(port, header, 2);
  memcpy(header, header + 2, 2);
  memcpy(header + 2, port, 2);
}

static void packet_that_the_host_sends_is_read(void **state) {
  (void)state;
  open_up(false);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  const ssize_t length = read_packet();
  assert_int_equal(length, HEADERS + 5);
  assert_int_equal(packet[0], 0x45);
  assert_memory_equal(packet + HEADERS, "hello", 5);
  assert_true(checksum_is_correct((size_t)length));
  assert_int_equal(offload.gso, SW_GSO_NONE);
  assert_false(offload.partial);
}

static void packet_that_is_written_arrives_at_the_host(void **state) {
  (void)state;
  open_up(false);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  const ssize_t length = read_packet();
  make_answer();
  assert_int_equal(write_packet((size_t)length, NULL), 0);
  char text[6] = "";
  assert_int_equal(recv(udp, text, 5, 0), 5);
  assert_string_equal(text, "hello");
}

static void read_without_a_packet_does_not_block(void **state) {
  (void)state;
  open_up(false);
  assert_int_equal(read_packet(), -EAGAIN);
}

static void interface_that_is_down_takes_no_packet(void **state) {
  (void)state;
  open_up(false);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  const ssize_t length = read_packet();
  ip("link set sw0 down");
  assert_int_equal(write_packet((size_t)length, NULL), -EIO);
  assert_int_equal(read_packet(), -EAGAIN);
}

static void deleted_device_is_reported(void **state) {
  (void)state;
  open_up(false);
  ip("link del sw0");
  packet[0] = 0x45;
  assert_int_equal(read_packet(), -EBADFD);
  assert_int_equal(write_packet(HEADERS, NULL), -EBADFD);
}

static void bytes_that_are_no_ip_packet_are_refused(void **state) {
  (void)state;
  open_up(false);
  memset(packet, 0, HEADERS);
  assert_int_equal(write_packet(HEADERS, NULL), -EINVAL);
  assert_int_equal(write_packet(0, NULL), -EINVAL);
}

static int pipe_end[2];
static volatile sig_atomic_t ticks, written;

static void interrupt(int number) {
  static uint8_t drain[1 << 16];
  (void)number;
  if (++ticks != 3) return;
  written = tun.fd == pipe_end[0] ? write(pipe_end[1], "late", 4) == 4
                                  : read(pipe_end[0], drain, sizeof(drain)) > 0;
}

/* Replaces the device by a pipe, which never blocks.  Two signals interrupt the call before the
 * pipe is ready. */
static void open_pipe(int end) {
  assert_int_equal(pipe(pipe_end), 0);
  tun = (struct sw_tun){.fd = pipe_end[end]};
  ticks = written = 0;
  const struct sigaction action = {.sa_handler = interrupt};
  assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
}

static void tick(long microseconds) {
  const struct itimerval timer = {.it_interval.tv_usec = microseconds,
                                  .it_value.tv_usec = microseconds};
  assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void close_pipe(void) {
  tun.fd = -1;
  close(pipe_end[0]);
  close(pipe_end[1]);
}

static void signal_does_not_interrupt_a_read(void **state) {
  (void)state;
  open_pipe(0);
  tick(20000);
  const ssize_t length = read_packet();
  tick(0);
  close_pipe();
  assert_int_equal(length, 4);
  assert_true(written);
}

static void signal_does_not_interrupt_a_write(void **state) {
  (void)state;
  open_pipe(1);
  fcntl(tun.fd, F_SETFL, O_NONBLOCK);
  while (write(tun.fd, packet, 4096) > 0) continue;
  fcntl(tun.fd, F_SETFL, 0);
  tick(20000);
  const int failed = write_packet(1000, NULL);
  tick(0);
  close_pipe();
  assert_int_equal(failed, 0);
  assert_true(written);
}

/* ---- super-packets and partial checksums ---- */

static void partial_checksum_is_described(void **state) {
  (void)state;
  open_up(true);
  assert_true(tun.offload);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  assert_int_equal(read_packet(), HEADERS + 5);
  assert_true(offload.partial);
  assert_int_equal(offload.csum_start, sizeof(struct iphdr));
  assert_int_equal(offload.csum_offset, UDP_CHECKSUM_OFFSET);
  assert_int_equal(offload.gso, SW_GSO_NONE);
  assert_false(offload.ecn);
  assert_false(checksum_is_correct(HEADERS + 5));
}

static void host_completes_a_checksum_only_if_described_as_partial(void **state) {
  (void)state;
  open_up(true);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  assert_int_equal(read_packet(), HEADERS + 5);
  make_answer();
  assert_int_equal(write_packet(HEADERS + 5, NULL), 0);
  char text[6] = "";
  assert_int_equal(recv(udp, text, 5, 0), -1);
  assert_int_equal(write_packet(HEADERS + 5, &offload), 0);
  assert_int_equal(recv(udp, text, 5, 0), 5);
  assert_string_equal(text, "hello");
}

static void super_packet_is_read_and_written_whole(void **state) {
  (void)state;
  open_up(true);
  if (!tun.udp) {
    print_message("the kernel has no super-packets of UDP (before Linux 6.2)\n");
    skip();
  }
  const int segment = SEGMENT;
  uint8_t bytes[SEGMENT * SEGMENTS];
  for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i / SEGMENT);
  ip("link set sw0 mtu 1000"); /* more than one segment, fewer than all */
  assert_int_equal(setsockopt(udp, SOL_UDP, UDP_SEGMENT, &segment, sizeof(segment)), 0);
  assert_int_equal(send(udp, bytes, sizeof(bytes), 0), sizeof(bytes));
  assert_int_equal(read_packet(), HEADERS + sizeof(bytes));
  assert_int_equal(offload.gso, SW_GSO_UDP);
  assert_int_equal(offload.size, SEGMENT);
  assert_int_equal(offload.header, HEADERS);
  assert_true(offload.partial);
  make_answer();
  assert_int_equal(write_packet(HEADERS + sizeof(bytes), &offload), 0);
  for (unsigned i = 0; i < SEGMENTS; i++) {
    uint8_t received[SEGMENT + 1];
    assert_int_equal(recv(udp, received, sizeof(received), 0), SEGMENT);
    assert_memory_equal(received, bytes + i * SEGMENT, SEGMENT);
  }
  assert_int_equal(recv(udp, bytes, 1, 0), -1);
}

static void packet_with_a_wrong_description_is_refused(void **state) {
  (void)state;
  open_up(true);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  assert_int_equal(read_packet(), HEADERS + 5);
  const struct sw_offload beyond = {.partial = true, .csum_start = 1000};
  assert_int_equal(write_packet(HEADERS + 5, &beyond), -EINVAL);
}

static void offloads_of_an_earlier_program_are_turned_off(void **state) {
  (void)state;
  ip("tuntap add mode tun dev sw0");
  assert_opens("sw0", true);
  assert_true(tun.offload);
  sw_tun_close(&tun);
  open_up(false);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  const ssize_t length = read_packet();
  assert_int_equal(length, HEADERS + 5);
  assert_true(checksum_is_correct((size_t)length));
}

static void kernel_without_headers_gives_single_packets(void **state) {
  (void)state;
  no_header = true;
  open_up(true);
  assert_false(tun.offload);
  assert_false(tun.udp);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  const ssize_t length = read_packet();
  assert_int_equal(length, HEADERS + 5);
  assert_true(checksum_is_correct((size_t)length));
  assert_false(offload.partial);
  make_answer();
  assert_int_equal(write_packet((size_t)length, NULL), 0);
  char text[6] = "";
  assert_int_equal(recv(udp, text, 5, 0), 5);
  assert_string_equal(text, "hello");
}

static void device_that_is_no_tun_is_reported_without_headers_too(void **state) {
  (void)state;
  no_header = true;
  ip("tuntap add mode tap dev sw0");
  assert_refused(EINVAL, "not a TUN device", "of the kind tap", "ip link del sw0");
}

static void kernel_without_udp_super_packets_has_the_rest(void **state) {
  (void)state;
  offloads = TUN_F_USO;
  open_up(true);
  assert_true(tun.offload);
  assert_false(tun.udp);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  assert_int_equal(read_packet(), HEADERS + 5);
  assert_true(offload.partial);
}

static void header_size_of_an_earlier_program_is_not_kept(void **state) {
  (void)state;
  ip("tuntap add mode tun dev sw0 vnet_hdr");
  struct sw_tun before;
  assert_int_equal(sw_tun_open(&before, "sw0", true, &error), 0);
  const int larger = 12;
  assert_int_equal(ioctl(before.fd, TUNSETVNETHDRSZ, &larger), 0);
  sw_tun_close(&before);
  open_up(true);
  assert_int_equal(send(udp, "hello", 5, 0), 5);
  assert_int_equal(read_packet(), HEADERS + 5);
  assert_memory_equal(packet + HEADERS, "hello", 5);
}

static void not_permitted(void **state) {
  (void)state;
  print_message("needs root (CAP_SYS_ADMIN) for namespaces of its own\n");
  skip();
}

#define test(function) cmocka_unit_test_setup_teardown(function, enter, leave)

int main(void) {
  const struct CMUnitTest nothing[] = {cmocka_unit_test(not_permitted)};
  const struct CMUnitTest tests[] = {
      test(device_is_made_with_the_name_asked_for),
      test(descriptor_does_not_block_and_is_not_inherited),
      test(name_is_the_one_the_kernel_chose),
      test(device_disappears_when_it_is_closed),
      test(existing_device_is_reported_and_stays),
      test(device_made_for_a_user_opens_without_privilege),
      test(missing_node_is_reported),
      test(node_without_driver_is_reported),
      test(node_of_another_driver_is_reported),
      test(directory_in_place_of_the_node_is_reported),
      test(node_that_users_may_not_open_is_reported),
      test(node_on_a_nodev_file_system_is_reported),
      test(missing_capability_is_reported),
      test(device_of_another_user_is_reported),
      test(device_in_use_is_reported),
      test(tap_device_is_reported),
      test(veth_interface_is_reported),
      test(interface_of_unknown_kind_is_reported),
      test(multi_queue_device_is_reported),
      test(name_that_is_too_long_is_reported),
      test(invalid_name_is_reported),
      test(too_many_open_files_are_reported),
      test(no_device_stays_when_descriptors_run_out_half_way),
      test(packet_that_the_host_sends_is_read),
      test(packet_that_is_written_arrives_at_the_host),
      test(read_without_a_packet_does_not_block),
      test(interface_that_is_down_takes_no_packet),
      test(deleted_device_is_reported),
      test(bytes_that_are_no_ip_packet_are_refused),
      test(signal_does_not_interrupt_a_read),
      test(signal_does_not_interrupt_a_write),
      test(partial_checksum_is_described),
      test(host_completes_a_checksum_only_if_described_as_partial),
      test(super_packet_is_read_and_written_whole),
      test(packet_with_a_wrong_description_is_refused),
      test(offloads_of_an_earlier_program_are_turned_off),
      test(header_size_of_an_earlier_program_is_not_kept),
      test(kernel_without_headers_gives_single_packets),
      test(device_that_is_no_tun_is_reported_without_headers_too),
      test(kernel_without_udp_super_packets_has_the_rest),
  };
  if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return cmocka_run_group_tests(nothing, NULL, NULL);
  return cmocka_run_group_tests_name("tun", tests, start, NULL);
}
