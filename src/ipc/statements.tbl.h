/*
 * Every statement that the store process runs. Callers name one and give its values; nobody sends SQL. This table makes the enum that callers use
 * (statements.h), the permission check and the prepared statements (src/store/statements.c).
 *
 * STATEMENT(name, roles, values, columns, sql)
 *
 * Roles: who may run it, JUDGE or CONSOLE (which runs them for people: they only read). Values and columns, a letter for each: t text, i integer, T and
 * I the same or null. In the SQL, ?1 is the first value. Several SQL statements, with ";" between them, are one: all of them happen, or none; the
 * rows are those of the last one, the count of changed rows is that of all. Times are microseconds since 1970.
 */

/* ---- approvals: pending -> approved | rejected | expired | withdrawn; approved -> consumed | expired | withdrawn ---- */

/* The newest record for one subject: the last that was made, whatever the clock said. */
STATEMENT(approval_find, JUDGE, "t", "tttiTiiI",
	"SELECT id, state, pin, expires, reason, told, created, intent FROM approvals WHERE subject = ?1 ORDER BY rowid DESC LIMIT 1")
/* A new, pending record; no row is made when the agent (4) has as many pending ones as ?18 says. */
STATEMENT(approval_new, JUDGE, "ttttiitttttttiiIti", "",
	"INSERT INTO approvals (id, digest, subject, agent, session, uid, server, tool, pin, effect, rule, rule_digest, arguments, created, expires, asked,"
	" why, state) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 'pending'"
	" WHERE (SELECT count(*) FROM approvals WHERE agent = ?4 AND state = 'pending') < ?18")
/* The whole record: what was asked, then what became of it. */
STATEMENT(approval_get, JUDGE | CONSOLE, "t", "ttttiitttttttiiIttIIITIIi",
	"SELECT id, digest, subject, agent, session, uid, server, tool, pin, effect, rule, rule_digest, arguments, created, expires, asked, why,"
	" state, decided, decided_by, same_user, reason, ended, intent, told FROM approvals WHERE id = ?1")
/* A person's word on a pending record: id, state (approved or rejected), now, uid, same user (1 or 0), reason. */
STATEMENT(approval_decide, JUDGE, "ttiiiT", "",
	"UPDATE approvals SET state = ?2, decided = ?3, decided_by = ?4, same_user = ?5, reason = ?6, ended = iif(?2 = 'rejected', ?3, NULL)"
	" WHERE id = ?1 AND state = 'pending' AND expires > ?3 AND ?2 IN ('approved', 'rejected')")
/* Used up, just before the act: id, subject, rule digest, pin, now, entry of the intent. One row, or nothing may happen. */
STATEMENT(approval_consume, JUDGE, "ttttii", "",
	"UPDATE approvals SET state = 'consumed', ended = ?5, intent = ?6 WHERE id = ?1 AND subject = ?2 AND rule_digest = ?3 AND pin = ?4"
	" AND state = 'approved' AND expires > ?5")
/* The agent has been told that it expired. */
STATEMENT(approval_told, JUDGE, "t", "", "UPDATE approvals SET told = 1 WHERE id = ?1 AND state = 'expired'")
/* What is over at ?1, at most 8 at a time, for a record can be large; which those were. */
STATEMENT(approval_expire, JUDGE, "i", "t",
	"UPDATE approvals SET state = 'expired', ended = ?1 WHERE id IN"
	" (SELECT id FROM approvals WHERE state IN ('pending', 'approved') AND expires <= ?1 LIMIT 8) RETURNING id")
/* How many records of an agent wait for a person, and how many bytes of arguments they hold. */
STATEMENT(approval_waiting, JUDGE, "t", "ii",
	"SELECT count(*), coalesce(sum(length(CAST(arguments AS BLOB))), 0) FROM approvals WHERE agent = ?1 AND state = 'pending'")
/* What the live records stand on: rule and facts, of which tool and agent. */
STATEMENT(approval_bases, JUDGE, "", "ttttt",
	"SELECT DISTINCT agent, server, tool, effect, rule_digest FROM approvals WHERE state IN ('pending', 'approved')")
/* The live records that stand on what is gone: agent, server, tool, effect, rule digest, now, reason. */
STATEMENT(approval_withdraw_base, JUDGE, "tttttit", "t",
	"UPDATE approvals SET state = 'withdrawn', ended = ?6, reason = ?7 WHERE agent = ?1 AND server = ?2 AND tool = ?3 AND effect = ?4"
	" AND rule_digest = ?5 AND state IN ('pending', 'approved') RETURNING id")
/* All of them, or those that are live, newest first, before row ?1 (0: from the newest), at most ?2. */
STATEMENT(approval_list, CONSOLE, "ii", "itttttttiitIIITI",
	"SELECT rowid, id, state, agent, server, tool, effect, rule, created, expires, why, decided, decided_by, same_user, reason, ended FROM approvals"
	" WHERE ?1 = 0 OR rowid < ?1 ORDER BY rowid DESC LIMIT ?2")
STATEMENT(approval_list_live, CONSOLE, "ii", "itttttttiitIIITI",
	"SELECT rowid, id, state, agent, server, tool, effect, rule, created, expires, why, decided, decided_by, same_user, reason, ended FROM approvals"
	" WHERE state IN ('pending', 'approved') AND (?1 = 0 OR rowid < ?1) ORDER BY rowid DESC LIMIT ?2")
