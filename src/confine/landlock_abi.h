/*
 * Landlock's rights by our own names, with the ABI that brought each, because the headers we build with may be older than the kernel we
 * run on. Values are the kernel's (include/uapi/linux/landlock.h) and never change.
 */
#pragma once

#include <stdint.h>

#define CONFINE_FS_EXECUTE     (1ULL << 0)
#define CONFINE_FS_WRITE_FILE  (1ULL << 1)
#define CONFINE_FS_READ_FILE   (1ULL << 2)
#define CONFINE_FS_READ_DIR    (1ULL << 3)
#define CONFINE_FS_REMOVE_DIR  (1ULL << 4)
#define CONFINE_FS_REMOVE_FILE (1ULL << 5)
#define CONFINE_FS_MAKE_CHAR   (1ULL << 6)
#define CONFINE_FS_MAKE_DIR    (1ULL << 7)
#define CONFINE_FS_MAKE_REG    (1ULL << 8)
#define CONFINE_FS_MAKE_SOCK   (1ULL << 9)
#define CONFINE_FS_MAKE_FIFO   (1ULL << 10)
#define CONFINE_FS_MAKE_BLOCK  (1ULL << 11)
#define CONFINE_FS_MAKE_SYM    (1ULL << 12)
#define CONFINE_FS_REFER       (1ULL << 13) /* ABI 2: linking and renaming between folders */
#define CONFINE_FS_TRUNCATE    (1ULL << 14) /* ABI 3 */
#define CONFINE_FS_IOCTL_DEV   (1ULL << 15) /* ABI 5 */

/* Reading a folder's files; appending to and creating files in it as a log or a store does. */
#define CONFINE_FS_READ  (CONFINE_FS_READ_FILE | CONFINE_FS_READ_DIR)
#define CONFINE_FS_STORE \
	(CONFINE_FS_READ | CONFINE_FS_WRITE_FILE | CONFINE_FS_MAKE_REG | CONFINE_FS_REMOVE_FILE | CONFINE_FS_TRUNCATE)

#define CONFINE_NET_BIND_TCP    (1ULL << 0) /* ABI 4 */
#define CONFINE_NET_CONNECT_TCP (1ULL << 1) /* ABI 4 */

#define CONFINE_SCOPE_ABSTRACT_UNIX (1ULL << 0) /* ABI 6 */
#define CONFINE_SCOPE_SIGNAL        (1ULL << 1) /* ABI 6 */

enum {
	CONFINE_LANDLOCK_LEAST = 2, /* REFER: without it a domain forbids every rename between folders */
	CONFINE_LANDLOCK_KNOWN = 7  /* the newest ABI whose rights are named here */
};
