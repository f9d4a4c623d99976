/*
 * What saltway status --watch shows of a link: its sentence, and the course of throughput and round
 * trip.  Pure.
 */
#ifndef SALTWAY_CLI_STATUS_FRAME_H
#define SALTWAY_CLI_STATUS_FRAME_H

#include <jansson.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>

#define SW_HISTORY 240 /* samples that are kept: the widest sparkline */

enum sw_course { SW_COURSE_IN, SW_COURSE_OUT, SW_COURSE_ROUND_TRIP, SW_COURSES };

/** The latest samples of a link, the oldest first.  All zero: none. */
struct sw_history {
  char name[IFNAMSIZ];
  unsigned count;
  double values[SW_COURSES][SW_HISTORY]; /* bits per second, milliseconds; NaN: not known */
};

/** Adds a sample from the link's JSON object. */
void sw_history_add(struct sw_history *history, const json_t *link);

/** How to draw. */
struct sw_canvas {
  unsigned width; /* columns */
  bool colour, utf8;
};

/** Writes the lines of a link. */
void sw_status_frame(FILE *out, const struct sw_canvas *canvas, const json_t *link,
                     const struct sw_history *history);

#endif
