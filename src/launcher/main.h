#pragma once

/* The launcher process, on the descriptors of ipc/process.h. The exit status. */
int launcher_main(void);
