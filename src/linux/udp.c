#include "linux/udp.h"

#include <time.h> /* first: linux/errqueue.h needs struct timespec with musl */

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* four TCP streams have this much in flight; half of it overflowed */
#define RECEIVE_BUFFER (16 << 20)
/* A run that has waited for longer came before the clock was set. */
#define WAITED_MOST UINT64_C(1000000000)
/* how often a send that failed is repeated, as the error may be a report about another datagram */
#define REPORT_RETRIES 2

#ifndef UDP_SEGMENT /* Linux 4.18 and 5.0; older libc headers lack them */
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

static const uint8_t v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

union socket_address {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static socklen_t to_socket(const struct sw_udp *udp, const struct sw_address *address,
                           union socket_address *out) {
  memset(out, 0, sizeof(*out));
  if (udp->v4) {
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)address->port);
    memcpy(&out->v4.sin_addr, address->ip + sizeof(v4_mapped), 4);
    return sizeof(out->v4);
  }
  out->v6.sin6_family = AF_INET6;
  out->v6.sin6_port = htons((uint16_t)address->port);
  out->v6.sin6_scope_id = address->scope;
  memcpy(&out->v6.sin6_addr, address->ip, SW_IP_BYTES);
  return sizeof(out->v6);
}

static void from_socket(const union socket_address *in, struct sw_address *address) {
  *address = (struct sw_address){0};
  if (in->any.sa_family == AF_INET) {
    memcpy(address->ip, v4_mapped, sizeof(v4_mapped));
    memcpy(address->ip + sizeof(v4_mapped), &in->v4.sin_addr, 4);
    address->port = ntohs(in->v4.sin_port);
  } else if (in->any.sa_family == AF_INET6) {
    memcpy(address->ip, &in->v6.sin6_addr, SW_IP_BYTES);
    address->port = ntohs(in->v6.sin6_port);
    if (IN6_IS_ADDR_LINKLOCAL(&in->v6.sin6_addr)) address->scope = in->v6.sin6_scope_id;
  }
}

