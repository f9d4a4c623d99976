/* Verdicts about the configuration and this machine. */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "doctor/judge.h"

/* What the wall clock cannot have shown: it is before the first version of saltway. */
#define CLOCK_LEAST 1767225600 /* 2026-01-01 */
#define DAY 86400

/* One datagram in so many may find the socket full. */
#define OVERFLOWS_SHARE 1000
#define OVERFLOWS_LEAST 100

/* Without CAP_NET_ADMIN the socket's buffer is at most net.core.rmem_max. */
#define RECEIVE_LEAST (4 << 20)

#define KEY_LINE ": PresharedKeyFile: "

/* ---- the configuration ---- */

/* Finds the first complaint that is, or is not, about the key file.  Returns its length. */
static size_t find_complaint(const char *lines, bool about_key, const char **found,
                             unsigned *count) {
  size_t length = 0;
  *count = 0;
  for (const char *line = lines; *line;) {
    const char *end = strchr(line, '\n'), *key = strstr(line, KEY_LINE);
    if (!end) end = line + strlen(line);
    if ((key && key < end) == about_key && (*count)++ == 0) {
      *found = line;
      length = (size_t)(end - line);
    }
    line = *end ? end + 1 : end;
  }
  return length;
}

/* Whether the running link has read something else: from another file, or before the file was written. */
static bool is_outdated(const struct sw_doctor_facts *facts) {
  return facts->loaded && facts->status.running && facts->status.file[0] &&
         facts->status.modified != (double)facts->config.modified / 1e9;
}

void sw_judge_config(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const char *line;
  unsigned count;
  const size_t length = find_complaint(facts->complaints, false, &line, &count);
  if (!facts->config.file[0]) return;
  if (facts->absent && facts->status.running) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the link runs, but %s does not exist: it was started from another file",
                   facts->config.file);
    sw_verdict_fix(verdict, "saltway doctor FILE");
  } else if (is_outdated(facts)) {
    const bool same = facts->status.same_file;
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   same
                       ? "%s was changed after the link had read it, and what follows may be about "
                         "the new one"
                       : "%s is not what the link has read: it runs from %s",
                   facts->config.file, facts->status.file);
    sw_verdict_fix(verdict, same ? "saltway reload %s" : "saltway doctor %s",
                   same ? facts->name : facts->status.file);
  } else if (facts->loaded || (length == 0 && facts->complaints[0])) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s has no mistake", facts->config.file);
  } else if (length == 0) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%s: cannot be read: memory is short",
                   facts->config.file);
  } else {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%.*s", (int)length, line);
    if (count > 1)
      sw_verdict_fix(verdict, "%u mistakes; all of them: saltway check %s", count,
                     facts->config.file);
  }
}

/* Whether the key file was changed after the running link had read it. */
static bool has_other_keys(const struct sw_doctor_facts *facts) {
  const char *keys = facts->status.fingerprints;
  return facts->status.running && facts->status.same_file && keys[0] != '\0' &&
         strcmp(keys, facts->fingerprints) != 0;
}

static void judge_other_keys(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  sw_verdict_set(verdict, SW_LEVEL_WARN, "fingerprint %s is not what the link has: it runs with %s",
                 facts->fingerprints, facts->status.fingerprints);
  sw_verdict_fix(verdict, "saltway reload %s", facts->name);
}

void sw_judge_key(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const char *line;
  unsigned count;
  const size_t length = find_complaint(facts->complaints, true, &line, &count);
  if (!facts->loaded && length)
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%.*s", (int)length, line);
  else if (facts->loaded && has_other_keys(facts))
    judge_other_keys(facts, verdict);
  else if (facts->loaded)
    sw_verdict_set(verdict, SW_LEVEL_OK, "fingerprint %s; both sides must have it in common%s%.*s",
                   facts->fingerprints, length ? "; " : "", (int)length, length ? line : "");
}

/* ---- what a link needs ---- */

