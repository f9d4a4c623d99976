#include "convert/openvpn_reasons.h"

#include <stddef.h>
#include <string.h>

static const char cipher[] = "the cipher is always XSalsa20-Poly1305, with keys that each session "
                             "makes anew (forward secrecy)";
static const char no_compression[] = "nothing is compressed: lengths would tell about the content";
static const char found_mtu[] =
    "the MTU of the path is found by itself (MTU = auto), and the MSS of "
    "TCP lowered to fit";
static const char own_users[] = "the process that handles packets has no privileges, and a user of "
                                "its own";
static const char reload[] =
    "saltway reload keeps the interface, and a new start reads the key again";
static const char service[] = "systemd runs the link: systemctl enable --now saltway@NAME";
static const char logging[] = "the log is systemd's: journalctl -u saltway@NAME; saltway status "
                              "tells the rest";
static const char script[] = "OpenVPN's scripts get arguments of their own; put what is still "
                             "needed into PostUp and PreDown";
static const char liveness[] = "a peer that is silent is noticed by probes, and retried for ever";
static const char any_address[] =
    "the link listens on all addresses, and answers from the one that "
    "was addressed";
static const char always[] = "a peer whose address changes is always followed";
static const char buffers[] = "saltway sets its own buffers";
static const char replay[] = "replays are always refused, within a window of 8192 datagrams";
static const char silent_key[] = "there are no modes of the key";
static const char routes[] = "routes are made for AllowedIPs as soon as the interface is up";
static const char unneeded[] = "saltway has nothing that it would change";
static const char name_servers[] = "name servers are left alone; PostUp = resolvectl dns %i SERVER";

static const struct {
  const char *option, *reason;
} reasons[] = {
    {"cipher", cipher},
    {"data-ciphers", cipher},
    {"data-ciphers-fallback", cipher},
    {"ncp-ciphers", cipher},
    {"ncp-disable", cipher},
    {"auth", cipher},
    {"keysize", cipher},
    {"engine", cipher},
    {"providers", cipher},
    {"comp-lzo", no_compression},
    {"comp-noadapt", no_compression},
    {"compress", no_compression},
    {"allow-compression", no_compression},
    {"mssfix", found_mtu},
    {"fragment", found_mtu},
    {"tun-mtu", found_mtu},
    {"tun-mtu-extra", found_mtu},
    {"link-mtu", found_mtu},
    {"mtu-test", found_mtu},
    {"mtu-disc", found_mtu},
    {"user", own_users},
    {"group", own_users},
    {"chroot", own_users},
    {"setcon", own_users},
    {"persist-tun", reload},
    {"persist-key", reload},
    {"persist-remote-ip", reload},
    {"persist-local-ip", reload},
    {"daemon", service},
    {"writepid", service},
    {"cd", service},
    {"nice", service},
    {"mlock", "keys are always locked in memory"},
    {"verb", logging},
    {"mute", logging},
    {"log", logging},
    {"log-append", logging},
    {"syslog", logging},
    {"status", logging},
    {"status-version", logging},
    {"suppress-timestamps", logging},
    {"management", logging},
    {"script-security", script},
    {"up", script},
    {"down", script},
    {"down-pre", script},
    {"up-delay", script},
    {"up-restart", script},
    {"route-up", script},
    {"route-pre-down", script},
    {"ipchange", script},
    {"setenv", script},
    {"plugin", script},
    {"ping-restart", liveness},
    {"ping-exit", liveness},
    {"ping-timer-rem", liveness},
    {"inactive", liveness},
    {"remap-usr1", liveness},
    {"resolv-retry", "names are resolved again and again, for ever"},
    {"connect-retry", liveness},
    {"explicit-exit-notify", "the peer is always told when a link ends"},
    {"local", any_address},
    {"multihome", any_address},
    {"bind", any_address},
    {"float", always},
    {"remote-random", "the first endpoint is the preferred one, and all of them are tried"},
    {"sndbuf", buffers},
    {"rcvbuf", buffers},
    {"txqueuelen", buffers},
    {"fast-io", buffers},
    {"replay-window", replay},
    {"no-replay", replay},
    {"replay-persist", replay},
    {"key-direction", silent_key},
    {"allow-deprecated-insecure-static-crypto", silent_key},
    {"route-gateway", routes},
    {"route-metric", "Metric = NUMBER does it, and the default takes precedence over DHCP's"},
    {"route-delay", routes},
    {"route-noexec", "Table = off does it"},
    {"ifconfig-nowarn", unneeded},
    {"ifconfig-noexec", "leave Address out, and set addresses yourself"},
    {"topology", "a link has two ends, so there is no subnet of clients"},
    {"disable-occ", unneeded},
    {"auth-nocache", unneeded},
    {"tun-ipv6", unneeded},
    {"dhcp-option", name_servers},
};

const char *sw_openvpn_reason(const char *option) {
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
    if (strcmp(option, reasons[i].option) == 0) return reasons[i].reason;
  return NULL;
}
