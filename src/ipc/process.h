/* The processes of the family, as senders and receivers of messages. CLI is the peer behind the control socket. */
#pragma once

enum process {
	PROCESS_INIT,
	PROCESS_LAUNCHER,
	PROCESS_GATEWAY,
	PROCESS_JUDGE,
	PROCESS_AUDIT,
	PROCESS_STORE,
	PROCESS_CONSOLE,
	PROCESS_CLI,
	PROCESS_COUNT,
};

/* "init", "launcher", ... */
const char *process_name(enum process process);

/* The descriptors that init places before exec. */
enum {
	FD_INIT_CHANNEL = 3, /* the channel to init */
	FD_FIRST_EXTRA = 4,  /* audit and store: its folder; launcher: the folder of the side logs; console: the listening socket */
};

/* What the store says of a person's PIN. */
enum person_verdict {
	PERSON_OK,
	PERSON_WRONG,  /* counted; after some in a row it is locked for a while */
	PERSON_LOCKED, /* not even looked at */
	PERSON_UNSET,  /* there is none yet */
	PERSON_WEAK,   /* the new one is too short or too plain */
	PERSON_FAILED, /* it could not be found out */
};

enum { PERSON_SECRET_LEAST = 6 }; /* characters of a PIN */
