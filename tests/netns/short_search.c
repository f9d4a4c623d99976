/*
 * pathmtu.c with searches every 4 to 5 s instead of every 8 to 10 minutes.  The netns tests link the
 * program with it, to see that the MTU grows with the path.
 */
#include "protocol/protocol.h"

#undef SW_MTU_AGAIN
#define SW_MTU_AGAIN (5 * SW_SECOND)

#include "protocol/pathmtu.c"
