#pragma once

/* The store process, on the descriptors of ipc/process.h. The exit status. */
int store_main(void);
