#include "store/schema.h"

/*
 * Approvals: what was asked never changes, the state only goes forward, nothing is deleted; the file itself refuses anything else, whoever runs
 * what statement. At most one record of a subject is live.
 */
#define APPROVALS                                                                                                                  \
	"CREATE TABLE approvals ("                                                                                                 \
	" id TEXT NOT NULL PRIMARY KEY, digest TEXT NOT NULL, subject TEXT NOT NULL, agent TEXT NOT NULL, session INTEGER NOT NULL," \
	" uid INTEGER NOT NULL, server TEXT NOT NULL, tool TEXT NOT NULL, pin TEXT NOT NULL, effect TEXT NOT NULL, rule TEXT NOT NULL," \
	" rule_digest TEXT NOT NULL, arguments TEXT NOT NULL, created INTEGER NOT NULL, expires INTEGER NOT NULL, asked INTEGER,"  \
	" why TEXT NOT NULL,"                                                                                                      \
	" state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'withdrawn', 'consumed')),"           \
	" decided INTEGER, decided_by INTEGER, same_user INTEGER, reason TEXT, ended INTEGER, intent INTEGER,"                     \
	" told INTEGER NOT NULL DEFAULT 0) STRICT;"                                                                                \
	"CREATE INDEX approvals_subject ON approvals (subject);"                                                                  \
	"CREATE UNIQUE INDEX approvals_live ON approvals (subject) WHERE state IN ('pending', 'approved');"                        \
	"CREATE INDEX approvals_by_state ON approvals (state, expires) WHERE state IN ('pending', 'approved');"                    \
	"CREATE INDEX approvals_waiting ON approvals (agent) WHERE state = 'pending';"                                             \
	"CREATE INDEX approvals_same_user ON approvals (same_user) WHERE same_user = 1;"                                           \
	"CREATE TRIGGER approvals_begin BEFORE INSERT ON approvals WHEN NEW.state <> 'pending' BEGIN"                              \
	" SELECT RAISE(ABORT, 'an approval begins as pending'); END;"                                                              \
	"CREATE TRIGGER approvals_forward BEFORE UPDATE OF state ON approvals WHEN NOT ("                                          \
	" (OLD.state = 'pending' AND NEW.state IN ('approved', 'rejected', 'expired', 'withdrawn'))"                               \
	" OR (OLD.state = 'approved' AND NEW.state IN ('consumed', 'expired', 'withdrawn'))) BEGIN"                                \
	" SELECT RAISE(ABORT, 'an approval only goes forward'); END;"                                                              \
	"CREATE TRIGGER approvals_fixed BEFORE UPDATE OF id, digest, subject, agent, session, uid, server, tool, pin, effect, rule, rule_digest," \
	" arguments, created, expires, asked, why ON approvals BEGIN SELECT RAISE(ABORT, 'what was asked does not change'); END;"  \
	"CREATE TRIGGER approvals_kept BEFORE DELETE ON approvals BEGIN SELECT RAISE(ABORT, 'an approval is not deleted'); END;"

#define PINS                                                                                                                       \
	"CREATE TABLE pins ("                                                                                                      \
	" server TEXT NOT NULL, tool TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('accepted', 'offered')), digest TEXT NOT NULL," \
	" definition TEXT NOT NULL, why TEXT, since INTEGER NOT NULL, by_uid INTEGER, PRIMARY KEY (server, tool, state)) STRICT;"

/* The person's PIN: one row. `hash` is libsodium's crypto_pwhash_str. */
#define PERSON                                                                                                                     \
	"CREATE TABLE person ("                                                                                                    \
	" one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1), hash TEXT NOT NULL, set_at INTEGER NOT NULL, set_by INTEGER NOT NULL," \
	" failures INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0) STRICT;"

const char *const schema_steps[DATABASE_VERSION] = {
	"BEGIN IMMEDIATE;" APPROVALS PINS PERSON "PRAGMA application_id = 1113683822; PRAGMA user_version = 1; COMMIT;",
};
