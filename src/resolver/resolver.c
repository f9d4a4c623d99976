#include "resolver/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/last_words.h"
#include "linux/sandbox.h"

/* What the child has to say of an endpoint. */
struct record {
  uint32_t endpoint;
  int32_t status; /* getaddrinfo's, or ... */
  int32_t code;   /* ... the errno behind EAI_SYSTEM */
  struct sw_resolver_found found;
};

void sw_resolver_init(struct sw_resolver *resolver, uv_loop_t *loop, const struct sw_config *config,
                      void (*done)(void *user, const struct sw_address *addresses, size_t count),
                      void *user) {
  *resolver = (struct sw_resolver){.loop = loop, .config = config, .done = done, .user = user};
}

/* ---- looking up ---- */

static void add(struct sw_resolver_found *found, const struct addrinfo *info, uint16_t port) {
  if (found->count == SW_ENDPOINTS_MAX) return;
  struct sw_address *address = &found->addresses[found->count];
  *address = (struct sw_address){.port = port};
  if (info->ai_family == AF_INET) {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)info->ai_addr;
    address->ip[10] = address->ip[11] = 0xff;
    memcpy(address->ip + 12, &v4->sin_addr, 4);
  } else if (info->ai_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)info->ai_addr;
    memcpy(address->ip, &v6->sin6_addr, SW_IP_BYTES);
    if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr)) address->scope = v6->sin6_scope_id;
  } else {
    return;
  }
  found->count++;
}

/* Returns getaddrinfo's status. */
static int look_up(const struct sw_config_endpoint *endpoint, int flags,
                   struct sw_resolver_found *found) {
  const struct addrinfo hints = {
      .ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP, .ai_flags = flags};
  struct addrinfo *list;
  const int status = getaddrinfo(endpoint->host, NULL, &hints, &list);
  if (status != 0) return status;
  memset(found, 0, sizeof(*found));
  for (const struct addrinfo *info = list; info; info = info->ai_next)
    add(found, info, endpoint->port);
  freeaddrinfo(list);
  return 0;
}

/* ---- the child ---- */

static _Noreturn void run_child(const struct sw_config *config, int channel, pid_t parent) {
  struct sw_error error;
  prctl(PR_SET_NAME, "saltway-names", 0, 0, 0);
  sw_last_words(NULL);
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  signal(SIGHUP, SIG_DFL);
  int keep[] = {channel};
  const bool confined = config->sandbox && sw_sandbox_possible();
  if (sw_sandbox_close_others(keep, 1, &error)) _exit(1);
  if (confined && sw_sandbox_drop(-1, parent, &error)) _exit(1);
  for (uint32_t i = 0; i < config->endpoint_count; i++) {
    struct record record;
    memset(&record, 0, sizeof(record));
    record.endpoint = i;
    record.status = look_up(&config->endpoints[i], 0, &record.found);
    record.code = errno;
    if (send(channel, &record, sizeof(record), MSG_NOSIGNAL) != sizeof(record)) break;
  }
  _exit(0);
}

/* ---- the parent ---- */

static void finish(struct sw_resolver *resolver) {
  struct sw_address all[SW_ENDPOINTS_MAX];
  size_t count = 0;
  for (unsigned i = 0; i < resolver->config->endpoint_count; i++) {
    const struct sw_resolver_found *found = &resolver->found[i];
    for (size_t k = 0; k < found->count && count < SW_ENDPOINTS_MAX; k++)
      all[count++] = found->addresses[k];
  }
  memcpy(resolver->failure, resolver->failing, sizeof(resolver->failure));
  resolver->done(resolver->user, all, count);
}

static void on_closed(uv_handle_t *poll) {
  struct sw_resolver *resolver = poll->data;
  resolver->polling = false;
}

static void end_child(struct sw_resolver *resolver) {
  uv_close((uv_handle_t *)&resolver->poll, on_closed);
  close(resolver->channel);
  kill(resolver->child, SIGKILL);
  waitpid(resolver->child, NULL, 0);
  resolver->child = 0;
}

/* A failure keeps what was known.  Returns whether it is what a child may say: one record for each
 * endpoint, in their order. */
static bool take(struct sw_resolver *resolver, const struct record *record) {
  const struct sw_config *config = resolver->config;
  if (record->endpoint != resolver->answered || record->found.count > SW_ENDPOINTS_MAX)
    return false;
  const struct sw_config_endpoint *endpoint = &config->endpoints[record->endpoint];
  resolver->answered++;
  if (record->status != 0) {
    snprintf(resolver->failing, sizeof(resolver->failing), "cannot resolve %s: %s", endpoint->host,
             record->status == EAI_SYSTEM ? strerror(record->code) : gai_strerror(record->status));
    return true;
  }
  struct sw_resolver_found *found = &resolver->found[record->endpoint];
  *found = record->found;
  for (uint32_t i = 0; i < found->count; i++) found->addresses[i].port = endpoint->port;
  return true;
}

static void on_record(uv_poll_t *poll, int status, int events) {
  struct sw_resolver *resolver = poll->data;
  struct record record;
  (void)status, (void)events;
  while (resolver->answered < resolver->config->endpoint_count) {
    const ssize_t length = recv(resolver->channel, &record, sizeof(record), 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length == sizeof(record) && take(resolver, &record)) continue;
    snprintf(resolver->failing, sizeof(resolver->failing),
             "cannot resolve names: the process that does has ended");
    break;
  }
  end_child(resolver);
  finish(resolver);
}

static int start_child(struct sw_resolver *resolver) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return -errno;
  const pid_t parent = getpid(), child = fork();
  if (child == 0) run_child(resolver->config, ends[1], parent);
  const int code = errno;
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    return -code;
  }
  const int failed = uv_poll_init(resolver->loop, &resolver->poll, ends[0]); /* non-blocking, too */
  if (failed) {
    close(ends[0]);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return failed;
  }
  resolver->child = child;
  resolver->channel = ends[0];
  resolver->polling = true;
  resolver->answered = 0;
  resolver->poll.data = resolver;
  uv_poll_start(&resolver->poll, UV_READABLE, on_record);
  return 0;
}

void sw_resolver_start(struct sw_resolver *resolver) {
  if (resolver->polling) return;
  bool names = false;
  resolver->failing[0] = '\0';
  for (unsigned i = 0; i < resolver->config->endpoint_count; i++) /* addresses need nobody's help */
    names |= look_up(&resolver->config->endpoints[i], AI_NUMERICHOST, &resolver->found[i]) != 0;
  const int failed = names ? start_child(resolver) : 0;
  if (failed)
    snprintf(resolver->failing, sizeof(resolver->failing), "cannot resolve names: %s",
             strerror(-failed));
  if (failed || !names) finish(resolver);
}

void sw_resolver_stop(struct sw_resolver *resolver) {
  if (resolver->child) end_child(resolver);
}
