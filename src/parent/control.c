#include "parent/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/runtime.h"

static void on_connection(uv_stream_t *listener, int status);

static void on_client_closed(uv_handle_t *handle) {
  struct sw_control_client *client = handle->data;
  if (--client->open_handles > 0) return;
  free(client->answer);
  client->answer = NULL;
  struct sw_control *control = client->control;
  if (control->waiting && control->listening) {
    control->waiting = false;
    on_connection((uv_stream_t *)&control->listener, 0);
  }
}

static void client_close(struct sw_control_client *client) {
  if (!uv_is_closing((uv_handle_t *)&client->pipe))
    uv_close((uv_handle_t *)&client->pipe, on_client_closed);
  if (!uv_is_closing((uv_handle_t *)&client->timer))
    uv_close((uv_handle_t *)&client->timer, on_client_closed);
}

static void on_timeout(uv_timer_t *timer) {
  client_close(timer->data);
}

static void on_written(uv_write_t *write, int status) {
  (void)status;
  client_close(write->data);
}

static void send_answer(struct sw_control_client *client, char *text) {
  client->answer = text;
  if (!text) {
    client_close(client);
    return;
  }
  const uv_buf_t part = uv_buf_init(text, (unsigned)strlen(text));
  client->write.data = client;
  if (uv_write(&client->write, (uv_stream_t *)&client->pipe, &part, 1, on_written) < 0)
    client_close(client);
}

static void answer(struct sw_control_client *client) {
  struct sw_control *control = client->control;
  char *text = NULL;
  uv_read_stop((uv_stream_t *)&client->pipe);
  client->asks = control->handler(control->user, client->line, &text) && !text;
  if (!client->asks) send_answer(client, text);
}

static bool asks(const struct sw_control_client *client, const char *command) {
  return client->open_handles && client->asks && strcmp(client->line, command) == 0;
}

bool sw_control_asked(const struct sw_control *control, const char *command) {
  bool asked = false;
  for (unsigned i = 0; i < SW_CONTROL_CLIENTS; i++) asked |= asks(&control->clients[i], command);
  return asked;
}

void sw_control_answer(struct sw_control *control, const char *command, const char *text) {
  for (unsigned i = 0; i < SW_CONTROL_CLIENTS; i++) {
    struct sw_control_client *client = &control->clients[i];
    if (!asks(client, command)) continue;
    client->asks = false;
    if (!uv_is_closing((uv_handle_t *)&client->pipe)) send_answer(client, strdup(text));
  }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
  (void)suggested;
  struct sw_control_client *client = handle->data;
  *room = uv_buf_init(client->line + client->length,
                      (unsigned)(sizeof(client->line) - 1 - client->length));
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *room) {
  (void)room;
  struct sw_control_client *client = stream->data;
  if (length < 0) { /* the end, or UV_ENOBUFS: the line is too long */
    client_close(client);
    return;
  }
  client->length += (size_t)length;
  char *end = memchr(client->line, '\n', client->length);
  if (!end) return;
  *end = '\0';
  answer(client);
}

static struct sw_control_client *client_free(struct sw_control *control) {
  for (unsigned i = 0; i < SW_CONTROL_CLIENTS; i++)
    if (!control->clients[i].open_handles) return &control->clients[i];
  return NULL;
}

static void on_connection(uv_stream_t *listener, int status) {
  struct sw_control *control = listener->data;
  if (status < 0) return;
  struct sw_control_client *client = client_free(control);
  if (!client) { /* it is accepted when another one is closed */
    control->waiting = true;
    return;
  }
  *client = (struct sw_control_client){.control = control, .open_handles = 2};
  uv_pipe_init(listener->loop, &client->pipe, 0);
  uv_timer_init(listener->loop, &client->timer);
  client->pipe.data = client->timer.data = client;
  uv_timer_start(&client->timer, on_timeout, SW_CONTROL_PATIENCE_MS, 0);
  if (uv_accept(listener, (uv_stream_t *)&client->pipe) < 0 ||
      uv_read_start((uv_stream_t *)&client->pipe, on_room, on_read) < 0)
    client_close(client);
}

/* One process at a time has the link's name in a network namespace.  However the process ends, the
 * kernel releases the lock. */
static int take_name(struct sw_control *control, const char *name, const char *socket,
                     struct sw_error *error) {
  char path[SW_RUNTIME_PATH];
  const int failed = sw_runtime_path(name, SW_RUNTIME_LOCK, path, error);
  if (failed) return failed;
  control->lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  /* a lock of this process: its children do not hold it */
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (control->lock >= 0 && fcntl(control->lock, F_SETLK, &whole) == 0) return 0;
  if (control->lock >= 0 && (errno == EAGAIN || errno == EACCES))
    return sw_error_set(error, EADDRINUSE, "saltway status tells more, saltway down stops it",
                        "control: the link %s is up already, at %s", name, socket);
  return sw_error_set(error, errno,
                      errno == EACCES ? "set RUNTIME_DIRECTORY to a directory of yours" : NULL,
                      "control: cannot lock %s", path);
}

int sw_control_open(struct sw_control *control, uv_loop_t *loop, const char *name,
                    sw_control_handler *handler, void *user, struct sw_error *error) {
  *control = (struct sw_control){.handler = handler, .user = user, .lock = -1};
  char path[SW_RUNTIME_PATH];
  int failed = sw_runtime_make(error);
  if (!failed) failed = sw_runtime_path(name, SW_RUNTIME_SOCKET, path, error);
  if (!failed) failed = take_name(control, name, path, error);
  if (failed) return failed;
  control->stale = unlink(path) == 0;
  uv_pipe_init(loop, &control->listener, 0);
  control->listener.data = control;
  const mode_t before = umask(0177);
  failed = uv_pipe_bind(&control->listener, path);
  umask(before);
  if (!failed)
    failed = uv_listen((uv_stream_t *)&control->listener, SW_CONTROL_CLIENTS, on_connection);
  if (failed) {
    uv_close((uv_handle_t *)&control->listener, NULL);
    return sw_error_set(error, -failed,
                        failed == UV_EACCES ? "set RUNTIME_DIRECTORY to a directory of yours"
                                            : NULL,
                        "control: cannot listen at %s", path);
  }
  control->listening = true;
  return 0;
}

void sw_control_close(struct sw_control *control) {
  if (control->listening)
    uv_close((uv_handle_t *)&control->listener, NULL); /* libuv unlinks what it bound */
  control->listening = false;
  if (control->lock >= 0) close(control->lock);
  control->lock = -1;
  for (unsigned i = 0; i < SW_CONTROL_CLIENTS; i++)
    if (control->clients[i].open_handles) client_close(&control->clients[i]);
}
