/*
 * Every message between two processes of the family. This table makes the enum, the structs, the codec and the permission check (message.h),
 * and docs/architecture.md is tested against it.
 *
 * MESSAGE(name, senders, receivers, phases, how often, fields)
 *
 * Phases are those of the receiver's end of the channel: SETUP until the receiver has told init that it is ready, SERVING afterwards.
 * ONCE: a second one on the same channel is a violation. A violation, a malformed message or a wrong number of descriptors ends the channel.
 *
 * Fields: U8, U32, U64 (little endian); TEXT(name, max): UTF-8 without NUL, at most max bytes; BYTES(name, max); LIST(name, items, max): texts,
 * at most that many and that many bytes together; FD(name): one descriptor, which belongs to the handler when it takes it.
 * Sizes are bytes. "packed" is the packed form of parse/json.h.
 */

/* ---- init and everybody ---- */

MESSAGE(ready, JUDGE | AUDIT | STORE | LAUNCHER | CONSOLE | GATEWAY, INIT, SETUP, ONCE,
	BYTES(report, 512)) /* the measured confinement: a struct confine_report, of the same binary */
MESSAGE(peer, INIT, JUDGE | AUDIT | STORE | LAUNCHER | CONSOLE | GATEWAY, SETUP | SERVING, MANY,
	U8(role) U64(session) FD(channel)) /* a channel to another process; for a gateway, its session */
MESSAGE(peer_quiet, INIT, JUDGE | GATEWAY, SETUP | SERVING, MANY,
	U64(session) FD(channel)) /* a second channel from the judge to the gateway, which wakes nobody: for call_running */
MESSAGE(stop, INIT, JUDGE | AUDIT | STORE | LAUNCHER | CONSOLE | GATEWAY, SETUP | SERVING, ONCE, )
/* These two end others, so a gateway, which strangers' bytes may have taken over, cannot say them: when it cannot go on, it ends. */
MESSAGE(fatal, JUDGE | AUDIT | STORE | LAUNCHER | CONSOLE, INIT, SETUP | SERVING, ONCE,
	TEXT(why, 1024)) /* the process cannot go on, and a restart would not help */

MESSAGE(misbehaved, JUDGE | AUDIT | STORE | LAUNCHER | CONSOLE, INIT, SERVING, MANY,
	U8(role) U64(session) TEXT(why, 256)) /* that sibling broke a channel's rules: init kills it, and records it */

/* ---- the policy ---- */

MESSAGE(agent_token, INIT, JUDGE, SETUP | SERVING, MANY,
	TEXT(agent, 64) BYTES(hash, 32)) /* SHA-256 of the agent's token; takes effect with the next policy */
MESSAGE(policy, INIT, JUDGE, SETUP | SERVING, MANY,
	U64(request) TEXT(path, 4096) TEXT(base, 4096) TEXT(project, 4096) TEXT(home, 4096) BYTES(yaml, 1048576))
MESSAGE(policy_result, JUDGE, INIT, SETUP | SERVING, MANY,
	U64(request) U8(ok) TEXT(problems, 65536)) /* lines as `bawn check` prints them */
MESSAGE(reload, CONSOLE, INIT, SERVING, MANY, U64(request))
MESSAGE(reload_done, INIT, CONSOLE, SERVING, MANY, U64(request) U8(ok) TEXT(problems, 65536))

/* ---- sessions ---- */

MESSAGE(session_open, CONSOLE, JUDGE, SERVING, MANY,
	U64(request) U32(uid) U32(pid) TEXT(agent, 64) TEXT(server, 64) TEXT(token, 128) FD(input) FD(output) FD(leash))
MESSAGE(session_opened, JUDGE, CONSOLE, SERVING, MANY, U64(request) U64(session))
MESSAGE(session_refused, JUDGE, CONSOLE, SERVING, MANY, U64(request) TEXT(code, 32) TEXT(why, 512) U64(entry))
MESSAGE(gateway_spawn, JUDGE, INIT, SERVING, MANY,
	U64(session) TEXT(agent, 64) TEXT(server, 64) FD(input) FD(output) FD(leash))
MESSAGE(gateway_close, JUDGE, INIT, SERVING, MANY, U64(session)) /* its session is over: it must end by itself, soon */
MESSAGE(gateway_failed, INIT, JUDGE, SERVING, MANY, U64(session) TEXT(why, 512))
MESSAGE(gateway_setup, INIT, GATEWAY, SETUP | SERVING, ONCE,
	U64(session) TEXT(server, 64) FD(input) FD(output) FD(leash))
MESSAGE(session_end, GATEWAY, JUDGE, SERVING, ONCE, TEXT(why, 512))

/* ---- calls: the agent's side ---- */

MESSAGE(call_propose, GATEWAY, JUDGE, SERVING, MANY,
	U64(call) TEXT(tool, 256) U8(progress) BYTES(arguments, 8388608)) /* arguments: packed object */
MESSAGE(call_malformed, GATEWAY, JUDGE, SERVING, MANY,
	U64(call) TEXT(tool, 256) TEXT(what, 256)) /* addressed, but without one unambiguous reading */
