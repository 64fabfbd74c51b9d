/* The lock of a policy's family: whoever holds it is the family, or does what only is done without one. */
#pragma once

/* Takes runtime/lock for the life of the descriptor. 0, -EWOULDBLOCK when somebody has it, -errno. */
int family_lock(const char *runtime, int *ret_fd);
