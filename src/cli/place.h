/*
 * Where things are: the policy that a command is about, and the folders of its family (XDG Base Directory Specification 0.8).
 *
 * The policy: --policy, else $XDG_CONFIG_HOME/bawn/bawn.yaml, else the nearest bawn.yaml from the working folder upwards: a project's, inert until
 * it is trusted. A family is one policy file: its folders are named for the first 16 hex digits of the SHA-256 of the file's real path.
 */
#pragma once

#include <limits.h>

#include "cli/cli.h"
#include "init/init.h"

struct place {
	char policy[PATH_MAX];  /* real path */
	char base[PATH_MAX];    /* its folder */
	char project[PATH_MAX]; /* its folder when it is a project's, else "" */
	char trust[PATH_MAX];   /* the file of the accepted digest */
	char home[PATH_MAX];    /* or "" */
	char config[PATH_MAX];  /* $XDG_CONFIG_HOME/bawn */
	char state[PATH_MAX];   /* $XDG_STATE_HOME/bawn/ID */
	char agents[PATH_MAX];  /* beneath it: each agent's NAME.token, and its hash NAME.sha256, which is all that the family reads */
	char runtime[PATH_MAX]; /* $XDG_RUNTIME_DIR/bawn/ID, or beneath /run (root) or /tmp */
};

/* Finds all of it for the policy file `named` (an operand), else --policy, else the search. CLI_OK, or the exit status with the line printed. */
int place_find(const struct cli_args *args, const char *named, struct place *ret_place);

/* Makes the state and runtime folders, 0700 and the user's own. CLI_OK or the exit status with the line printed. */
int place_make(const struct place *place);

/* For init_main; borrows from `place`. */
struct init_options place_options(const struct place *place);
