/* Ownership at the end of a scope: cleanup_fd closes, cleanup_free frees. */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_release(void *ptr)
{
	free(*(void **)ptr);
}

#define cleanup_fd __attribute__((cleanup(cleanup_close)))
#define cleanup_free __attribute__((cleanup(cleanup_release)))

/* Gives a descriptor away: the variable forgets it, the caller has it. */
static inline int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* Closes a descriptor if it is open, and forgets it. */
static inline void fd_close(int *fd)
{
	cleanup_close(fd);
	*fd = -1;
}