MESSAGE(call_cancel, GATEWAY, JUDGE, SERVING, MANY, U64(call) TEXT(reason, 256))
MESSAGE(call_running, JUDGE, GATEWAY, SERVING, MANY, U64(call) U64(entry))
MESSAGE(call_refused, JUDGE, GATEWAY, SERVING, MANY,
	U64(call) U64(entry) TEXT(code, 32) TEXT(stage, 32) TEXT(why, 768) U64(retry_after_ms)
	TEXT(approval, 32) TEXT(expires, 32) TEXT(sees, 2048)) /* of the approval that it waits for, when it does: id, time (RFC 3339), what a person sees */
MESSAGE(call_outcome, GATEWAY, JUDGE, SERVING, MANY,
	U64(call) TEXT(outcome, 32) U64(bytes) BYTES(digest, 32) TEXT(what, 256)) /* digest: SHA-256 of the canonical result */
MESSAGE(agent_fault, GATEWAY, JUDGE, SERVING, MANY, TEXT(what, 256))

/* ---- calls: the server's side ---- */

MESSAGE(server_output, JUDGE, GATEWAY, SERVING, MANY, U64(run) FD(output))
MESSAGE(server_gone, JUDGE, GATEWAY, SERVING, MANY, U64(run) TEXT(why, 512))
MESSAGE(server_tools, JUDGE, GATEWAY, SERVING, MANY, U64(run) BYTES(tools, 4194304)) /* what the agent may see: packed array */
MESSAGE(server_initialized, GATEWAY, JUDGE, SERVING, MANY,
	U64(run) TEXT(protocol, 32) TEXT(name, 256) TEXT(version, 256) U8(tools))
MESSAGE(server_listed, GATEWAY, JUDGE, SERVING, MANY,
	U64(run) U64(request) TEXT(cursor, 1024) BYTES(tools, 4194304)) /* one page: packed array of definitions */
MESSAGE(server_changed, GATEWAY, JUDGE, SERVING, MANY, U64(run))
MESSAGE(server_asks, GATEWAY, JUDGE, SERVING, MANY, U64(run) TEXT(method, 128) BYTES(id, 1024)) /* id: packed */
MESSAGE(server_alive, GATEWAY, JUDGE, SERVING, MANY, U64(run)) /* it answered the ping */
MESSAGE(server_silent, GATEWAY, JUDGE, SERVING, MANY, U64(run)) /* its output has ended; soon it should have, too */
MESSAGE(server_fault, GATEWAY, JUDGE, SERVING, MANY, U64(run) TEXT(what, 256))

/* ---- sandboxes ---- */

MESSAGE(sandbox_mount, JUDGE, LAUNCHER, SERVING, MANY,
	U64(sandbox) U8(writable) U8(workspace) TEXT(host, 4096) TEXT(at, 4096) TEXT(beneath, 4096)) /* before the start that they belong to; beneath: the folder that host may not lead out of, or empty */
MESSAGE(sandbox_start, JUDGE, LAUNCHER, SERVING, MANY,
	U64(sandbox) TEXT(name, 64) TEXT(workdir, 4096) LIST(command, 256, 65536) LIST(environment, 256, 65536))
MESSAGE(sandbox_started, LAUNCHER, JUDGE, SERVING, MANY,
	U64(sandbox) U32(pid) BYTES(code, 32) TEXT(layers, 1024) FD(input) FD(output)) /* code: the digest of what was started, as mounted */
MESSAGE(sandbox_failed, LAUNCHER, JUDGE, SERVING, MANY, U64(sandbox) TEXT(why, 512))
MESSAGE(sandbox_kill, JUDGE, LAUNCHER, SERVING, MANY, U64(sandbox))
MESSAGE(sandbox_ended, LAUNCHER, JUDGE, SERVING, MANY, U64(sandbox) TEXT(how, 128)) /* "exit status 1", "signal 9" */

/* ---- the record ---- */

MESSAGE(audit_append, JUDGE | INIT, AUDIT, SERVING, MANY,
	U64(token) TEXT(kind, 32) U8(durable) BYTES(fields, 65536) BYTES(arguments, 4194304)) /* packed object; canonical JSON. Token 0: no answer wanted */
MESSAGE(audit_appended, AUDIT, JUDGE | INIT, SERVING, MANY, U64(token) U64(entry))
MESSAGE(audit_failed, AUDIT, JUDGE | INIT, SERVING, MANY, U64(token) TEXT(why, 256))
MESSAGE(audit_state, AUDIT, INIT, SERVING, MANY,
	TEXT(why, 256) U64(since_us)) /* from when on nothing can be recorded, on the wall clock, and why; since 0: it can */

/* ---- the store ---- */

MESSAGE(store_run, JUDGE | CONSOLE, STORE, SERVING, MANY,
	U64(request) U32(statement) BYTES(values, 8388608)) /* of statements.tbl.h; packed array, one value for each that the table names */
MESSAGE(store_done, STORE, JUDGE | CONSOLE, SERVING, MANY,
	U64(request) U64(changes) BYTES(rows, 8388608)) /* it is on the disk; packed array of arrays */
