/*
 * The status of links as OpenMetrics text.  Only gauges and counters, as the older text format that
 * node_exporter's textfile collector reads knows no more.  Pure.
 */
#ifndef SALTWAY_CLI_STATUS_METRICS_H
#define SALTWAY_CLI_STATUS_METRICS_H

#include <jansson.h>
#include <stdio.h>

/** Writes all metrics of these links, an array as in saltway(8), JSON OUTPUT. */
void sw_status_metrics(FILE *out, const json_t *links);

#endif