void sw_judge_tun(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  if (facts->tun)
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%s", facts->tun_error.text);
  else
    sw_verdict_set(verdict, SW_LEVEL_OK, "the kernel has TUN devices");
}

static const struct sw_lookup_interface *find_interface(const struct sw_doctor_facts *facts) {
  for (size_t i = 0; i < facts->interface_count; i++)
    if (strcmp(facts->interfaces[i].name, facts->name) == 0) return &facts->interfaces[i];
  return NULL;
}

static bool has_capability(const struct sw_doctor_facts *facts, unsigned capability) {
  return facts->capabilities >> capability & 1;
}

/* The first one that confining the engine takes, and this process does not have. */
static const char *missing_for_sandbox(const struct sw_doctor_facts *facts) {
  static const struct {
    unsigned capability;
    const char *name;
  } needed[] = {{CAP_SYS_CHROOT, "SYS_CHROOT"},
                {CAP_SETUID, "SETUID"},
                {CAP_SETGID, "SETGID"},
                {CAP_KILL, "KILL"}};
  if (!facts->root || !facts->loaded || !facts->config.sandbox) return NULL;
  for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
    if (!has_capability(facts, needed[i].capability)) return needed[i].name;
  return NULL;
}

void sw_judge_privileges(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const char *missing = missing_for_sandbox(facts);
  const struct sw_lookup_interface *interface = find_interface(facts);
  if (facts->status.running) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "the link runs");
  } else if (!has_capability(facts, CAP_NET_ADMIN) && interface &&
             strcmp(interface->kind, "tun") == 0) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "without CAP_NET_ADMIN: the device %s is used as it is",
                   facts->name);
  } else if (!has_capability(facts, CAP_NET_ADMIN) && facts->root) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "root lacks CAP_NET_ADMIN here, which the interface takes");
    sw_verdict_fix(verdict, "in a container: --cap-add NET_ADMIN");
  } else if (!has_capability(facts, CAP_NET_ADMIN)) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "this user has no CAP_NET_ADMIN, which the interface takes");
    sw_verdict_fix(verdict, "as root: saltway doctor %s", facts->name);
  } else if (missing) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "CAP_%s is missing, which confining the engine takes",
                   missing);
    sw_verdict_fix(verdict, "in a container: --cap-add %s; or Sandbox = off", missing);
  } else {
    sw_verdict_set(verdict, SW_LEVEL_OK, "this user may start the link");
  }
}

void sw_judge_interface(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_lookup_interface *interface = find_interface(facts);
  if (facts->netns_error.text[0] && !facts->status.running) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%s", facts->netns_error.text);
  } else if (facts->status.running && facts->interface_count && !interface) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "the link runs, but its interface %s is gone",
                   facts->name);
    sw_verdict_fix(verdict, "start the link again");
  } else if (facts->status.running && interface && !interface->up) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "the interface %s is down: no packet passes",
                   facts->name);
    sw_verdict_fix(verdict, "ip link set %s up", facts->name);
  } else if (interface && strcmp(interface->kind, "tun") != 0) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "there is another interface of the name %s%s%s: the link cannot make its own",
                   facts->name, interface->kind[0] ? ", of the kind " : "", interface->kind);
    sw_verdict_fix(verdict, "choose another name; or: ip link del %s", facts->name);
  } else if (facts->status.running && interface && facts->status.mtu &&
             interface->mtu != facts->status.mtu) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "another program has set the MTU of %s to %u; that of the link is %u",
                   facts->name, interface->mtu, facts->status.mtu);
    sw_verdict_fix(verdict, "ip link set %s mtu %u", facts->name, facts->status.mtu);
  } else if (facts->status.running && interface) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s is up", facts->name);
  } else if (facts->loaded) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "the name %s is %s", facts->name,
                   interface ? "that of a TUN device" : "free");
  }
}

