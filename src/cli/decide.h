/* What a person decides at the terminal: it is shown there first, whole, and then the PIN is asked for there. */
#pragma once

#include "cli/place.h"
#include "cli/terminal.h"

/* `reason` may be NULL. The exit status, with the line printed. */
int decide(const struct place *place, const char *id, bool approve, const char *reason);

/* Sets the PIN, or changes it. */
int decide_pin(const struct place *place);

/* Without a family, whose lock the caller has: asks for the PIN of the store at `path`, if one is set there. CLI_OK, or the exit status with the line printed. */
int decide_unserved(const char *path);

/* Is there a PIN that can be tried now? CLI_OK, or the exit status with the line printed. */
int decide_can_ask(const struct place *place);

/* The terminal, open; or the exit status with the line printed, as a negative number. */
int decide_terminal(void);

/* Asks for the PIN. CLI_OK, or the exit status with the line printed. */
int decide_ask_pin(int terminal, const char *prompt, struct secret *ret_secret);

/* Prints why the judge refused; for a wrong PIN also how many tries are left. CLI_REFUSED. */
struct control_answer;
int decide_refused(const struct place *place, const struct control_answer *answer);
