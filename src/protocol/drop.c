#include "saltway/drop.h"

#include <assert.h>

static const struct {
  const char *name;
  const char *meaning;
} reasons[] = {
#define REASON(enumerator, name, meaning) [enumerator] = {name, meaning},
    SW_DROPS(REASON)
#undef REASON
};

const char *sw_drop_name(enum sw_drop reason) {
  assert(reason < SW_DROP_COUNT);
  return reasons[reason].name;
}

const char *sw_drop_meaning(enum sw_drop reason) {
  assert(reason < SW_DROP_COUNT);
  return reasons[reason].meaning;
}
