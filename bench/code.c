/*
 * code PROGRAM FOLDER FILE: how long reading a server's code holds up its start: `PROGRAM --version FOLDER/FILE` with the folder shown read-only,
 * at its first start from a launcher and at later ones, until the program's first instruction; beside the same with nothing but /bin/true, and beside
 * sha256sum over the same files.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "launcher/sandbox.h"

static struct sandbox_maker *maker;
static char *const no_env[] = { NULL };

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "code: %s: %s\n", what, why);
	exit(1);
}

static double start_ms(const struct sandbox_plan *plan)
{
	uint64_t begin = clock_monotonic_ns();
	struct sandbox sandbox;
	struct sandbox_fault fault;
	double ms;

	if (sandbox_start(maker, plan, &sandbox, &fault) < 0)
		fail("sandbox", fault.text);
	ms = (double)(clock_monotonic_ns() - begin) / 1e6;
	sandbox_end(maker, &sandbox);
	return ms;
}

static double sums_ms(const char *program, const char *folder)
{
	static const char line[] = "sha256sum < \"$1\" > /dev/null; find \"$2\" -type f -print0 | sort -z | xargs -0 sha256sum > /dev/null";
	uint64_t begin = clock_monotonic_ns();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", line, "sh", program, folder, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status)
		fail("sha256sum", "did not end well");
	return (double)(clock_monotonic_ns() - begin) / 1e6;
}

int main(int argc, char **argv)
{
	char entry[4096], version[] = "--version", nothing[] = "true";
	char *command[] = { argc > 1 ? argv[1] : NULL, version, entry, NULL }, *none[] = { nothing, NULL };
	struct sandbox_mount mount = { .host = argc > 2 ? argv[2] : NULL, .at = "/opt/code" };
	struct sandbox_plan plan = { .name = "bench", .argv = command, .env = no_env, .mounts = &mount, .mount_count = 1 };
	struct sandbox_plan empty = { .name = "bench", .argv = none, .env = no_env };
	struct sandbox_fault fault;
	double sums, first, later = 0, plain = 0;

	if (argc != 4)
		fail("usage", "code PROGRAM FOLDER FILE");
	if (sandbox_maker_new(&maker, &fault) < 0)
		fail("sandbox", fault.text);
	snprintf(entry, sizeof(entry), "/opt/code/%s", argv[3]);
	sums = sums_ms(argv[1], argv[2]); /* so that all of it is in memory */
	start_ms(&empty);
	first = start_ms(&plan);
	for (int i = 0; i < 20; i++) {
		later += start_ms(&plan) / 20;
		plain += start_ms(&empty) / 20;
	}
	printf("start of a sandbox until its program's first instruction, ms\n");
	printf("  %-46s %8.1f\n  %-46s %8.1f\n  %-46s %8.1f\n  %-46s %8.1f\n", "/bin/true", plain, "the program and its folder, first start", first,
	       "the program and its folder, later starts", later, "sha256sum over the same files", sums);
	sandbox_maker_free(maker);
	return 0;
}
