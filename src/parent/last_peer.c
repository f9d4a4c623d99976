#include "parent/last_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "channel/names.h"
#include "config/endpoint.h"
#include "config/regular_file.h"

#define DIRECTORY "/var/lib/saltway"
#define NS_PER_SECOND UINT64_C(1000000000)

/* ---- text ---- */

void sw_last_peer_text(const struct sw_last_peer *peer, char text[SW_LAST_PEER_TEXT]) {
  char address[SW_ADDRESS_TEXT];
  snprintf(text, SW_LAST_PEER_TEXT, "%s %s\n", sw_address_text(&peer->address, address),
           peer->fingerprint);
}

static bool parse_address(const char *text, struct sw_address *address) {
  struct sw_config_endpoint endpoint;
  struct sw_names_answer answer;
  struct sw_error error;
  if (sw_config_endpoint_parse(text, &endpoint, &error) != 0) return false;
  if (sw_names_look_up(endpoint.host, AI_NUMERICHOST, &answer) != 0 || answer.count != 1)
    return false;
  *address = answer.addresses[0];
  address->port = endpoint.port;
  return true;
}

bool sw_last_peer_parse(const char *text, struct sw_last_peer *peer) {
  struct sw_last_peer read = {.stored = true};
  char address[SW_ADDRESS_TEXT], again[SW_LAST_PEER_TEXT];
  const size_t length = strcspn(text, " ");
  if (length >= sizeof(address) || strlen(text) != length + 1 + SW_FINGERPRINT_TEXT) return false;
  memcpy(address, text, length);
  address[length] = '\0';
  memcpy(read.fingerprint, text + length + 1, SW_FINGERPRINT_TEXT - 1);
  if (!parse_address(address, &read.address)) return false;
  sw_last_peer_text(&read, again);
  if (strcmp(text, again) != 0) return false;
  *peer = read;
  return true;
}

/* ---- file ---- */

/* Returns 0 or a negative errno. */
static int path_of(const char *name, const char *suffix, char path[PATH_MAX]) {
  const char *given = getenv("STATE_DIRECTORY");
  if (!given || !*given) given = DIRECTORY;
  const int directory = (int)strcspn(given, ":"); /* systemd separates several by colons */
  const int length = snprintf(path, PATH_MAX, "%.*s/%s%s", directory, given, name, suffix);
  return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Returns 0 or a negative errno; -EINVAL if there is something else than such a file. */
static int read_file(const char *path, struct sw_last_peer *peer) {
  char text[SW_LAST_PEER_TEXT + 1];
  struct stat status;
  const char *kind;
  const int fd = sw_regular_file_open(path, &status, &kind);
  if (fd < 0) return fd;
  const ssize_t length = sw_regular_file_read(fd, text, sizeof(text) - 1);
  close(fd);
  if (length < 0) return (int)length;
  text[length] = '\0';
  return strlen(text) == (size_t)length && sw_last_peer_parse(text, peer) ? 0 : -EINVAL;
}

void sw_last_peer_read(struct sw_last_peer *peer, const char *name,
                       const char (*fingerprints)[SW_FINGERPRINT_TEXT], unsigned count) {
  char path[PATH_MAX];
  struct sw_last_peer read = {.stored = false};
  *peer = (struct sw_last_peer){.stored = false};
  int failed = path_of(name, "", path);
  if (!failed) failed = read_file(path, &read);
  if (failed == -ENOENT) return;
  if (failed)
    sw_log(SW_LOG_WARNING, "cannot read %s: %s; going on without the peer's last address", path,
           failed == -EINVAL ? "it is damaged" : strerror(-failed));
  for (unsigned i = 0; i < count && !failed; i++)
    if (strcmp(read.fingerprint, fingerprints[i]) == 0) *peer = read;
}

/* Returns 0 or a negative errno. */
static int write_text(const char *path, const char *text) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return -errno;
  const size_t length = strlen(text);
  errno = ENOSPC; /* of a short write */
  const int code = write(fd, text, length) == (ssize_t)length ? 0 : errno;
  return close(fd) < 0 && !code ? -errno : -code;
}

static int write_file(const struct sw_last_peer *peer, const char *name, char path[PATH_MAX]) {
  char text[SW_LAST_PEER_TEXT], temporary[PATH_MAX];
  int failed = path_of("", "", path);
  if (failed) return failed;
  if (mkdir(path, 0700) < 0 && errno != EEXIST) return -errno;
  failed = path_of(name, "", path);
  if (!failed) failed = path_of(name, "~", temporary); /* '~' is in no link's name */
  if (failed) return failed;
  sw_last_peer_text(peer, text);
  failed = write_text(temporary, text);
  if (!failed && rename(temporary, path) < 0) failed = -errno;
  if (failed) unlink(temporary);
  return failed;
}

static void store(struct sw_last_peer *peer, const char *name) {
  char path[PATH_MAX];
  const int failed = write_file(peer, name, path);
  peer->stored = !failed;
  if (failed && !peer->warned)
    sw_log(
        SW_LOG_WARNING,
        "cannot write %s: %s%s; going on, but after a restart the peer's last address is not known",
        path, strerror(-failed),
        failed == -EACCES || failed == -EROFS || failed == -ENOENT
            ? " (set STATE_DIRECTORY to a directory of yours)"
            : "");
  peer->warned = failed;
}

void sw_last_peer_note(struct sw_last_peer *peer, const char *name,
                       const struct sw_address *address,
                       const char fingerprint[SW_FINGERPRINT_TEXT], uint64_t now) {
  /* the number of an interface, which a link-local address has, may be another one's after a reboot */
  if (address->port == 0 || address->scope != 0) return;
  if (!sw_address_equal(&peer->address, address) || strcmp(peer->fingerprint, fingerprint) != 0) {
    peer->address = *address;
    memcpy(peer->fingerprint, fingerprint, SW_FINGERPRINT_TEXT);
    peer->stored = false;
  }
  if (peer->stored || (peer->tried && now - peer->tried < SW_LAST_PEER_SECONDS * NS_PER_SECOND))
    return;
  peer->tried = now;
  store(peer, name);
}

void sw_last_peer_hurry(struct sw_last_peer *peer) {
  peer->tried = 0;
}

void sw_last_peer_flush(struct sw_last_peer *peer, const char *name) {
  if (peer->address.port && !peer->stored) store(peer, name);
}

size_t sw_last_peer_add(const struct sw_last_peer *peer, struct sw_address *addresses, size_t count,
                        size_t room) {
  if (!peer->address.port || count == room) return count;
  for (size_t i = 0; i < count; i++)
    if (sw_address_equal(&addresses[i], &peer->address)) return count;
  addresses[count] = peer->address;
  return count + 1;
}
