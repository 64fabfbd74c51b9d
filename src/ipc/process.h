/* The processes of the family, as senders and receivers of messages. CLI is the peer behind the control socket. */
#pragma once

enum process {
	PROCESS_INIT,
	PROCESS_LAUNCHER,
	PROCESS_GATEWAY,
	PROCESS_JUDGE,
	PROCESS_AUDIT,
	PROCESS_CONSOLE,
	PROCESS_CLI,
	PROCESS_COUNT,
};

/* "init", "launcher", ... */
const char *process_name(enum process process);

/* The descriptors that init places before exec. */
enum {
	FD_INIT_CHANNEL = 3, /* the channel to init */
	FD_FIRST_EXTRA = 4,  /* audit: its folder; launcher: the folder of the side logs; console: the listening socket */
};
