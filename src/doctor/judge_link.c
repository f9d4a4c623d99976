/* Verdicts about the link: what firewalls do with its datagrams, its condition, and its MTU. */
#include <arpa/inet.h>
#include <string.h>

#include "doctor/judge.h"

#define UDP_HEADER 8
#define V4_HEADER 20
#define V6_HEADER 40

/* Paths of the internet carry less than an Ethernet does, by what tunnels and DSL add. */
#define ETHERNET 1500
#define USUAL_LOSS 100

/* ---- firewall ---- */

/* Whether long packets, or bursts of them, are lost in the link. */
static bool loses_long(const struct sw_doctor_echo *echo) {
  return echo->small && (!echo->large || 2 * echo->answered < echo->sent);
}

/* What nftables(8) drops.  A rule may come after one that accepts, so of a link that is up only the length
 * is told. */
static bool judge_rules(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_nftables *rules = &facts->nftables;
  const bool up = sw_doctor_is_up(facts);
  const unsigned port = facts->status.running ? facts->status.port : facts->config.listen_port;
  if (!up && rules->drops_in[0]) {
    sw_verdict_set(
        verdict, SW_LEVEL_FAIL,
        "the firewall of this machine drops UDP to port %u, so nothing of the peer arrives", port);
    sw_verdict_fix(verdict, "remove the rule: nft -a list chain %s", rules->drops_in);
  } else if (!up && rules->drops_out[0]) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "the firewall of this machine drops UDP to port %u of the peer, so nothing "
                   "reaches it",
                   facts->endpoints[0].address.port);
    sw_verdict_fix(verdict, "remove the rule: nft -a list chain %s", rules->drops_out);
  } else if (rules->drops_long[0] && facts->config.offload) {
    sw_verdict_set(
        verdict, loses_long(&facts->echo) ? SW_LEVEL_FAIL : SW_LEVEL_WARN,
        "the firewall of this machine drops long UDP datagrams, and takes several that the "
        "kernel has coalesced for a long one: the link is slow, or passes nothing");
    sw_verdict_fix(verdict, "remove the rule: nft -a list chain %s; or write Offload = off",
                   rules->drops_long);
  } else if (!up && port && rules->closed[0] &&
             (facts->status.running || facts->config.endpoint_count == 0)) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the firewall of this machine accepts no UDP to port %u: the peer cannot begin",
                   port);
    sw_verdict_fix(verdict, "nft insert rule %s udp dport %u accept", rules->closed, port);
  }
  return verdict->level != SW_LEVEL_SKIPPED;
}

void sw_judge_firewall(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const uint32_t most = facts->conntrack.most, timeout = facts->conntrack.udp_timeout;
  const unsigned keepalive = facts->config.persistent_keepalive;
  if (!facts->loaded || judge_rules(facts, verdict)) return;
  if (most && facts->conntrack.entries >= most) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "the table of connections is full (%u entries): the kernel drops new ones",
                   most);
    sw_verdict_fix(verdict, "sysctl -w net.netfilter.nf_conntrack_max=%u", 2 * most);
  } else if (timeout && keepalive > timeout) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the firewall forgets the link after %u s without datagrams, and "
                   "PersistentKeepalive is %u s",
                   timeout, keepalive);
    sw_verdict_fix(verdict, "PersistentKeepalive = 25");
  } else {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s",
                   most ? "connections are tracked, and the table has room"
                        : "connections are not tracked");
  }
}

/* ---- the link ---- */

static bool state_is(const struct sw_doctor_facts *facts, const char *state) {
  return strcmp(facts->status.state, state) == 0;
}

