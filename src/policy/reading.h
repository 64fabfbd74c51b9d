/*
 * The other reading of a call's arguments. They reach a server as they were judged, digit by digit and byte by byte, but not every program
 * reads them so: JavaScript and most others take a number for the nearest double, and what ends in C takes a string to end at its first NUL.
 */
#pragma once

#include "parse/json.h"

/*
 * 0 when `args` reads the same either way; 1 with the copy in *ret_other, in `arena` and borrowing from `args`, in which each number is the
 * double's and each string ends before its first NUL; -EINVAL when a name holds NUL, -EMSGSIZE when it is too deep, -ENOMEM.
 */
int reading_other(struct arena *arena, const struct json *args, struct json *ret_other);