void sw_judge_port(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const unsigned port = facts->config.listen_port;
  if (facts->status.running) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "the link listens on UDP port %u", facts->status.port);
  } else if (facts->port == -EADDRINUSE) {
    const char *holder = facts->port_holder;
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "UDP port %u is taken%s%s", port,
                   holder[0] ? " by " : "", holder);
    sw_verdict_fix(verdict,
                   sw_doctor_port_is_ours(facts)
                       ? "is it this link, without its control socket? Else another link needs "
                         "another ListenPort: ss -Hlunp sport = :%u"
                       : "end that program, or choose another ListenPort: ss -Hlunp sport = :%u",
                   port);
  } else if (facts->port) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL, "%s", facts->port_error.text);
  } else if (port) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "UDP port %u is free", port);
  } else if (facts->loaded) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "no ListenPort: any free UDP port is used");
  }
}

/* ---- speed ---- */

void sw_judge_buffers(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const uint64_t overflows = facts->overflows, received = facts->status.packets_in;
  if (overflows >= OVERFLOWS_LEAST && overflows * OVERFLOWS_SHARE > received) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the kernel had no room for %ju datagrams of the link: the machine is too slow, "
                   "or the socket's buffer too small",
                   (uintmax_t)overflows);
    sw_verdict_fix(verdict, "sysctl -w net.core.rmem_max=16777216, and start the link again");
  } else if (facts->loaded && !has_capability(facts, CAP_NET_ADMIN) && facts->receive_limit &&
             facts->receive_limit < RECEIVE_LEAST) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "without CAP_NET_ADMIN the socket's buffer has only %d bytes: fast links lose "
                   "datagrams",
                   facts->receive_limit);
    sw_verdict_fix(verdict, "sysctl -w net.core.rmem_max=16777216");
  } else if (facts->loaded) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%ju datagrams found the socket full",
                   (uintmax_t)overflows);
  }
}

void sw_judge_offload(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const char *interface = facts->endpoint_count ? facts->endpoints[0].route.interface : "";
  if (!facts->loaded) return;
  if (!facts->config.offload)
    sw_verdict_set(verdict, SW_LEVEL_OK, "off in the configuration: the link is slower");
  else if (!facts->gro_sound)
    sw_verdict_set(verdict, SW_LEVEL_OK,
                   "the kernel does not coalesce UDP (Linux 5.12 does): the link is slower");
  else if (facts->offload.known)
    sw_verdict_set(verdict, SW_LEVEL_OK, "the kernel's are used; %s: GRO %s, GSO %s, checksums %s",
                   interface, facts->offload.gro ? "on" : "off", facts->offload.gso ? "on" : "off",
                   facts->offload.checksum ? "on" : "off");
  else
    sw_verdict_set(verdict, SW_LEVEL_OK, "the kernel's are used");
}

void sw_judge_congestion(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const char *algorithm = facts->congestion;
  if (!algorithm[0]) return;
  sw_verdict_set(verdict, SW_LEVEL_OK, "TCP of this machine uses %s%s", algorithm,
                 strncmp(algorithm, "bbr", 3) == 0
                     ? ", whose timers can cost a virtual machine more than the link does; compare "
                       "with cubic"
                     : "");
}

/* ---- the clock ---- */

/* It never matters, but it is what people suspect. */
void sw_judge_clock(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  char date[32] = "?";
  struct tm now;
  if (!facts->now) return; /* not known */
  if (gmtime_r(&facts->now, &now)) strftime(date, sizeof(date), "%Y-%m-%d", &now);
  if (facts->now >= CLOCK_LEAST && facts->now + DAY >= facts->key_time) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s; the link does not need it", date);
    return;
  }
  sw_verdict_set(verdict, SW_LEVEL_OK,
                 "the clock is wrong (%s%s), which does not matter to the link: it uses no clock",
                 date, facts->now < CLOCK_LEAST ? "" : ", before the key file was written");
  verdict->telling = true;
}