static int option(const struct sw_udp *udp, int level, int name, int value) {
  return setsockopt(udp->fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* For options that change while the engine runs.  By number: on i386 and s390x setsockopt(3) is
 * socketcall(2), whose arguments the engine's filter cannot check. */
static void change_option(const struct sw_udp *udp, int level, int name, int value) {
  syscall(SYS_setsockopt, udp->fd, level, name, &value, sizeof(value));
}

static int find_port(struct sw_udp *udp) {
  union socket_address local;
  socklen_t size = sizeof(local);
  memset(&local, 0, sizeof(local));
  if (getsockname(udp->fd, &local.any, &size) < 0) return -errno;
  udp->port = ntohs(udp->v4 ? local.v4.sin_port : local.v6.sin6_port);
  return 0;
}

static int bind_any(struct sw_udp *udp, uint16_t port) {
  union socket_address local;
  const struct sw_address any = {.port = port};
  const socklen_t size = to_socket(udp, &any, &local);
  if (bind(udp->fd, &local.any, size) < 0) return -errno;
  return find_port(udp);
}

/* connect(2) with AF_UNSPEC gives up a port that the kernel has chosen.  If the engine sends before
 * bind(2), the kernel has chosen another one. */
int sw_udp_rebind(struct sw_udp *udp) {
  const struct sockaddr none = {.sa_family = AF_UNSPEC};
  if (connect(udp->fd, &none, sizeof(none)) < 0) return -errno;
  const int failed = bind_any(udp, 0);
  return failed == -EINVAL ? find_port(udp) : failed;
}

/* UDP_GRO exists since Linux 5.0 and is sound since 5.12.  Only the version tells. */
static bool gro_is_sound(void) {
  struct utsname kernel;
  if (uname(&kernel) < 0) return false;
  char *end;
  const unsigned long major = strtoul(kernel.release, &end, 10);
  const unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
  return major > 5 || (major == 5 && minor >= 12);
}

static void set_offload(struct sw_udp *udp) {
  int segment;
  socklen_t size = sizeof(segment);
  udp->gso = getsockopt(udp->fd, SOL_UDP, UDP_SEGMENT, &segment, &size) == 0;
  udp->gro = gro_is_sound() && option(udp, SOL_UDP, UDP_GRO, 1) == 0;
}

/* Not whole: IPv4 without DF, so that routers fragment what is too large, and no forged ICMP lowers
 * the size; IPv6 routers do not fragment, so that ICMP has to be believed.  (IPV6_MTU does not help:
 * the kernel sends what fits its own idea of the path in one piece all the same.) */
static void set_whole(struct sw_udp *udp, bool whole) {
  change_option(udp, IPPROTO_IP, IP_MTU_DISCOVER, whole ? IP_PMTUDISC_PROBE : IP_PMTUDISC_OMIT);
  if (!udp->v4)
    change_option(udp, IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                  whole ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_DONT);
  udp->whole = whole;
}

static void set_options(struct sw_udp *udp) {
  if (option(udp, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER) < 0)
    option(udp, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
  option(udp, SOL_SOCKET, SO_SNDBUF, SW_UDP_BUFFER_SENT / 2);
  option(udp, SOL_SOCKET, SO_RXQ_OVFL, 1);
  option(udp, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  option(udp, IPPROTO_IP, IP_PKTINFO, 1);
  if (!udp->v4) option(udp, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  option(udp, IPPROTO_IP, IP_RECVTOS, 1);
  if (!udp->v4) option(udp, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  set_whole(udp, true);
}

void sw_udp_fragment_set(struct sw_udp *udp, bool fragment) {
  udp->fragment = fragment;
}

size_t sw_udp_waiting(const struct sw_udp *udp) {
  uint32_t memory[SK_MEMINFO_VARS];
  socklen_t size = sizeof(memory);
  if (getsockopt(udp->fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0) return 0;
  return memory[SK_MEMINFO_WMEM_ALLOC];
}

/* By number, as set_reports.  The kernel doubles the value. */
void sw_udp_buffer_set(const struct sw_udp *udp, size_t bytes) {
  const int half = (int)(bytes / 2);
  syscall(SYS_setsockopt, udp->fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof(half));
}

int sw_udp_open(struct sw_udp *udp, uint16_t port, uint32_t fwmark, bool offload,
                struct sw_error *error) {
  *udp = (struct sw_udp){.fd = -1};
  const int kind = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  udp->fd = socket(AF_INET6, kind, IPPROTO_UDP);
  if (udp->fd < 0 && errno == EAFNOSUPPORT) {
    udp->v4 = true;
    udp->fd = socket(AF_INET, kind, IPPROTO_UDP);
  }
  if (udp->fd < 0)
    return sw_error_set(error, errno, errno == EMFILE ? "raise the limit: ulimit -n" : NULL,
                        "udp: cannot open a socket");
  int result = udp->v4 ? 0 : option(udp, IPPROTO_IPV6, IPV6_V6ONLY, 0);
  if (result == 0 && fwmark) result = option(udp, SOL_SOCKET, SO_MARK, (int)fwmark);
  if (result < 0) {
    sw_udp_close(udp);
    return sw_error_set(error, -result,
                        result == -EPERM
                            ? "a mark needs CAP_NET_ADMIN: write FwMark = off, and Table = off "
                              "where AllowedIPs has 0.0.0.0/0 or ::/0"
                            : NULL,
                        "udp: cannot set up the socket");
  }
  result = bind_any(udp, port);
  if (result < 0) {
    const char *fix =
        result == -EADDRINUSE
            ? "another program or link uses it: ss -lunp names it; choose another ListenPort"
        : result == -EACCES ? "ports below 1024 need CAP_NET_BIND_SERVICE"
                            : NULL;
    sw_udp_close(udp);
    return sw_error_set(error, -result, fix, "udp: cannot bind to port %u", port);
  }
  set_options(udp);
  sw_udp_reports_set(udp, true);
  if (offload) set_offload(udp);
  return 0;
}

int sw_udp_mark_set(const struct sw_udp *udp, uint32_t fwmark) {
  return option(udp, SOL_SOCKET, SO_MARK, (int)fwmark);
}

void sw_udp_close(struct sw_udp *udp) {
  if (udp->fd >= 0) close(udp->fd);
  udp->fd = -1;
}

/* ---- sending ---- */

/* How runs are sent. */
struct mode {
  bool gso;    /* whole; else datagram by datagram */
  bool source; /* from the path's local address; else from one that the kernel chooses */
};

union send_control {
  char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint16_t)) +
             CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
};

/* Without padding behind the last one: the kernel copies up to 36 bytes, an IPv6 source, without
 * allocating memory. */
static void add_control(struct msghdr *header, union send_control *control, int level, int type,
                        const void *value, size_t size) {
  const size_t at = CMSG_ALIGN(header->msg_controllen);
  struct cmsghdr *part = (struct cmsghdr *)(void *)(control->bytes + at);
  part->cmsg_level = level;
  part->cmsg_type = type;
  part->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(part), value, size);
  header->msg_control = control->bytes;
  header->msg_controllen = at + CMSG_LEN(size);
}

static void set_segment(struct msghdr *header, union send_control *control, size_t segment) {
  const uint16_t value = (uint16_t)segment;
  add_control(header, control, SOL_UDP, UDP_SEGMENT, &value, sizeof(value));
}

static bool has_source(const struct sw_path *path) {
  static const uint8_t none[SW_IP_BYTES];
  return memcmp(path->local, none, SW_IP_BYTES) != 0;
}

static void set_source(const struct sw_udp *udp, struct msghdr *header, union send_control *control,
                       const struct sw_path *path) {
  if (udp->v4) {
    struct in_pktinfo info = {0};
    memcpy(&info.ipi_spec_dst, path->local + sizeof(v4_mapped), sizeof(info.ipi_spec_dst));
    add_control(header, control, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
    return;
  }
  /* the kernel wants the interface of a link-local address, and takes a mapped one for IPv4 */
  struct in6_pktinfo info = {.ipi6_ifindex = path->peer.scope};
  memcpy(&info.ipi6_addr, path->local, SW_IP_BYTES);
  add_control(header, control, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* On an IPv6 socket too the kernel takes the TOS of IPv4 datagrams from IP_TOS only. */
static void set_tos(struct msghdr *header, union send_control *control, const struct sw_run *run) {
  const int tos = run->tos;
  if (sw_ip_is_v4(run->path.peer.ip))
    add_control(header, control, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
  else
    add_control(header, control, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
}

/* Whether this error is always about the datagrams of the call.  Others may come from a report. */
static bool is_own_error(int code) {
  return code == EAGAIN || code == ENOBUFS || code == EIO || code == EINVAL;
}

/* Repeats a call that failed because of a report. */
static int send_messages(const struct sw_udp *udp, struct mmsghdr *messages, unsigned count) {
  int sent = sendmmsg(udp->fd, messages, count, 0);
  for (unsigned i = 0; i < REPORT_RETRIES && sent < 0; i++) {
    if (!udp->reports || is_own_error(errno)) break;
    sent = sendmmsg(udp->fd, messages, count, 0);
  }
  return sent < 0 ? -errno : sent;
}

/* Returns the length of the message that begins `at` bytes into the run. */
static size_t message_length(const struct sw_run *run, size_t at, struct mode mode) {
  const size_t left = run->length - at;
  return mode.gso || left < run->segment ? left : run->segment;
}

static bool stays_whole(const struct sw_udp *udp, const struct sw_run *run) {
  return run->whole || !udp->fragment;
}

/* Sends as much of the runs as fits a system call.  Returns how many messages were sent, or a
 * negative errno about the first. */
static int send_flight(struct sw_udp *udp, const struct sw_run *runs, unsigned count,
                       struct mode mode) {
  struct mmsghdr messages[SW_UDP_BATCH];
  struct iovec parts[SW_UDP_BATCH];
  union socket_address addresses[SW_UDP_BATCH];
  union send_control controls[SW_UDP_BATCH];
  unsigned made = 0;
  const bool whole = stays_whole(udp, runs);
  if (udp->whole != whole) set_whole(udp, whole);
  for (unsigned i = 0; i < count && made < SW_UDP_BATCH; i++) {
    if (udp->v4 && !sw_ip_is_v4(runs[i].path.peer.ip)) break;
    if (stays_whole(udp, &runs[i]) != whole) break;
    for (size_t at = runs[i].sent; at < runs[i].length && made < SW_UDP_BATCH; made++) {
      const size_t length = message_length(&runs[i], at, mode);
      parts[made] = (struct iovec){runs[i].bytes + at, length};
      messages[made] = (struct mmsghdr){
          .msg_hdr = {.msg_name = &addresses[made],
                      .msg_namelen = to_socket(udp, &runs[i].path.peer, &addresses[made]),
                      .msg_iov = &parts[made],
                      .msg_iovlen = 1}};
      if (length > runs[i].segment)
        set_segment(&messages[made].msg_hdr, &controls[made], runs[i].segment);
      if (mode.source && has_source(&runs[i].path))
        set_source(udp, &messages[made].msg_hdr, &controls[made], &runs[i].path);
      if (runs[i].tos) set_tos(&messages[made].msg_hdr, &controls[made], &runs[i]);
      at += length;
    }
  }
  return made > 0 ? send_messages(udp, messages, made) : -EAFNOSUPPORT;
}

/* Changes the mode to one in which a run that was refused may still be sent.  Returns false if there
 * is none. */
static bool mode_degrade(struct mode *mode, struct sw_udp *udp, const struct sw_run *run,
                         int code) {
  /* the errors for a source that the host does not have; ENETUNREACH may also be about the route */
  if (mode->source && has_source(&run->path) &&
      (code == EINVAL || code == EADDRNOTAVAIL || code == ENETUNREACH)) {
    mode->source = false;
    return true;
  }
  const bool several = run->length - run->sent > run->segment;
  if (mode->gso && several && (code == EIO || code == EINVAL || code == EMSGSIZE)) {
    /* EIO: the device cannot.  The others: the MTU of the path is too small, which may change. */
    if (code == EIO) udp->gso = false;
    if (code != EMSGSIZE) udp->gso_refused = true;
    *mode = (struct mode){.gso = false, .source = true};
    return true;
  }
  return false;
}

int sw_udp_send(struct sw_udp *udp, struct sw_run *runs, unsigned count, size_t *refused) {
  struct mode mode = {.gso = udp->gso, .source = true};
  for (;;) {
    for (; count > 0 && runs->sent == runs->length; runs++) count--;
    if (count == 0) return 0;
    const int sent = send_flight(udp, runs, mode.source ? count : 1, mode);
    if (sent < 0) {
      *refused = message_length(runs, runs->sent, mode);
      if (mode_degrade(&mode, udp, runs, -sent)) continue;
      return sent;
    }
    struct sw_run *run = runs;
    for (int i = 0; i < sent; i++) {
      while (run->sent == run->length) run++;
      run->sent += message_length(run, run->sent, mode);
    }
    mode = (struct mode){.gso = udp->gso, .source = true};
  }
}

/* ---- receiving ---- */

static uint64_t nanoseconds(const struct timespec *time) {
  return (uint64_t)time->tv_sec * UINT64_C(1000000000) + (uint64_t)time->tv_nsec;
}

/* How long something has waited that arrived at this time, by the clock that the kernel's timestamps
 * have. */
static uint64_t time_since(const struct timespec *arrived) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t since = nanoseconds(&now) - nanoseconds(arrived);
  return since <= WAITED_MOST ? since : 0;
}

/* IPv4 on an IPv6 socket comes with both kinds of information, that of IPv4 last.  It names a source
 * for the reply even if the datagram was broadcast. */
static void read_control(const struct cmsghdr *part, struct sw_run *run, uint32_t *overflows) {
  const void *value = CMSG_DATA(part);
  if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
    memcpy(overflows, value, sizeof(*overflows));
  } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPNS) {
    struct timespec arrived;
    memcpy(&arrived, value, sizeof(arrived));
    run->waited = time_since(&arrived);
  } else if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO) {
    int segment;
    memcpy(&segment, value, sizeof(segment));
    if (segment > 0) run->segment = (size_t)segment;
  } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TOS) {
    memcpy(&run->tos, value, sizeof(run->tos));
  } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_TCLASS) {
    int tos;
    memcpy(&tos, value, sizeof(tos));
    run->tos = (uint8_t)tos;
  } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
    struct in6_pktinfo info;
    memcpy(&info, value, sizeof(info));
    memcpy(run->path.local, &info.ipi6_addr, SW_IP_BYTES);
  } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
    struct in_pktinfo info;
    memcpy(&info, value, sizeof(info));
    memcpy(run->path.local, v4_mapped, sizeof(v4_mapped));
    memcpy(run->path.local + sizeof(v4_mapped), &info.ipi_spec_dst, sizeof(info.ipi_spec_dst));
  }
}

int sw_udp_receive(const struct sw_udp *udp, struct sw_run *runs, unsigned count,
                   uint32_t *overflows) {
  assert(count > 0 && count <= SW_UDP_BATCH);
  struct mmsghdr messages[SW_UDP_BATCH];
  struct iovec parts[SW_UDP_BATCH];
  union socket_address addresses[SW_UDP_BATCH];
  union {
    char bytes[CMSG_SPACE(sizeof(uint32_t)) + CMSG_SPACE(sizeof(struct timespec)) +
               CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) +
               CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } controls[SW_UDP_BATCH];
  for (unsigned i = 0; i < count; i++) {
    parts[i] = (struct iovec){runs[i].bytes, runs[i].length};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &addresses[i],
                                               .msg_namelen = sizeof(addresses[i]),
                                               .msg_iov = &parts[i],
                                               .msg_iovlen = 1,
                                               .msg_control = &controls[i],
                                               .msg_controllen = sizeof(controls[i])}};
  }
  const int received = recvmmsg(udp->fd, messages, count, 0, NULL);
  if (received < 0) return -errno;
  for (int i = 0; i < received; i++) {
    struct msghdr *header = &messages[i].msg_hdr;
    struct sw_run *run = &runs[i];
    run->length = run->segment = messages[i].msg_len;
    run->truncated = header->msg_flags & MSG_TRUNC;
    from_socket(&addresses[i], &run->path.peer);
    memset(run->path.local, 0, SW_IP_BYTES);
    run->tos = 0;
    run->waited = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
      read_control(c, run, overflows);
  }
  return received;
}

