#include "linux/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DEVICE "/dev/net/tun"

/* of Linux 6.2; older headers lack them */
#define OFFLOAD_USO4 0x20
#define OFFLOAD_USO6 0x40
#define GSO_UDP_L4 5

_Static_assert(sizeof(struct virtio_net_hdr) == SW_TUN_HEADROOM, "headroom");

static const char *open_fix(int code) {
  switch (code) {
  case ENOENT:
    return "is the tun module loaded? try: modprobe tun; in a container: pass the device, --device " DEVICE;
  case ENODEV:
  case ENXIO:
    return "the kernel has no TUN driver loaded; try: modprobe tun";
  case EACCES:
  case EPERM:
    return "run as root, or let users open it: chmod 0666 " DEVICE
           "; making devices still needs CAP_NET_ADMIN";
  case EMFILE:
  case ENFILE:
    return "too many open files; raise the limit: ulimit -n";
  }
  return NULL;
}

/* What to do about a TUNSETIFF that failed; `exists`: there is an interface of this name. */
static const char *attach_fix(int code, bool exists) {
  switch (code) {
  case EPERM:
    return exists ? "the device belongs to another user: ip tuntap show"
                  : "making a device needs CAP_NET_ADMIN: run as root, or use one made for you: "
                    "ip tuntap add mode tun dev %s user USER";
  case EBUSY:
    return "another program has the device open: ip -d link show %s";
  case EINVAL:
    return exists ? "an interface of this name exists and is not a TUN device, or is a multi-queue "
                    "one: ip -d link show %s"
                  : "it is not a name for an interface";
  }
  return NULL;
}

static int attach_error(int code, bool exists, const char *name, struct sw_error *error) {
  char fix[256];
  const char *format = attach_fix(code, exists);
  const char *place = format ? strstr(format, "%s") : NULL;
  if (place) snprintf(fix, sizeof(fix), "%.*s%s%s", (int)(place - format), format, name, place + 2);
  return sw_error_set(error, code, place ? fix : format, "tun: cannot use the interface %s", name);
}

/* Asks for super-packets.  Older kernels refuse those of UDP, and take the rest. */
static void set_offload(struct sw_tun *tun) {
  const unsigned tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  tun->offload = true;
  tun->udp = ioctl(tun->fd, TUNSETOFFLOAD, tcp | OFFLOAD_USO4 | OFFLOAD_USO6) == 0;
  if (!tun->udp && ioctl(tun->fd, TUNSETOFFLOAD, tcp) < 0) ioctl(tun->fd, TUNSETOFFLOAD, 0);
}

int sw_tun_open(struct sw_tun *tun, const char *name, bool offload, struct sw_error *error) {
  *tun = (struct sw_tun){.fd = -1};
  if (strlen(name) >= IFNAMSIZ)
    return sw_error_set(error, ENAMETOOLONG, "an interface's name has at most 15 characters",
                        "tun: %s", name);
  const bool exists = if_nametoindex(name) != 0;
  const int fd = open(DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return sw_error_set(error, errno, open_fix(errno), "tun: cannot open " DEVICE);
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0)};
  strcpy(request.ifr_name, name);
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    const int code = errno;
    close(fd);
    return attach_error(code, exists, name, error);
  }
  tun->fd = fd;
  strcpy(tun->name, request.ifr_name);
  tun->index = if_nametoindex(tun->name);
  tun->persistent = ioctl(fd, TUNGETIFF, &request) == 0 && (request.ifr_flags & IFF_PERSIST);
  const int header = sizeof(struct virtio_net_hdr);
  if (offload && ioctl(fd, TUNSETVNETHDRSZ, &header) == 0) set_offload(tun);
  return 0;
}

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