void sw_judge_link(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_doctor_status *status = &facts->status;
  const struct sw_doctor_echo *echo = &facts->echo;
  if (status->running && state_is(facts, "up") && echo->tried && echo->certain && !echo->small &&
      status->packets_in == 0) {
    const bool v4 = sw_ip_is_v4(echo->peer);
    char peer[INET6_ADDRSTRLEN];
    inet_ntop(v4 ? AF_INET : AF_INET6, echo->peer + (v4 ? 12 : 0), peer, sizeof(peer));
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "%s, but %s, the other side's address in the link, answers no ping",
                   status->condition, peer);
    sw_verdict_fix(verdict, "has the other side the file of its own side, with that Address? its "
                            "firewall may also refuse echo requests");
  } else if (status->running && state_is(facts, "up")) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%s", status->condition);
  } else if (status->running) {
    const bool waits = state_is(facts, "degraded") || sw_doctor_reason_is(facts, "waiting") ||
                       sw_doctor_reason_is(facts, "starting");
    sw_verdict_set(verdict, waits ? SW_LEVEL_WARN : SW_LEVEL_FAIL, "%s", status->condition);
  } else if (status->refused) {
    sw_verdict_set(verdict, SW_LEVEL_WARN, "the link runs, and did not say what it does");
    sw_verdict_fix(verdict, "as root: saltway doctor %s", facts->name);
  } else if (sw_doctor_port_is_ours(facts)) {
    sw_verdict_set(verdict, SW_LEVEL_WARN,
                   "the link is not running, or runs without its control socket: %s has its port",
                   facts->port_holder);
  } else if (facts->loaded) {
    sw_verdict_set(verdict, SW_LEVEL_WARN, "the link is not running");
    sw_verdict_fix(verdict, "saltway up %s", facts->config.file);
  }
}

/* ---- MTU ---- */

/* What the interface that leads to the peer lets through of a packet; 0: not known. */
static unsigned room_of(const struct sw_doctor_facts *facts, char interface[IFNAMSIZ]) {
  if (!facts->endpoint_count) return 0;
  const struct sw_doctor_endpoint *endpoint = &facts->endpoints[0];
  const struct sw_lookup_interface *way = sw_doctor_interface_at(facts, endpoint->route.index);
  const unsigned headers =
      SW_OVERHEAD + UDP_HEADER + (sw_ip_is_v4(endpoint->address.ip) ? V4_HEADER : V6_HEADER);
  if (!way || facts->config.netns[0] || way->mtu <= headers) return 0;
  memcpy(interface, way->name, IFNAMSIZ);
  return way->mtu - headers;
}

void sw_judge_mtu(const struct sw_doctor_facts *facts, struct sw_verdict *verdict) {
  const struct sw_doctor_echo *echo = &facts->echo;
  const struct sw_doctor_status *status = &facts->status;
  const unsigned configured = facts->config.mtu;
  char interface[IFNAMSIZ];
  const unsigned room = room_of(facts, interface);
  const unsigned usual = room < ETHERNET ? room : ETHERNET - SW_OVERHEAD - UDP_HEADER - V6_HEADER;
  if (!facts->loaded) return;
  if (echo->small && !echo->large) {
    sw_verdict_set(verdict, SW_LEVEL_FAIL,
                   "MTU black hole: packets of %u bytes pass the link, those of its MTU, %u bytes, "
                   "are lost",
                   echo->longest, status->mtu);
    sw_verdict_fix(verdict, configured ? "MTU = auto" : "MTU = %u", echo->longest);
  } else if (echo->sent && 2 * echo->answered < echo->sent) {
    sw_verdict_set(
        verdict, SW_LEVEL_FAIL,
        "single packets pass the link, and bursts are lost (%u of %u arrived): a firewall "
        "may drop long datagrams after the kernel has coalesced them",
        echo->answered, echo->sent);
    sw_verdict_fix(verdict,
                   "remove the rule that compares the length of UDP datagrams, on both sides: nft "
                   "list ruleset; or write Offload = off");
  } else if (configured && room && configured > room) {
    sw_verdict_set(
        verdict, SW_LEVEL_WARN,
        "MTU = %u is configured, but %s, which leads to the peer, carries only packets of "
        "%u bytes: datagrams are fragmented",
        configured, interface, room);
    sw_verdict_fix(verdict, "MTU = auto");
  } else if (sw_doctor_is_up(facts) && !configured && room &&
             status->path_mtu + USUAL_LOSS < usual) {
    sw_verdict_set(
        verdict, SW_LEVEL_WARN,
        "the path carries packets of only %u bytes, although %s would carry %u: a hop on "
        "the way has a small MTU, or drops long datagrams in silence (MTU black hole); the "
        "link has adapted",
        status->path_mtu, interface, room);
    sw_verdict_fix(verdict, "find it: tracepath to the peer");
  } else if (sw_doctor_is_up(facts)) {
    sw_verdict_set(verdict, SW_LEVEL_OK, "%u bytes, %s%s", status->mtu,
                   configured ? "as configured" : "found on the path",
                   echo->large ? "; packets of that length pass" : "");
  }
}
