/*
 * The sentence of a report: a text that parts are added to.  What does not fit is left out.  Any thread.
 */
#ifndef SALTWAY_PARENT_SENTENCE_H
#define SALTWAY_PARENT_SENTENCE_H

#include "saltway/address.h"

/** Its size in bytes, with the terminating zero; a line of the log holds it. */
#define SW_SENTENCE_TEXT 960

/** Adds a text, printf-like, to one that is terminated. */
void sw_sentence_add(char text[SW_SENTENCE_TEXT], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Adds the address without its port. */
void sw_sentence_add_ip(char text[SW_SENTENCE_TEXT], const struct sw_address *address);

#endif
