/* What init reads for the judge: the policy file, whether it is trusted, and the agents' token hashes. It parses none of it. */
#pragma once

#include "base/buf.h"
#include "init/init.h"

enum { POLICY_FILE_MAX = 1048576 };

/* The policy's bytes, when they may be used. 0; else -errno with a printable reason in `why`. */
int policy_file_read(const struct init_options *options, struct buf *out, char why[512]);

/* Are these bytes the policy that a person has accepted? Also when it needs no acceptance. */
bool policy_file_trusted(const struct init_options *options, struct slice yaml);

/* Calls `found` for each agent that has a token, with its SHA-256. 0 or -errno. */
int policy_file_tokens(const struct init_options *options, void (*found)(void *ctx, const char *agent, const unsigned char hash[32]), void *ctx);
