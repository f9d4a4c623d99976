/*
 * Reads the text of a configuration file into a config: one loop over its lines, each looked up in
 * the table of keys (table.h).
 */
#ifndef SALTWAY_CONFIG_READER_H
#define SALTWAY_CONFIG_READER_H

#include <stdbool.h>

#include "config/complaint.h"
#include "config/config.h"
#include "config/table.h"

struct sw_config_reader {
  struct sw_config *config;
  struct sw_complaints complaints;
  unsigned line;                  /* the number of the current line; at the end the last */
  enum sw_config_section section; /* the section of the current line */
  bool skipping;                  /* the section is unknown, or a second [Peer] */
  unsigned section_lines[SW_CONFIG_SECTIONS]; /* where each section begins; 0: nowhere */
  unsigned key_lines[SW_CONFIG_KEYS];         /* where each key is given first; 0: nowhere */
  bool full[SW_CONFIG_KEYS];                  /* its list was complained to be too long */
};

/** Reads all lines.  `config` and `complaints` must be set, all else zero.  Modifies `text`. */
void sw_config_reader_run(struct sw_config_reader *reader, char *text);

#endif
