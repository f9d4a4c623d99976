#include "parent/rates.h"

#define INTERVAL 1000000000

void sw_rates_count(struct sw_rates *rates, uint64_t now, uint64_t bytes_in, uint64_t bytes_out) {
  const bool again = bytes_in < rates->bytes_in || bytes_out < rates->bytes_out;
  if (rates->time && !again) {
    if (now - rates->time < INTERVAL) return;
    const double seconds = (double)(now - rates->time) / 1e9;
    rates->in = (double)(bytes_in - rates->bytes_in) / seconds;
    rates->out = (double)(bytes_out - rates->bytes_out) / seconds;
  }
  rates->measured = rates->time && !again;
  rates->time = now;
  rates->bytes_in = bytes_in;
  rates->bytes_out = bytes_out;
}
