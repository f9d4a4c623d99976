#include "linux/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEVICE "/dev/net/tun"
#define MAKE_NODE "mknod " DEVICE " c 10 200"
#define FIX_TEXT 256

/* Linux 6.2; older headers lack them */
#define OFFLOAD_USO4 0x20
#define OFFLOAD_USO6 0x40
#define GSO_UDP_L4 5

_Static_assert(sizeof(struct virtio_net_hdr) == SW_TUN_HEADROOM, "headroom");

/* ---- causes and fixes ---- */

static const char *limit_fix(int code) {
  switch (code) {
  case EMFILE:
    return "this program has too many files open; raise the limit: ulimit -n";
  case ENFILE:
    return "the system has too many files open; raise the limit: sysctl fs.file-max";
  }
  return NULL;
}

static const char *open_fix(int code) {
  switch (code) {
  case ENOENT:
    return "is the tun module loaded? modprobe tun; if only the node is missing: mkdir -p /dev/net && " MAKE_NODE
           "; in a container: pass it, --device " DEVICE;
  case ENODEV:
  case ENXIO:
    return "the TUN driver is not loaded: modprobe tun; or the node has another number: rm " DEVICE
           " && " MAKE_NODE;
  case EACCES:
    return euidaccess(DEVICE, R_OK | W_OK) == 0
               ? "its file system is mounted nodev, or a security module forbids it"
               : "run as root, or let users open it: chmod 0666 " DEVICE
                 "; that is safe, because making an interface needs CAP_NET_ADMIN";
  case EPERM:
    return "a device cgroup forbids it; in a container: pass the device, --device " DEVICE;
  case EISDIR:
    return "the container was started before the device existed; on the host: rmdir " DEVICE
           "; modprobe tun; then start the container again";
  }
  return limit_fix(code);
}

/* Makes a request about any interface; a TUN descriptor accepts only requests about its device. */
static int request_of(const char *name, unsigned long what, struct ifreq *request) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  strcpy(request->ifr_name, name);
  const int code = ioctl(fd, what, request) < 0 ? errno : 0;
  close(fd);
  return code;
}

/* if_nametoindex would fail with ENOENT when no descriptor is left. */
static int find_index(const char *name, unsigned *index) {
  struct ifreq request = {0};
  const int code = request_of(name, SIOCGIFINDEX, &request);
  *index = code ? 0 : (unsigned)request.ifr_ifindex;
  return code;
}

/* The kind of the interface, from its driver's answer to ethtool.  "tun" is the driver of TAP
 * devices, too. */
static const char *kind_of(const char *name, struct ethtool_drvinfo *driver) {
  *driver = (struct ethtool_drvinfo){.cmd = ETHTOOL_GDRVINFO};
  struct ifreq request = {.ifr_data = (void *)driver};
  if (request_of(name, SIOCETHTOOL, &request)) return "";
  return strcmp(driver->driver, "tun") == 0 ? driver->bus_info : driver->driver;
}

static const char *attach_fix(int code, const char *name, char fix[FIX_TEXT]) {
  unsigned index;
  const bool exists = find_index(name, &index) == 0;
  struct ethtool_drvinfo driver;
  switch (code) {
  case EPERM:
    if (exists)
      snprintf(fix, FIX_TEXT,
               "it belongs to another user or group, see ip -d link show %s: run as root, or have "
               "root make it for you: ip link del %s; ip tuntap add mode tun dev %s user %u",
               name, name, name, geteuid());
    else
      snprintf(fix, FIX_TEXT,
               "making it needs CAP_NET_ADMIN: run as root; in a container: --cap-add NET_ADMIN; "
               "or have root make it for you: ip tuntap add mode tun dev %s user %u",
               name, geteuid());
    return fix;
  case EBUSY:
    snprintf(fix, FIX_TEXT,
             "another program has it open (another saltway?): end it, or choose another name; "
             "ip -d link show %s",
             name);
    return fix;
  case EINVAL:
    if (!exists) return "it is not a name that Linux accepts for an interface";
    const char *kind = kind_of(name, &driver);
    if (strcmp(kind, "tun") == 0)
      snprintf(fix, FIX_TEXT,
               "it is a multi-queue TUN device: ip link del %s; ip tuntap add mode tun dev %s",
               name, name);
    else
      snprintf(
          fix, FIX_TEXT,
          "the interface exists and is not a TUN device%s%.32s: choose another name, or ip link "
          "del %s",
          *kind ? " but of the kind " : "", kind, name);
    return fix;
  case ENOTTY:
    return DEVICE " is not the TUN driver's node: rm " DEVICE " && " MAKE_NODE;
  }
  return NULL;
}