MESSAGE(store_failed, STORE, JUDGE | CONSOLE, SERVING, MANY, U64(request) TEXT(why, 256)) /* nothing of it happened */
MESSAGE(store_backup, CONSOLE, STORE, SERVING, MANY, U64(request)) /* a copy of all of it, as it is at one moment */
MESSAGE(store_copied, STORE, CONSOLE, SERVING, MANY, U64(request) FD(copy)) /* open for reading, without a name any more; or store_failed */
MESSAGE(person_check, JUDGE, STORE, SERVING, MANY, U64(request) BYTES(secret, 256))
MESSAGE(person_set, JUDGE, STORE, SERVING, MANY, U64(request) U32(uid) BYTES(old, 256) BYTES(secret, 256)) /* old: empty when there is none */
MESSAGE(person_answer, STORE, JUDGE, SERVING, MANY,
	U64(request) U8(verdict) U64(wait_ms)) /* enum person_verdict; for LOCKED, and a WRONG that locks it, how long */

/* ---- people's decisions ---- */

/* The judge has the PIN checked and the decision recorded, and then has it done. */
MESSAGE(person_decide, CONSOLE, JUDGE, SERVING, MANY,
	U64(request) U32(uid) U32(pid) TEXT(id, 32) U8(approve) TEXT(reason, 512) BYTES(secret, 256))
MESSAGE(person_secret, CONSOLE, JUDGE, SERVING, MANY,
	U64(request) U32(uid) U32(pid) BYTES(old, 256) BYTES(secret, 256)) /* sets the PIN; old: empty when there is none */
/*
 * Of what a server offers and nobody has accepted yet, one tool's definition is accepted, if its digest is still this one. Tool empty: all that the server
 * offers, its code included, if this is still the SHA-256 over the canonical JSON of the rows of the statement pin_offered.
 */
MESSAGE(person_accept, CONSOLE, JUDGE, SERVING, MANY,
	U64(request) U32(uid) U32(pid) TEXT(server, 64) TEXT(tool, 256) BYTES(digest, 32) BYTES(secret, 256))
MESSAGE(person_done, JUDGE, CONSOLE, SERVING, MANY, U64(request) U8(status) TEXT(code, 32) TEXT(text, 1024) U64(entry))
MESSAGE(approval_news, JUDGE, CONSOLE, SERVING, MANY, TEXT(id, 32) TEXT(state, 16)) /* a record has come into that state */

/* ---- people: the control socket ---- */

MESSAGE(cli_session, CLI, CONSOLE, SERVING, ONCE,
	TEXT(agent, 64) TEXT(server, 64) TEXT(token, 128) FD(input) FD(output) FD(leash))
MESSAGE(cli_status, CLI, CONSOLE, SERVING, MANY, )
MESSAGE(cli_reload, CLI, CONSOLE, SERVING, MANY, )
MESSAGE(cli_shutdown, CLI, CONSOLE, SERVING, MANY, )
MESSAGE(cli_store, CLI, CONSOLE, SERVING, MANY, U32(statement) BYTES(values, 8192)) /* one that the console's role may run; it only reads */
MESSAGE(cli_rows, CONSOLE, CLI, SERVING, MANY, BYTES(rows, 8388608)) /* packed, as store_done has them; then cli_done */
MESSAGE(cli_backup, CLI, CONSOLE, SERVING, MANY, ) /* of the store; then cli_copied and cli_done */
MESSAGE(cli_copied, CONSOLE, CLI, SERVING, MANY, FD(copy))
MESSAGE(cli_decide, CLI, CONSOLE, SERVING, MANY, TEXT(id, 32) U8(approve) TEXT(reason, 512) BYTES(secret, 256))
MESSAGE(cli_secret, CLI, CONSOLE, SERVING, MANY, BYTES(old, 256) BYTES(secret, 256))
MESSAGE(cli_accept, CLI, CONSOLE, SERVING, MANY, TEXT(server, 64) TEXT(tool, 256) BYTES(digest, 32) BYTES(secret, 256)) /* as person_accept */
MESSAGE(cli_watch, CLI, CONSOLE, SERVING, ONCE, ) /* from now on, all news; the first, with an empty id, says that it watches */
MESSAGE(cli_news, CONSOLE, CLI, SERVING, MANY, TEXT(id, 32) TEXT(state, 16))
MESSAGE(cli_part, CONSOLE, CLI, SERVING, MANY, BYTES(json, 1048576)) /* members of one JSON object */
MESSAGE(cli_done, CONSOLE, CLI, SERVING, MANY, U8(status) TEXT(code, 32) TEXT(text, 65536) U64(entry))
MESSAGE(shutdown, CONSOLE, INIT, SERVING, MANY, )
MESSAGE(status_ask, CONSOLE, INIT | JUDGE, SERVING, MANY, U64(request))
MESSAGE(status_part, INIT | JUDGE, CONSOLE, SERVING, MANY, U64(request) BYTES(json, 1048576))
MESSAGE(sessions_count, JUDGE, INIT, SERVING, MANY, U32(sessions)) /* for a family that ends when idle */
