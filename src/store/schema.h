/* The schema, as the steps from each version to the next. A step that has shipped is never changed. */
#pragma once

#include "store/database.h"

extern const char *const schema_steps[DATABASE_VERSION];