/* The same rules as the kernel's dev_valid_name. */
static int check_name(const char *name, struct sw_error *error) {
  if (strlen(name) >= IFNAMSIZ)
    return sw_error_set(error, ENAMETOOLONG, "an interface's name has at most 15 characters",
                        "tun: cannot use the interface %s", name);
  if (!*name || strpbrk(name, "/: \t\n\v\f\r") || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return sw_error_set(error, EINVAL,
                        "an interface's name has 1 to 15 characters, no space, slash or colon, and "
                        "is not . or ..",
                        "tun: cannot use the interface \"%s\"", name);
  return 0;
}

/* ---- opening ---- */

/* Older kernels refuse UDP super-packets and accept the rest. */
static void set_offload(struct sw_tun *tun) {
  const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  tun->offload = true;
  tun->udp = ioctl(tun->fd, TUNSETOFFLOAD, tcp | OFFLOAD_USO4 | OFFLOAD_USO6) == 0;
  if (!tun->udp && ioctl(tun->fd, TUNSETOFFLOAD, tcp) < 0) ioctl(tun->fd, TUNSETOFFLOAD, 0);
}

/* Sets the size of the header in front of packets, and the offloads.  A persistent device keeps both
 * from the program that used it last, even if that was killed. */
static int set_format(struct sw_tun *tun, bool offload) {
  const int header = sizeof(struct virtio_net_hdr);
  if (!offload) return ioctl(tun->fd, TUNSETOFFLOAD, 0) < 0 ? errno : 0;
  if (ioctl(tun->fd, TUNSETVNETHDRSZ, &header) < 0) return errno;
  set_offload(tun);
  return 0;
}

/* Returns 0 or an errno. */
static int attach(int fd, const char *name, bool header, struct ifreq *request) {
  *request = (struct ifreq){.ifr_flags = IFF_TUN | IFF_NO_PI | (header ? IFF_VNET_HDR : 0)};
  strcpy(request->ifr_name, name);
  return ioctl(fd, TUNSETIFF, request) < 0 ? errno : 0;
}

/* Returns a descriptor, or a negative errno with `error` filled. */
static int open_device(struct sw_error *error) {
  const int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  const int code = errno;
  return fd >= 0 ? fd : sw_error_set(error, code, open_fix(code), "tun: cannot open " DEVICE);
}

int sw_tun_probe(struct sw_error *error) {
  const int fd = open_device(error);
  if (fd < 0) return fd;
  close(fd);
  return 0;
}

int sw_tun_open(struct sw_tun *tun, const char *name, bool offload, struct sw_error *error) {
  *tun = (struct sw_tun){.fd = -1};
  const int refused = check_name(name, error);
  if (refused) return refused;
  const int fd = open_device(error);
  if (fd < 0) return fd;
  struct ifreq request;
  int code = attach(fd, name, offload, &request);
  if (code == EINVAL && offload) { /* the kernel may not know the header */
    offload = false;
    code = attach(fd, name, offload, &request);
  }
  if (code) {
    char fix[FIX_TEXT];
    close(fd);
    return sw_error_set(error, code, attach_fix(code, name, fix),
                        "tun: cannot use the interface %s", name);
  }
  tun->fd = fd;
  strcpy(tun->name, request.ifr_name);
  code = find_index(tun->name, &tun->index);
  if (!code) code = set_format(tun, offload);
  if (code) {
    sw_tun_close(tun);
    return sw_error_set(error, code, limit_fix(code), "tun: cannot set up the interface %s", name);
  }
  tun->persistent = ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_PERSIST);
  return 0;
}

/* ---- packets ---- */

static void from_virtio(const struct virtio_net_hdr *header, struct sw_offload *offload) {
  *offload = (struct sw_offload){.ecn = header->gso_type & VIRTIO_NET_HDR_GSO_ECN,
                                 .partial = header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .header = header->hdr_len,
                                 .size = header->gso_size,
                                 .csum_start = header->csum_start,
                                 .csum_offset = header->csum_offset};
  switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_TCPV4:
    offload->gso = SW_GSO_TCP4;
    break;
  case VIRTIO_NET_HDR_GSO_TCPV6:
    offload->gso = SW_GSO_TCP6;
    break;
  case GSO_UDP_L4:
    offload->gso = SW_GSO_UDP;
    break;
  default:
    offload->gso = SW_GSO_NONE;
  }
}

static void to_virtio(const struct sw_offload *offload, struct virtio_net_hdr *header) {
  static const uint8_t types[] = {[SW_GSO_NONE] = VIRTIO_NET_HDR_GSO_NONE,
                                  [SW_GSO_TCP4] = VIRTIO_NET_HDR_GSO_TCPV4,
                                  [SW_GSO_TCP6] = VIRTIO_NET_HDR_GSO_TCPV6,
                                  [SW_GSO_UDP] = GSO_UDP_L4};
  *header = (struct virtio_net_hdr){
      .flags = offload->partial ? VIRTIO_NET_HDR_F_NEEDS_CSUM : 0,
      .gso_type = (uint8_t)(types[offload->gso] | (offload->ecn ? VIRTIO_NET_HDR_GSO_ECN : 0)),
      .hdr_len = offload->header,
      .gso_size = offload->size,
      .csum_start = offload->csum_start,
      .csum_offset = offload->csum_offset};
}

ssize_t sw_tun_read(const struct sw_tun *tun, uint8_t *packet, size_t size,
                    struct sw_offload *offload) {
  const size_t extra = tun->offload ? sizeof(struct virtio_net_hdr) : 0;
  ssize_t length;
  do {
    length = read(tun->fd, packet - extra, size + extra);
  } while (length < 0 && errno == EINTR);
  if (length < 0) return -errno;
  *offload = (struct sw_offload){0};
  if (!extra) return length;
  if ((size_t)length < extra) return -EIO;
  struct virtio_net_hdr header;
  memcpy(&header, packet - extra, extra);
  from_virtio(&header, offload);
  return length - (ssize_t)extra;
}

int sw_tun_write(const struct sw_tun *tun, uint8_t *packet, size_t length,
                 const struct sw_offload *offload) {
  const size_t extra = tun->offload ? sizeof(struct virtio_net_hdr) : 0;
  if (extra) {
    struct virtio_net_hdr header;
    to_virtio(offload, &header);
    memcpy(packet - extra, &header, extra);
  }
  while (write(tun->fd, packet - extra, length + extra) < 0)
    if (errno != EINTR) return -errno;
  return 0;
}

void sw_tun_close(struct sw_tun *tun) {
  if (tun->fd >= 0) close(tun->fd);
  tun->fd = -1;
}
