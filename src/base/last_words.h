/*
 * The last message of a process that ends by abort(3).  libuv aborts without a message if the system
 * is out of descriptors or watches.
 */
#ifndef SALTWAY_BASE_LAST_WORDS_H
#define SALTWAY_BASE_LAST_WORDS_H

/** From now on an abort writes a line to standard error, removes the file `path` (NULL: none) and
 * ends the process with status 1.  `path` is copied.  Children inherit this. */
void sw_last_words(const char *path);

#endif
