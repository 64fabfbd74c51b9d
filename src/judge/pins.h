/*
 * Pins: what a server's tools were when somebody accepted them, and whether they still are. After each listing the definitions are held
 * against the accepted ones, which the store keeps with the digest of the server's code.
 *
 *   first sight of a server -> recorded, all of it accepted, but for names that look alike
 *   afterwards -> what is as it was accepted works; what is changed, new, renamed, or looks like another is withheld and offered to people
 *   other code -> everything is withheld
 *
 * What is offered is one row for each tool of the last listing and one for the code; so a server that changes all the time fills nothing.
 */
#pragma once

#include "judge/judge.h"
#include "judge/tools.h"

/*
 * Gives each tool its state. True when that is done. False when what was accepted is not known yet: server_on_pins() is called for this server
 * as soon as it is, and until then the tools stay TOOL_UNCHECKED.
 */
bool pins_check(struct judge *judge, const char *server, struct tools *tools);

/* Why a tool in that state is withheld, for the record and for people; NULL when it is not. */
const char *pins_why(enum tool_state state);

/* The store is there (again). */
void pins_on_store(struct judge *judge);

/* A person accepts what is offered: exactly that, by its digest. */
void pins_on_accept(struct judge *judge, const struct msg_person_accept *m);
