/*
 * init: starts, watches and restarts the other processes of one family, and wires them to each other. See main.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where a family lives. All paths are absolute; all strings outlive init_main. */
struct init_options {
	const char *policy;  /* the policy file */
	const char *base;    /* its folder */
	const char *project; /* its folder when it is a project's policy, else "" */
	const char *trust;   /* file with the SHA-256 (hex) of the accepted project policy; NULL when it needs no trust */
	const char *home;    /* the user's home folder, or "" */
	const char *state;   /* what outlives the family: audit/, agents/, servers/ */
	const char *runtime; /* what does not: lock, control.sock */
	int ready_fd;        /* gets "ok\n" when it serves, or the reason in one line when it does not come to it; -1: none */
	unsigned linger;     /* seconds without a session after which the family ends; 0: never */
};

/* Runs a family in the foreground until it is told to end. The exit status: 0 ended in order, 1 with the reason on standard error. */
int init_main(const struct init_options *options);
