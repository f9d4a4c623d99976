/*
 * The control socket.  More clients connect than it has places; they send bytes in pieces and
 * close.  A client that sent a known command gets the whole answer.  Any other gets nothing.  At
 * the end every place is free.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/runtime.h"
#include "parent/control.h"

#define CLIENTS (SW_CONTROL_CLIENTS + 4)
#define QUEUE (SW_CONTROL_CLIENTS / 2)
#define TURNS 200 /* of the loop: more than CLIENTS need */

static const char stopping[] = "stopping\n", status[] = "{}\n", reloaded[] = "ok\n";
static char directory[64];
static uv_loop_t loop;
static struct sw_control control;

static struct client {
  int fd; /* 0: none */
  size_t length;
  char said[SW_CONTROL_LINE];
} clients[CLIENTS];

static bool on_command(void *user, const char *command, char **answer) {
  assert(user == clients && strlen(command) < SW_CONTROL_LINE - 1);
  if (strcmp(command, "down") == 0) *answer = strdup(stopping);
  return *answer || strcmp(command, "status") == 0 || strcmp(command, "reload") == 0;
}

static void remove_directory(void) {
  sw_control_close(&control);
  uv_run(&loop, UV_RUN_NOWAIT);
  rmdir(directory);
}

static void start(void) {
  struct sw_error error;
  snprintf(directory, sizeof(directory), "/tmp/saltway-fuzz-%d", (int)getpid());
  signal(SIGPIPE, SIG_IGN); /* as the parent does */
  setenv("RUNTIME_DIRECTORY", directory, 1);
  if (uv_loop_init(&loop) != 0 ||
      sw_control_open(&control, &loop, "fuzz", on_command, clients, &error) != 0)
    abort();
  atexit(remove_directory);
}

/* The loop accepts connections at once.  Connections that it leaves waiting must not fill the
 * kernel's queue, or the next client would wait for ever. */
static void client_connect(struct client *client) {
  static unsigned waiting;
  struct sw_error error;
  for (unsigned i = 0; i < 2 * QUEUE; i++)
    uv_run(&loop, UV_RUN_NOWAIT); /* accepts one for each free place */
  waiting = control.waiting ? waiting + 1 : 0;
  if (client->fd || waiting > QUEUE) return;
  *client = (struct client){.fd = sw_runtime_connect("fuzz", &error)};
  assert(client->fd > 0);
  fcntl(client->fd, F_SETFL, O_NONBLOCK);
}

static void client_say(struct client *client, const uint8_t *bytes, size_t length) {
  if (!client->fd || send(client->fd, bytes, length, MSG_NOSIGNAL) < 0) return;
  size_t room = sizeof(client->said) - 1 - client->length;
  if (length < room) room = length;
  memcpy(client->said + client->length, bytes, room);
  client->length += room;
}

static void client_close(struct client *client) {
  if (client->fd) close(client->fd);
  client->fd = 0;
}

static const char *answer_of(const struct client *client) {
  char line[SW_CONTROL_LINE];
  memcpy(line, client->said, client->length);
  char *end = memchr(line, '\n', client->length);
  if (!end) return "";
  *end = '\0';
  return strcmp(line, "down") == 0     ? stopping
         : strcmp(line, "status") == 0 ? status
         : strcmp(line, "reload") == 0 ? reloaded
                                       : "";
}

static bool busy(void) {
  for (unsigned i = 0; i < SW_CONTROL_CLIENTS; i++)
    if (control.clients[i].open_handles) return true;
  return control.waiting;
}

/* Ends all clients and reads their answers. */
static void finish(void) {
  for (unsigned i = 0; i < CLIENTS; i++)
    if (clients[i].fd) shutdown(clients[i].fd, SHUT_WR);
  unsigned turns = 0;
  do {
    uv_run(&loop, UV_RUN_NOWAIT);
    sw_control_answer(&control, "reload", reloaded);
    sw_control_answer(&control, "status", status);
    assert(turns++ < TURNS);
  } while (busy() || turns < 4);
  for (unsigned i = 0; i < CLIENTS; i++) {
    struct client *client = &clients[i];
    if (!client->fd) continue;
    char text[64] = "";
    size_t length = 0;
    ssize_t more;
    while ((more = read(client->fd, text + length, sizeof(text) - 1 - length)) > 0)
      length += (size_t)more;
    assert(more == 0 || errno == ECONNRESET); /* the other end closed it */
    assert(strcmp(text, answer_of(client)) == 0);
    client_close(client);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (!directory[0]) start();
  while (size > 0) {
    struct client *client = &clients[(data[0] & 15) % CLIENTS];
    const unsigned what = data[0] >> 4;
    data++;
    size--;
    if (what < 8) {
      size_t length = what * 10;
      if (length > size) length = size;
      client_connect(client);
      client_say(client, data, length);
      data += length;
      size -= length;
    } else if (what < 10) {
      client_close(client);
    } else if (what < 12) {
      if (client->fd) shutdown(client->fd, SHUT_WR);
    } else if (what == 12) {
      sw_control_answer(&control, size % 2 ? "reload" : "status", size % 2 ? reloaded : status);
    } else {
      uv_run(&loop, UV_RUN_NOWAIT);
    }
  }
  finish();
  return 0;
}
