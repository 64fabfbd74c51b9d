#pragma once

/* The judge process, on the descriptors of ipc/process.h. The exit status. */
int judge_main(void);