/* ---- reports ---- */

/* An error that is pending on the socket fails the next call. */
static void clear_error(const struct sw_udp *udp) {
  int pending;
  socklen_t size = sizeof(pending);
  getsockopt(udp->fd, SOL_SOCKET, SO_ERROR, &pending, &size);
}

void sw_udp_reports_set(struct sw_udp *udp, bool on) {
  udp->reports = on;
  change_option(udp, IPPROTO_IP, IP_RECVERR, on); /* off: the kernel empties the error queue */
  if (!udp->v4) change_option(udp, IPPROTO_IPV6, IPV6_RECVERR, on);
  if (!on) clear_error(udp);
}

int sw_udp_report(const struct sw_udp *udp, struct sw_address *about, int *code) {
  union socket_address address = {0};
  char control[512];
  uint8_t byte;
  struct iovec part = {&byte, sizeof(byte)};
  struct msghdr header = {.msg_name = &address,
                          .msg_namelen = sizeof(address),
                          .msg_iov = &part,
                          .msg_iovlen = 1,
                          .msg_control = control,
                          .msg_controllen = sizeof(control)};
  if (recvmsg(udp->fd, &header, MSG_ERRQUEUE) < 0) {
    clear_error(udp);
    return -EAGAIN;
  }
  *code = 0;
  from_socket(&address, about);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c; c = CMSG_NXTHDR(&header, c)) {
    if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
        (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
      struct sock_extended_err report;
      memcpy(&report, CMSG_DATA(c), sizeof(report));
      *code = (int)report.ee_errno;
    }
  }
  return 0;
}
