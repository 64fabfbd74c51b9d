#pragma once

/* The audit process, on the descriptors of ipc/process.h; FD_FIRST_EXTRA is the log's folder. The exit status. */
int audit_main(void);
