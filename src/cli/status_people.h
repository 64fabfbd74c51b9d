/* What status says of people's side: how many calls wait for them, what of the servers does, and how the PIN stands. */
#pragma once

#include "cli/place.h"
#include "parse/json.h"

/* Appends ,"approvals":{...},"pins":{...},"pin":{...} as far as the store answers; what it does not say is left out. 0 or a buf error. */
int status_people_add(const struct place *place, struct buf *members);

/* Prints them from the whole status. */
void status_people_print(const struct json *status);