/* For status: how many wait, how many are approved and unused, how many were ever decided as the agent's own user. */
STATEMENT(approval_counts, JUDGE | CONSOLE, "", "iii",
	"SELECT (SELECT count(*) FROM approvals WHERE state = 'pending'), (SELECT count(*) FROM approvals WHERE state = 'approved'),"
	" (SELECT count(*) FROM approvals WHERE same_user = 1)")

/* ---- the person's PIN, as far as others may know it ---- */

/* When it was set and by which user; failures in a row, until when it is locked. No row: it is not set. */
STATEMENT(person_state, JUDGE | CONSOLE, "", "iiii", "SELECT set_at, set_by, failures, locked_until FROM person")

/* ---- pins: tool "" is the server's code ---- */

/* What was accepted of a server. */
STATEMENT(pin_accepted, JUDGE, "t", "tt", "SELECT tool, digest FROM pins WHERE server = ?1 AND state = 'accepted' ORDER BY tool")
/* What is offered and not accepted. */
STATEMENT(pin_offered, JUDGE, "t", "tt", "SELECT tool, digest FROM pins WHERE server = ?1 AND state = 'offered' ORDER BY tool")
/* Puts a row: server, tool, state, digest, definition (canonical JSON), why, now, uid or null. */
STATEMENT(pin_put, JUDGE, "tttttTiI", "",
	"INSERT OR REPLACE INTO pins (server, tool, state, digest, definition, why, since, by_uid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")
/* What is stored of one server. */
STATEMENT(pin_rows, JUDGE, "t", "ttt", "SELECT tool, state, digest FROM pins WHERE server = ?1 ORDER BY tool, state")
/*
 * What is offered of one tool becomes what is accepted, when it is still that: server, tool, digest, now, uid, reason. The live approvals of that tool
 * were for what it was before and are withdrawn; which those are. (`now` tells this run's rows from others.)
 */
STATEMENT(pin_accept, JUDGE, "tttiit", "t",
	"INSERT OR REPLACE INTO pins (server, tool, state, digest, definition, why, since, by_uid)"
	" SELECT server, tool, 'accepted', digest, definition, NULL, ?4, ?5 FROM pins WHERE server = ?1 AND tool = ?2 AND state = 'offered' AND digest = ?3;"
	"DELETE FROM pins WHERE server = ?1 AND tool = ?2 AND state = 'offered' AND digest = ?3;"
	"UPDATE approvals SET state = 'withdrawn', ended = ?4, reason = ?6 WHERE server = ?1 AND tool = ?2 AND state IN ('pending', 'approved')"
	" AND EXISTS (SELECT 1 FROM pins WHERE server = ?1 AND tool = ?2 AND state = 'accepted' AND digest = ?3 AND since = ?4) RETURNING id")
/* The same for all that is offered of a server: server, the rows of pin_offered as canonical JSON, now, uid, reason. New code makes every tool another one. */
STATEMENT(pin_accept_all, JUDGE, "ttiit", "t",
	"INSERT OR REPLACE INTO pins (server, tool, state, digest, definition, why, since, by_uid)"
	" SELECT server, tool, 'accepted', digest, definition, NULL, ?3, ?4 FROM pins WHERE server = ?1 AND state = 'offered' AND ?2 ="
	" (SELECT json_group_array(json_array(tool, digest)) FROM (SELECT tool, digest FROM pins WHERE server = ?1 AND state = 'offered' ORDER BY tool));"
	"DELETE FROM pins WHERE server = ?1 AND state = 'offered' AND (tool, digest) IN"
	" (SELECT tool, digest FROM pins WHERE server = ?1 AND state = 'accepted' AND since = ?3);"
	"UPDATE approvals SET state = 'withdrawn', ended = ?3, reason = ?5 WHERE server = ?1 AND state IN ('pending', 'approved') AND EXISTS"
	" (SELECT 1 FROM pins WHERE server = ?1 AND state = 'accepted' AND since = ?3 AND tool IN (approvals.tool, '')) RETURNING id")
/* A row is not needed any more: server, tool, state. */
STATEMENT(pin_forget, JUDGE, "ttt", "", "DELETE FROM pins WHERE server = ?1 AND tool = ?2 AND state = ?3")
/* For people: all rows, or those of server ?1, without the definitions; after (?2, ?3, ?4), at most ?5. */
STATEMENT(pin_list, CONSOLE, "tttti", "ttttTiIi",
	"SELECT server, tool, state, digest, why, since, by_uid, length(definition) FROM pins WHERE (?1 = '' OR server = ?1)"
	" AND (server, tool, state) > (?2, ?3, ?4) ORDER BY server, tool, state LIMIT ?5")
/* For status: how many are accepted, how many wait to be. */
STATEMENT(pin_counts, CONSOLE, "", "ii", "SELECT count(*) FILTER (WHERE state = 'accepted'), count(*) FILTER (WHERE state = 'offered') FROM pins")
/* One row with its definition: server, tool, state. */
STATEMENT(pin_get, JUDGE | CONSOLE, "ttt", "tttttTiI",
	"SELECT server, tool, state, digest, definition, why, since, by_uid FROM pins WHERE server = ?1 AND tool = ?2 AND state = ?3")
