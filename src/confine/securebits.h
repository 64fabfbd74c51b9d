/* The secure bits of a process that holds no capability: uid 0 means nothing at exec, and none of it can be undone. */
#pragma once

#include <linux/securebits.h>

#define CONFINE_SECUREBITS \
	(SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | \
	 SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED)
