/*
 * The command line: every option, and every command with the options that it takes. This table makes the parser and the help (cli.c), and the manual
 * pages are tested against it.
 *
 * OPTION(name, value, what): `value` names the option's value for people, "" for a flag.
 * COMMAND(name, operands, most operands, what, options)
 */

#ifdef OPTION
OPTION(help, "", "show this help")
OPTION(json, "", "print JSON")
OPTION(policy, "FILE", "the policy; else the user's bawn.yaml, else the project's")
OPTION(project, "", "as a project's: to be trusted, kept in its folder")
OPTION(agent, "NAME", "the agent; `bawn mcp` needs no name if there is only one")
OPTION(server, "NAME", "the MCP server; not needed if the agent may use only one")
OPTION(token_file, "FILE", "the file with the agent's token")
OPTION(replace, "", "in place of the token that the agent has")
OPTION(linger, "SECONDS", "end after so long without a session (default: never)")
OPTION(ready_fd, "FD", "write \"ok\" or the reason there once it is known")
OPTION(session, "N", "only this session")
OPTION(kind, "KIND", "only entries of this kind, or of kinds that begin so")
OPTION(tool, "NAME", "only calls of this tool")
OPTION(since, "N", "from entry N on")
OPTION(limit, "N", "at most the newest N")
OPTION(all, "", "also those that have come to their end")
OPTION(reason, "TEXT", "why, for the agent and for the record")
OPTION(key, "FILE", "verify with this public key instead of the log's own")
#endif

#ifdef COMMAND
COMMAND(check, "[FILE]", 1, "is a policy valid, and what in it is wide?", OPT(policy) OPT(json))
COMMAND(serve, "", 0, "run the family of a policy in the foreground", OPT(policy) OPT(project) OPT(linger) OPT(ready_fd))
COMMAND(mcp, "", 0, "be an MCP server on standard input and output", OPT(policy) OPT(agent) OPT(server) OPT(token_file))
COMMAND(audit, "list|show N|verify", 2, "read the record; prove it was not changed",
	OPT(policy) OPT(json) OPT(agent) OPT(session) OPT(kind) OPT(tool) OPT(since) OPT(limit) OPT(key))
COMMAND(approvals, "list|show ID|watch|approve ID|reject ID|pin", 2, "see and decide the calls that wait for a person",
	OPT(policy) OPT(json) OPT(all) OPT(limit) OPT(reason))
COMMAND(pins, "list|show SERVER [TOOL]|accept SERVER [TOOL]", 3, "see what servers offer now, and accept what has changed", OPT(policy) OPT(json))
COMMAND(status, "", 0, "show what runs, and what confines it", OPT(policy) OPT(json))
COMMAND(reload, "", 0, "take up the changed policy, whole or not at all", OPT(policy))
COMMAND(shutdown, "", 0, "end the family of a policy", OPT(policy))
COMMAND(backup, "DIR", 1, "copy all that is kept, also while the family runs", OPT(policy))
COMMAND(restore, "DIR", 1, "put a backup in place; what was there is kept aside", OPT(policy))
COMMAND(trust, "[FILE]", 1, "accept a project's policy as it is now", OPT(policy))
COMMAND(agent, "new NAME", 2, "make an agent's token", OPT(policy) OPT(token_file) OPT(replace))
#endif
