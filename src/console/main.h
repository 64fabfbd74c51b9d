#pragma once

/* The console process, on the descriptors of ipc/process.h. The exit status. */
int console_main(void);
