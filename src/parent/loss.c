#include "parent/loss.h"

void sw_loss_count(struct sw_loss *loss, const struct sw_facts *facts) {
  const struct sw_link_status *link = facts->link;
  const struct sw_loss next = {
      .start = facts->now, .sent = link->probes_sent, .lost = link->probes_lost};
  const uint64_t sent = next.sent - loss->sent, lost = next.lost - loss->lost;
  if (link->state != SW_LINK_UP) {
    *loss = (struct sw_loss){.start = 0};
  } else if (!loss->start) {
    *loss = next;
  } else if (sent >= SW_LOSS_PROBES && facts->now - loss->start >= SW_LOSS_WINDOW) {
    *loss = next;
    loss->percent = (unsigned)(100 * lost / sent);
  }
}
