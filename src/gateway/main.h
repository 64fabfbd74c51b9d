#pragma once

/* The gateway process of one session, on the descriptors of ipc/process.h. The exit status. */
int gateway_main(void);
