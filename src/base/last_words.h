/*
 * What is said and done where a process of ours ends by abort(3): libuv does so where the system is
 * out of descriptors or of watches, without a word.
 */
#ifndef SALTWAY_BASE_LAST_WORDS_H
#define SALTWAY_BASE_LAST_WORDS_H

/** From now on an abort writes a line to standard error, removes the file `path` (NULL: none), which
 * is copied, and ends the process with status 1.  Holds for children, too. */
void sw_last_words(const char *path);

#endif
