#include "parent/watch.h"

#include <errno.h>
#include <unistd.h>

#include "base/log.h"
#include "linux/changes.h"

#define RECEIVES_MAX 64 /* in one wake-up */

static void repair(struct sw_watch *watch) {
  const struct sw_host_made *made = &watch->host->made;
  struct sw_error error;
  const int failed = sw_host_restore(watch->host, &error);
  if (made->addresses || made->routes || made->rules)
    sw_log(SW_LOG_WARNING, "made again what was removed: addresses %u, routes %u, rules %u",
           made->addresses, made->routes, made->rules);
  if (failed && !watch->in_vain)
    sw_log(SW_LOG_WARNING, "cannot make again what was removed: %s", error.text);
  watch->in_vain = failed;
  if (!watch->again) watch->repairs++;
}

static void set_down(struct sw_watch *watch, bool down) {
  if (down == watch->down) return;
  watch->down = down;
  watch->changed(watch->user);
}

static void on_timer(uv_timer_t *timer) {
  struct sw_watch *watch = timer->data;
  set_down(watch, sw_host_is_down(watch->host));
  if (watch->down) return;
  repair(watch);
  watch->again = watch->in_vain;
  if (watch->again) uv_timer_start(timer, on_timer, SW_WATCH_AGAIN_MS, 0);
}

static void schedule(struct sw_watch *watch) {
  const uint64_t now = uv_now(watch->timer.loop);
  if (uv_is_active((uv_handle_t *)&watch->timer) && !watch->again) return;
  watch->again = false;
  if (now - watch->window >= SW_WATCH_WINDOW_MS) {
    watch->window = now;
    watch->repairs = 0;
  }
  uint64_t delay = SW_WATCH_DELAY_MS;
  if (watch->repairs >= SW_WATCH_REPAIRS) {
    delay += watch->window + SW_WATCH_WINDOW_MS - now;
    sw_log(
        SW_LOG_WARNING,
        "addresses, routes or rules of the link are removed again and again (which other program "
        "manages them? ip monitor); waiting %u s",
        (unsigned)(delay / 1000));
  }
  uv_timer_start(&watch->timer, on_timer, delay, 0);
}

static void on_change(void *user, const struct sw_change *change) {
  struct sw_watch *watch = user;
  if (!sw_host_concerns(watch->host, change)) return;
  if (change->kind == SW_CHANGE_LINK) {
    if (change->up == !watch->down) return;
    set_down(watch, !change->up);
  }
  if (!watch->down) schedule(watch);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
  struct sw_watch *watch = poll->data;
  int failed = 0;
  (void)events;
  for (unsigned i = 0; i < RECEIVES_MAX && failed != -EAGAIN; i++) {
    failed = sw_changes_receive(watch->fd, on_change, watch);
    if (failed && failed != -EAGAIN) schedule(watch); /* changes were lost */
  }
  if (status < 0) uv_poll_start(poll, UV_READABLE, on_readable); /* libuv has stopped it for that */
}

void sw_watch_start(struct sw_watch *watch, uv_loop_t *loop, struct sw_host *host,
                    void (*changed)(void *user), void *user) {
  struct sw_error error;
  *watch = (struct sw_watch){.host = host, .changed = changed, .user = user};
  watch->fd = sw_host_changes_open(host, &error);
  const int failed = watch->fd < 0 ? watch->fd : uv_poll_init(loop, &watch->poll, watch->fd);
  if (failed) {
    if (watch->fd >= 0) {
      sw_error_set(&error, -failed, NULL, "cannot watch the host");
      close(watch->fd);
    }
    watch->fd = -1;
    sw_log(SW_LOG_WARNING, "%s; going on, but what another program removes stays removed",
           error.text);
    return;
  }
  uv_timer_init(loop, &watch->timer);
  watch->poll.data = watch->timer.data = watch;
  watch->window = uv_now(loop);
  uv_poll_start(&watch->poll, UV_READABLE, on_readable);
  set_down(watch, sw_host_is_down(host)); /* a device that existed before may be down */
}

void sw_watch_stop(struct sw_watch *watch) {
  if (watch->fd < 0) return;
  uv_close((uv_handle_t *)&watch->poll, NULL);
  uv_close((uv_handle_t *)&watch->timer, NULL);
  close(watch->fd);
  watch->fd = -1;
}
