/* The file view: a new root made of descriptors, so that no path of the host is looked up twice. */
#pragma once

#include "launcher/sandbox_inside.h"

/* Mount attributes for what only shows the host's files. */
#define SANDBOX_READ_ONLY (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define SANDBOX_WRITABLE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* openat2(2), close-on-exec: a descriptor or -errno. */
int sandbox_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve);

/*
 * Opens a host path of the plan, O_PATH. A symbolic link on the way is followed only when root or Bawn's own user made it; kernel
 * file systems (/proc, /sys, cgroups), devices and "/" are refused. `beneath`, unless NULL, is a folder that the path may not lead out of. A descriptor, or -errno with the report filled.
 */
int sandbox_host_open(const char *path, const char *beneath, struct sandbox_report *report);

/*
 * A detached copy of the mounts at and below `fd`, with these attributes everywhere, receiving nothing the host mounts later.
 * `userns_fd` >= 0 maps owners through that user namespace. A descriptor or -errno.
 */
int sandbox_tree(int fd, uint64_t attributes, int userns_fd);

/* Builds the view in the calling process's own mount namespace and moves into it. 0 or -errno with the report filled. */
int sandbox_view_enter(const struct sandbox_inside *inside, struct sandbox_report *report);
