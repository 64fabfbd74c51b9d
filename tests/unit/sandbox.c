/*
 * sandbox: what it shows and hides, how it ends, what it says when it cannot; the side log; the launcher's process. Attacks are
 * in tests/escape/.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "ipc/channel.h"
#include "launcher/main.h"
#include "launcher/sandbox.h"
#include "launcher/sandbox_fault.h"
#include "launcher/sandbox_filter.h"
#include "launcher/sandbox_users.h"
#include "launcher/side_log.h"

#include <event2/event.h>

static struct sandbox_maker *maker;
static char folder[] = "/tmp/bawn-sandbox-XXXXXX";
static char path_env[] = "PATH=/usr/bin:/bin";
static char *const plain_env[] = { path_env, NULL };
static char *const no_env[] = { NULL };

static int group_setup(void **state)
{
	struct sandbox_fault fault;

	(void)state;
	if (!mkdtemp(folder) || chmod(folder, 0755) < 0)
		return -1;
	if (sandbox_maker_new(&maker, &fault) == 0)
		return 0;
	print_error("%s\n", fault.text);
	return -1;
}

static int group_teardown(void **state)
{
	char command[] = "/bin/rm", all[] = "-rf";
	char *argv[] = { command, all, folder, NULL };
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		execv(command, argv);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	sandbox_maker_free(maker);
	return 0;
}

/* A file of the test's folder with this content; its path, valid until the next call. */
static const char *plant(const char *name, const char *content)
{
	static char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, content, strlen(content)), 0);
	close(fd);
	return path;
}

/* Reads both outputs to their ends, waits for the end of everything; the program's exit status. */
static int finish(struct sandbox *sandbox, struct buf *out, struct buf *err)
{
	struct pollfd wait[2] = { { .fd = sandbox->stdout_fd, .events = POLLIN }, { .fd = sandbox->stderr_fd, .events = POLLIN } };
	struct buf *into[2] = { out, err };
	struct pollfd ended = { .fd = sandbox->pidfd, .events = POLLIN };
	int status = -1;

	fd_close(&sandbox->stdin_fd);
	while (wait[0].fd >= 0 || wait[1].fd >= 0) {
		assert_true(poll(wait, 2, -1) >= 0 || errno == EINTR);
		for (int i = 0; i < 2; i++) {
			char chunk[4096];
			ssize_t n;

			if (wait[i].fd < 0 || !wait[i].revents)
				continue;
			n = read(wait[i].fd, chunk, sizeof(chunk));
			if (n > 0)
				buf_add(into[i], chunk, (size_t)n);
			else if (n == 0 || errno != EAGAIN)
				wait[i].fd = -1;
		}
	}
	while (poll(&ended, 1, -1) < 0)
		;
	assert_int_equal(sandbox_reap(maker, sandbox, &status), 0);
	sandbox_end(maker, sandbox);
	return status;
}

/* Runs a shell line in a sandbox with these mounts; what it printed is in `out`, NUL-terminated. */
static int run_line(const char *line, const struct sandbox_mount *mounts, size_t count, struct buf *out)
{
	char shell[] = "sh", c[] = "-c";
	char *argv[] = { shell, c, (char *)(uintptr_t)line, NULL };
	const struct sandbox_plan plan = { .name = "test", .argv = argv, .env = plain_env, .mounts = mounts, .mount_count = count };
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault = { 0 };
	int status;

	if (sandbox_start(maker, &plan, &sandbox, &fault) < 0)
		fail_msg("%s", fault.text);
	status = finish(&sandbox, out, out);
	assert_int_equal(buf_add_char(out, '\0'), 0);
	return status;
}

static void a_line_prints(const char *line, const char *expected)
{
	cleanup_buf struct buf out = BUF_INIT(65536);

	assert_int_equal(run_line(line, NULL, 0, &out), 0);
	assert_string_equal(out.ptr, expected);
}

static void this_machine_can_do_it(void **state)
{
	struct sandbox_fault fault = { 0 };

	(void)state;
	if (sandbox_probe(maker, &fault) < 0)
		fail_msg("%s", fault.text);
}

static void environment_name_and_user_are_exactly_the_plan(void **state)
{
	char line[128];

	(void)state;
	/* PWD is the shell's. */
	a_line_prints("env | sort", "PATH=/usr/bin:/bin\nPWD=/\n");
	a_line_prints("hostname; umask; ulimit -c", "bawn\n0022\n0\n");
	snprintf(line, sizeof(line), "%u\n", geteuid() ? geteuid() : SANDBOX_USER_AS_ROOT);
	a_line_prints("/usr/bin/id -u", line);
}

static void programs_people_use_run(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(65536);

	(void)state;
	assert_int_equal(run_line("cd /tmp && python3 -c 'print(6*7)' && git init -q r && cd r && echo a >a && git add a && "
				  "git -c user.name=a -c user.email=a@b commit -qm a && git log --oneline | wc -l && "
				  "echo 'int main(void){return 0;}' >c.c && gcc c.c -o c && ./c && echo compiled && "
				  "awk 'BEGIN{print 3}' && (sleep 0 & wait); echo end",
				  NULL, 0, &out),
			 0);
	assert_non_null(strstr(out.ptr, "42\n1\ncompiled\n3\n"));
	assert_non_null(strstr(out.ptr, "end\n"));
}

static void node_runs_with_threads_and_sockets(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(65536);
	int status;

	(void)state;
	if (access("/usr/bin/node", X_OK) < 0) {
		print_message("skipped: no /usr/bin/node\n");
		return;
	}
	status = run_line("node -e \"const n=require('net'),w=require('worker_threads');const "
			  "s=n.createServer(c=>c.end('hi')).listen(0,'127.0.0.1',()=>"
			  "n.connect(s.address().port,'127.0.0.1').on('data',d=>{console.log(''+d);s.close();new "
			  "w.Worker('console.log(7)',{eval:true})}))\"",
			  NULL, 0, &out);
	assert_string_equal(out.ptr, "hi\n7\n");
	assert_int_equal(status, 0);
}

static void mounts_show_what_they_say(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(65536);
	char file[300];
	struct sandbox_mount mounts[3] = {
		{ .host = folder, .at = "/work", .writable = true },
		{ .host = folder, .at = "/opt/deep/ro" },
		{ .host = file, .at = "/etc/one.conf" },
	};

	(void)state;
	snprintf(file, sizeof(file), "%s", plant("one.conf", "one\n"));
	assert_int_equal(
		run_line("cat /etc/one.conf; echo new >/work/new; cat /opt/deep/ro/new; echo x 2>&- >/opt/deep/ro/y || echo kept; "
			 "echo x 2>&- >/etc/one.conf || echo kept; ls /opt/deep",
			 mounts, 3, &out),
		0);
	assert_non_null(strstr(out.ptr, "one\nnew\n"));
	assert_non_null(strstr(out.ptr, "kept\n"));
	assert_non_null(strstr(out.ptr, "ro\n"));
	/* On the host the new file belongs to the folder's owner, whoever ran inside. */
	{
		struct stat st;
		char made[300];

		snprintf(made, sizeof(made), "%s/new", folder);
		assert_int_equal(stat(made, &st), 0);
		assert_int_equal(st.st_uid, geteuid());
		assert_int_equal(st.st_mode & 07777, 0644);
	}
}

static void a_mount_within_a_mount_leaves_no_trace(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(65536);
	char inner[300];
	struct sandbox_mount mounts[2] = { { .host = "/usr/bin", .at = "/work/inner" },
					   { .host = folder, .at = "/work", .writable = true } };
	char shell[] = "true";
	char *argv[] = { shell, NULL };
	const struct sandbox_plan plan = { .name = "test", .argv = argv, .env = no_env, .mounts = mounts, .mount_count = 2 };
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault = { 0 };

	(void)state;
	snprintf(inner, sizeof(inner), "%s/inner", folder);
	/* The place does not exist in the folder: refused, and not made. */
	assert_int_equal(sandbox_start(maker, &plan, &sandbox, &fault), -ENOENT);
	assert_non_null(strstr(fault.text, "/usr/bin cannot be shown at /work/inner: that does not exist"));
	assert_int_equal(access(inner, F_OK), -1);
	assert_int_equal(mkdir(inner, 0755), 0);
	assert_int_equal(run_line("ls /work/inner/env", mounts, 2, &out), 0);
	assert_int_equal(rmdir(inner), 0);
}

/* Whoever wrote in the workspace last could have put a link where something else is to be shown. */
static void a_mount_follows_no_link_inside(void **state)
{
	struct sandbox_mount mounts[2] = { { .host = "/usr/bin", .at = "/work/link" },
					   { .host = folder, .at = "/work", .writable = true } };
	char command[] = "true", link[300];
	char *argv[] = { command, NULL };
	const struct sandbox_plan plan = { .name = "test", .argv = argv, .env = no_env, .mounts = mounts, .mount_count = 2 };
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault = { 0 };

	(void)state;
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink("/tmp", link), 0);
	assert_int_equal(sandbox_start(maker, &plan, &sandbox, &fault), -ELOOP);
	assert_non_null(strstr(fault.text, "/usr/bin cannot be shown at /work/link: a part of that is a symbolic link inside"));
	assert_int_equal(unlink(link), 0);
}

/* Starts with these mounts and command, which must fail; the sentence. */
static const char *refusal(const char *command, const struct sandbox_mount *mount, const char *workdir, int expected)
{
	static struct sandbox_fault fault;
	char *argv[] = { (char *)(uintptr_t)command, NULL };
	const struct sandbox_plan plan = {
		.name = "test", .argv = argv, .env = no_env, .mounts = mount, .mount_count = mount ? 1 : 0, .workdir = workdir
	};
	struct sandbox sandbox = SANDBOX_NONE;

	fault = (struct sandbox_fault){ 0 };
	assert_int_equal(sandbox_start(maker, &plan, &sandbox, &fault), -expected);
	assert_int_equal(fault.error, expected);
	assert_int_equal(sandbox.pid, -1);
	return fault.text;
}

static void what_cannot_be_is_said_at_once(void **state)
{
	char path[300];

	(void)state;
	assert_string_equal(
		refusal("tickets-mcp", NULL, NULL, ENOENT),
		"command not found in the sandbox: tickets-mcp (it sees /usr, /bin and what the policy shows under files)");
	assert_non_null(
		strstr(refusal("/etc/passwd", NULL, NULL, EACCES), "cannot run /etc/passwd in the sandbox: Permission denied"));
	assert_non_null(strstr(refusal("true", NULL, "/nowhere", ENOENT), "cannot start in /nowhere"));
	assert_non_null(strstr(refusal("true", &(struct sandbox_mount){ "/no/such", "/work", false, false, NULL }, NULL, ENOENT),
			       "cannot open /no/such"));
	assert_non_null(strstr(refusal("true", &(struct sandbox_mount){ "/proc", "/work", false, false, NULL }, NULL, EPERM),
			       "file system of the kernel"));
	assert_non_null(
		strstr(refusal("true", &(struct sandbox_mount){ "/dev/null", "/work", false, false, NULL }, NULL, EPERM), "is a device"));
	assert_non_null(strstr(refusal("true", &(struct sandbox_mount){ "/", "/work", false, false, NULL }, NULL, EPERM), "whole machine"));
	assert_non_null(strstr(refusal("true", &(struct sandbox_mount){ "/usr", "/proc/x", false, false, NULL }, NULL, EINVAL),
			       "the sandbox has its own"));
	assert_non_null(
		strstr(refusal("true", &(struct sandbox_mount){ "/usr", "/a/../b", false, false, NULL }, NULL, EINVAL), "absolute paths"));
	assert_non_null(strstr(refusal("true", &(struct sandbox_mount){ folder, "/usr/bin/env", false, false, NULL }, NULL, ENOTDIR),
			       "one is a folder"));
	snprintf(path, sizeof(path), "%s", plant("script", "#!/no/interpreter\n"));
	assert_int_equal(chmod(path, 0755), 0);
	assert_non_null(
		strstr(refusal("/s", &(struct sandbox_mount){ path, "/s", false, false, NULL }, NULL, ENOENT), "the interpreter or loader"));
}

/* A link in the path is followed when it is ours; one that another user made would let him choose what is shown. */
static void a_strangers_link_is_not_followed(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(4096);
	char link[300];
	struct sandbox_mount mount = { .host = link, .at = "/work" };

	(void)state;
	snprintf(link, sizeof(link), "%s/link", folder);
	assert_int_equal(symlink("/usr/bin", link), 0);
	assert_int_equal(run_line("test -e /work/env && echo seen", &mount, 1, &out), 0);
	assert_string_equal(out.ptr, "seen\n");
	if (geteuid() == 0) {
		assert_int_equal(lchown(link, 65534, 65534), 0);
		assert_non_null(strstr(refusal("true", &mount, NULL, EPERM), "a symbolic link that another user made"));
	}
	assert_int_equal(unlink(link), 0);
}

/* A project's own links may go about inside it, and never out of it. */
static void a_project_stays_in_its_folder(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(4096);
	char inside[300], link[300], out_link[300];
	struct sandbox_mount mount = { .host = link, .at = "/work", .beneath = folder };

	(void)state;
	snprintf(inside, sizeof(inside), "%s/inside", folder);
	snprintf(link, sizeof(link), "%s/within", folder);
	snprintf(out_link, sizeof(out_link), "%s/without", folder);
	assert_int_equal(mkdir(inside, 0755), 0);
	assert_int_equal(symlink("inside", link), 0);
	assert_int_equal(symlink("/usr/bin", out_link), 0);
	assert_int_equal(run_line("test -d /work && echo seen", &mount, 1, &out), 0);
	assert_string_equal(out.ptr, "seen\n");
	mount.host = out_link;
	assert_non_null(strstr(refusal("true", &mount, NULL, EXDEV), "leads out of the project's folder"));
	mount.host = "/usr/bin";
	assert_non_null(strstr(refusal("true", &mount, NULL, EXDEV), "leads out of the project's folder"));
	assert_int_equal(unlink(link), 0);
	assert_int_equal(unlink(out_link), 0);
	assert_int_equal(rmdir(inside), 0);
}

static void ends_are_told_and_final(void **state)
{
	cleanup_buf struct buf out = BUF_INIT(4096);

	(void)state;
	assert_int_equal(run_line("exit 42", NULL, 0, &out), 42);
	assert_int_equal(run_line("kill -9 $$", NULL, 0, &out), 128 + SIGKILL);
	/* A daemon that has left its parent keeps the pipe open as long as it lives: that reading ends shows that it has ended. */
	assert_int_equal(run_line("setsid sleep 1000 & exit 3", NULL, 0, &out), 3);
}

static void killing_ends_everything(void **state)
{
	char sleep[] = "sleep", time[] = "1000";
	char *argv[] = { sleep, time, NULL };
	const struct sandbox_plan plan = { .name = "test", .argv = argv, .env = no_env };
	cleanup_buf struct buf out = BUF_INIT(4096);
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault;
	int status;

	(void)state;
	assert_int_equal(sandbox_start(maker, &plan, &sandbox, &fault), 0);
	assert_int_equal(sandbox_reap(maker, &sandbox, &status), -EAGAIN);
	sandbox_kill(&sandbox);
	assert_int_equal(finish(&sandbox, &out, &out), 128 + SIGKILL);
}

/* The launcher's own death, seen from outside: process 1 of the sandbox ends although nobody told it to. */
static void a_sandbox_dies_with_its_launcher(void **state)
{
	char sleep[] = "sleep", time[] = "1000", text[32] = "";
	char *argv[] = { sleep, time, NULL };
	const struct sandbox_plan plan = { .name = "test", .argv = argv, .env = no_env };
	struct sandbox sandbox = SANDBOX_NONE;
	struct sandbox_fault fault;
	cleanup_fd int pidfd = -1;
	int told[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe2(told, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (sandbox_start(maker, &plan, &sandbox, &fault) < 0)
			_exit(1);
		dprintf(told[1], "%d ", (int)sandbox.pid);
		for (;;)
			pause();
	}
	close(told[1]);
	assert_true(read(told[0], text, sizeof(text) - 1) > 0);
	close(told[0]);
	pidfd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(text, NULL, 10), 0);
	assert_true(pidfd >= 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(poll(&(struct pollfd){ .fd = pidfd, .events = POLLIN }, 1, 60000), 1);
}

/* ---- the filter's table ---- */

/* libseccomp knows newer calls than the table: those get ENOSYS, whatever they are. Below the table's newest there is no gap. */
static void every_system_call_is_decided(void **state)
{
	unsigned named = 0;
	int newest = 0;

	(void)state;
	for (int number = 1023; number >= 0; number--) {
		char *name = seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
		const char *reason;

		if (!name)
			continue;
		if (sandbox_filter_verdict(name, &reason) >= 0) {
			newest = newest ? newest : number;
			named++;
		} else if (newest) {
			fail_msg("%s (%d) is in no line of seccomp.tbl.h", name, number);
		}
		free(name);
	}
	assert_true(named > 250 && newest >= 450);
}

static void a_refusal_has_a_reason(void **state)
{
	static const char *const refused[] = { "ptrace",
					       "bpf",
					       "mount",
					       "umount2",
					       "setns",
					       "unshare",
					       "clone3",
					       "io_uring_setup",
					       "keyctl",
					       "kexec_load",
					       "userfaultfd",
					       "perf_event_open",
					       "process_vm_writev",
					       "open_by_handle_at",
					       "pidfd_getfd",
					       "pivot_root" };
	const char *reason;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_true(sandbox_filter_verdict(refused[i], &reason) > 0);
		assert_true(strlen(reason) > 5);
	}
}

/* Classic BPF, as far as the filters use it: what a program answers to a call. */
static uint32_t bpf_run(const struct sock_fprog *prog, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (unsigned pc = 0; pc < prog->len; pc++) {
		const struct sock_filter *i = &prog->filter[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + i->k, 4);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction %x", i->code);
		}
	}
	fail_msg("the program runs past its end");
	return 0;
}

static void answers_as_expected(const struct sock_fprog *prog, int number, const uint64_t args[6], bool local)
{
	struct seccomp_data data = { .nr = number, .arch = seccomp_arch_native() };
	int expected = sandbox_filter_expected(number, args, local);
	uint32_t answer;

	memcpy(data.args, args, sizeof(data.args));
	answer = bpf_run(prog, &data);
	if (answer != (expected ? SECCOMP_RET_ERRNO | (uint32_t)expected : SECCOMP_RET_ALLOW))
		fail_msg("call %d (%llx, %llx, %llx): %x instead of %d", number, (unsigned long long)args[0],
			 (unsigned long long)args[1], (unsigned long long)args[2], answer, expected);
}

/* Every value that the table mentions for this call, its neighbours, and each with high bits, in every argument at once. */
static void try_edges(const struct sock_fprog *prog, int number, bool local)
{
	uint64_t values[4][160];
	size_t counts[4];

	for (unsigned a = 0; a < 4; a++) {
		uint64_t edges[40];
		size_t count = sandbox_filter_edges(number, a, edges, 38);

		edges[count++] = 0;
		counts[a] = 0;
		for (size_t i = 0; i < count; i++) {
			bool seen = false;

			for (size_t j = 0; j < i; j++)
				seen = seen || edges[j] == edges[i];
			if (seen)
				continue;
			values[a][counts[a]++] = edges[i];
			values[a][counts[a]++] = edges[i] + 1;
			values[a][counts[a]++] = edges[i] | 0x100000000ULL;
			values[a][counts[a]++] = ~edges[i];
		}
	}
	for (size_t i = 0; i < counts[0]; i++)
		for (size_t j = 0; j < counts[1]; j++)
			for (size_t k = 0; k < counts[2]; k++)
				for (size_t l = 0; l < counts[3]; l++)
					answers_as_expected(prog, number,
							    (uint64_t[6]){ values[0][i], values[1][j], values[2][k], values[3][l] },
							    local);
}

static void the_program_is_the_table(void **state)
{
	(void)state;
	for (int local = 0; local < 2; local++) {
		struct sock_fprog prog;
		struct seccomp_data data = { .arch = seccomp_arch_native() };
		int newest = seccomp_syscall_resolve_name("set_mempolicy_home_node");

		assert_int_equal(sandbox_filter_program(local, &prog), 0);
		assert_true(prog.len < 1000);
		for (int number = 0; number <= newest; number++)
			try_edges(&prog, number, local);
		data.nr = newest + 1;
		assert_int_equal(bpf_run(&prog, &data), SECCOMP_RET_ERRNO | ENOSYS);
		data.nr = 0x3fffffff;
		assert_int_equal(bpf_run(&prog, &data), SECCOMP_RET_ERRNO | ENOSYS);
		data.nr = 0x40000000;
		assert_int_equal(bpf_run(&prog, &data), SECCOMP_RET_KILL_PROCESS);
		data.nr = -1;
		assert_int_equal(bpf_run(&prog, &data), SECCOMP_RET_KILL_PROCESS);
		data = (struct seccomp_data){ .arch = seccomp_arch_native() ^ 1 };
		assert_int_equal(bpf_run(&prog, &data), SECCOMP_RET_KILL_PROCESS);
		free(prog.filter);
	}
}

/* ---- what people are told ---- */

static void advice_names_the_setting(void **state)
{
	struct sandbox_facts facts = { .unprivileged_userns_clone = -1,
				       .apparmor_restrict_userns = -1,
				       .max_user_namespaces = 1000 };
	struct sandbox_facts ubuntu = facts, debian = facts, off = facts, container = facts;

	(void)state;
	ubuntu.apparmor_restrict_userns = 1;
	debian.unprivileged_userns_clone = 0;
	off.max_user_namespaces = 0;
	container.filtered = true;
	assert_non_null(
		strstr(sandbox_advice(SANDBOX_STAGE_USER, EPERM, &ubuntu), "kernel.apparmor_restrict_unprivileged_userns=0"));
	assert_non_null(
		strstr(sandbox_advice(SANDBOX_STAGE_MOUNT, EACCES, &ubuntu), "kernel.apparmor_restrict_unprivileged_userns=0"));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_CLONE, EPERM, &debian), "kernel.unprivileged_userns_clone=1"));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_CLONE, ENOSPC, &off), "user.max_user_namespaces="));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_CLONE, EPERM, &container), "seccomp=unconfined"));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_CLONE, ENOSYS, &container), "clone3"));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_PROC, EPERM, &facts), "systempaths=unconfined"));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_IDMAP, EINVAL, &facts), "idmapped"));
	assert_non_null(strstr(sandbox_advice(SANDBOX_STAGE_LANDLOCK, EOPNOTSUPP, &facts), "lsm="));
	assert_string_equal(sandbox_advice(SANDBOX_STAGE_EXEC, ENOENT, &facts), "");
}

static void a_sentence_is_always_printable_and_fits(void **state)
{
	struct sandbox_report report = { .stage = SANDBOX_STAGE_CLONE, .fault = { .error = EPERM } };
	struct sandbox_facts facts = { .apparmor_restrict_userns = 1 };
	struct sandbox_fault fault;

	(void)state;
	memset(report.fault.text, '\x1b', sizeof(report.fault.text));
	assert_int_equal(sandbox_fault_from(&report, &facts, &fault), -EPERM);
	assert_true(strlen(fault.text) < sizeof(fault.text));
	assert_null(strchr(fault.text, '\x1b'));
	assert_non_null(strstr(fault.text, "sysctl"));
}

/* ---- users ---- */

static void ranges_rotate_and_end(void **state)
{
	struct sandbox_users users = { .ranged = true };
	int first = sandbox_users_take(&users), second = sandbox_users_take(&users);

	(void)state;
	assert_true(first >= 0 && second >= 0 && first != second);
	sandbox_users_release(&users, first);
	/* Not at once again. */
	assert_int_not_equal(sandbox_users_take(&users), first);
	for (unsigned i = 2; i < SANDBOX_RANGES; i++)
		assert_true(sandbox_users_take(&users) >= 0);
	assert_int_equal(sandbox_users_take(&users), -EAGAIN);
	assert_true(sandbox_users_kernel((int)SANDBOX_RANGES - 1) < 0x7fffffffu);
}

/* ---- side log ---- */

static off_t size_of(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -1 : st.st_size;
}

static void the_side_log_is_bounded_and_keeps_the_newest(void **state)
{
	cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_buf struct buf text = BUF_INIT(1 << 20);
	struct side_log log;
	char line[64];

	(void)state;
	assert_int_equal(side_log_open(&log, dir, "../a b", 8192), 0);
	assert_string_equal(log.name, "___a_b.log");
	for (int i = 0; i < 5000; i++) {
		int len = snprintf(line, sizeof(line), "line %d\x1b\n", i);

		assert_int_equal(side_log_write(&log, line, (size_t)len), 0);
	}
	assert_true(size_of(dir, "___a_b.log") <= 4096 && size_of(dir, "___a_b.log.1") <= 4096);
	side_log_close(&log);
	assert_int_equal(io_read_file(dir, "___a_b.log", &text), 0);
	assert_int_equal(buf_add_char(&text, '\0'), 0);
	assert_non_null(strstr(text.ptr, "line 4999\x1b\n"));
	/* A next run goes on in the same file, within the same bound. */
	assert_int_equal(side_log_open(&log, dir, "../a b", 8192), 0);
	assert_true(log.used > 0);
	side_log_close(&log);
	assert_int_equal(side_log_open(&log, dir, "", 8192), -EINVAL);
}

static void the_side_log_follows_no_link(void **state)
{
	cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct side_log log;

	(void)state;
	assert_int_equal(symlinkat("/etc/passwd", dir, "linked.log"), 0);
	assert_int_equal(side_log_open(&log, dir, "linked", 8192), -ELOOP);
	assert_int_equal(mkfifoat(dir, "fifo.log", 0600), 0);
	assert_true(side_log_open(&log, dir, "fifo", 8192) < 0);
}

/* ---- the launcher's process, spoken to as init and the judge do ---- */

struct talk {
	struct event_base *loop;
	struct channel *init, *judge;
	bool ready;
	struct msg_sandbox_started started;
	int input, output;
	char failed[512], how[128];
	unsigned ended;
};

static void on_talk(void *ctx, struct channel *channel, struct message *m)
{
	struct talk *t = ctx;

	(void)channel;
	if (m->type == MSG_ready) {
		t->ready = true;
	} else if (m->type == MSG_fatal) {
		print_error("%.*s\n", SLICE_ARG(m->fatal.why));
	} else if (m->type == MSG_sandbox_started) {
		t->input = fd_take(&m->sandbox_started.input);
		t->output = fd_take(&m->sandbox_started.output);
	} else if (m->type == MSG_sandbox_failed) {
		snprintf(t->failed, sizeof(t->failed), "%.*s", SLICE_ARG(m->sandbox_failed.why));
	} else if (m->type == MSG_sandbox_ended) {
		snprintf(t->how, sizeof(t->how), "%.*s", SLICE_ARG(m->sandbox_ended.how));
		t->ended++;
	}
	event_base_loopbreak(t->loop);
}

static void on_talk_broken(void *ctx, struct channel *channel, const char *why)
{
	struct talk *t = ctx;

	print_error("%s: %s\n", process_name(channel_peer(channel)), why ? why : "closed");
	event_base_loopbreak(t->loop);
}

static void order(struct talk *t, uint64_t id, char *const *argv)
{
	cleanup_buf struct buf command = BUF_INIT(4096), environment = BUF_INIT(4096);
	struct msg_sandbox_mount mount = { .sandbox = id, .writable = 0, .host = slice_str(folder), .at = SLICE("/work") };
	struct msg_sandbox_start start = { .sandbox = id, .name = SLICE("server"), .workdir = SLICE("/work") };

	assert_int_equal(message_list_make(argv, &command, &start.command), 0);
	assert_int_equal(message_list_make(no_env, &environment, &start.environment), 0);
	assert_int_equal(channel_send(t->judge, MSG_sandbox_mount, &mount), 0);
	assert_int_equal(channel_send(t->judge, MSG_sandbox_start, &start), 0);
	event_base_dispatch(t->loop);
}

static pid_t launcher_spawn(int init_end)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		int dir = open(folder, O_RDONLY | O_DIRECTORY), channel = dup(init_end);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent || dir < 0 || channel < 0)
			_exit(100);
		/* Out of the way of the two places first. */
		dir = fcntl(dir, F_DUPFD, 20);
		channel = fcntl(channel, F_DUPFD, 20);
		dup2(channel, FD_INIT_CHANNEL);
		dup2(dir, FD_FIRST_EXTRA);
		close_range(FD_FIRST_EXTRA + 1, ~0u, 0);
		_exit(launcher_main());
	}
	return pid;
}

static void the_launcher_serves_the_judge(void **state)
{
	static const struct channel_ops ops = { on_talk, on_talk_broken };
	char cat[] = "sh", c[] = "-c", line[] = "echo noise >&2; cat; exit 5", none[] = "no-such-server";
	char *argv[] = { cat, c, line, NULL }, *missing[] = { none, NULL };
	struct talk t = { .loop = event_base_new(), .input = -1, .output = -1 };
	struct msg_peer peer = { .role = PROCESS_JUDGE };
	struct msg_stop stop;
	int init[2], judge[2], status;
	cleanup_buf struct buf text = BUF_INIT(4096);
	cleanup_fd int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, init), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, judge), 0);
	pid = launcher_spawn(init[1]);
	close(init[1]);
	assert_int_equal(channel_new(t.loop, init[0], PROCESS_INIT, PROCESS_LAUNCHER, &ops, &t, &t.init), 0);
	event_base_dispatch(t.loop);
	assert_true(t.ready);
	channel_set_phase(t.init, PHASE_SERVING);
	peer.channel = judge[1];
	assert_int_equal(channel_send(t.init, MSG_peer, &peer), 0);
	close(judge[1]);
	assert_int_equal(channel_new(t.loop, judge[0], PROCESS_JUDGE, PROCESS_LAUNCHER, &ops, &t, &t.judge), 0);
	channel_set_phase(t.judge, PHASE_SERVING);

	order(&t, 1, missing);
	assert_non_null(strstr(t.failed, "command not found in the sandbox: no-such-server"));
	order(&t, 2, argv);
	assert_true(t.input >= 0 && t.output >= 0);
	assert_int_equal(io_write_all(t.input, "hello", 5), 0);
	fd_close(&t.input);
	event_base_dispatch(t.loop);
	assert_int_equal(t.ended, 1);
	assert_string_equal(t.how, "exit status 5");
	assert_int_equal(io_read_all(t.output, &text), 0);
	assert_true(slice_eq(buf_slice(&text), SLICE("hello")));
	fd_close(&t.output);
	/* The noise went to the side log and nowhere else. */
	buf_clear(&text);
	assert_int_equal(io_read_file(dir, "server.log", &text), 0);
	assert_true(slice_eq(buf_slice(&text), SLICE("noise\n")));

	assert_int_equal(channel_send(t.init, MSG_stop, &stop), 0);
	channel_flush(t.init);
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	channel_free(t.judge);
	channel_free(t.init);
	event_base_free(t.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_machine_can_do_it),
		cmocka_unit_test(environment_name_and_user_are_exactly_the_plan),
		cmocka_unit_test(programs_people_use_run),
		cmocka_unit_test(node_runs_with_threads_and_sockets),
		cmocka_unit_test(mounts_show_what_they_say),
		cmocka_unit_test(a_mount_within_a_mount_leaves_no_trace),
		cmocka_unit_test(a_mount_follows_no_link_inside),
		cmocka_unit_test(what_cannot_be_is_said_at_once),
		cmocka_unit_test(a_strangers_link_is_not_followed),
		cmocka_unit_test(a_project_stays_in_its_folder),
		cmocka_unit_test(ends_are_told_and_final),
		cmocka_unit_test(killing_ends_everything),
		cmocka_unit_test(a_sandbox_dies_with_its_launcher),
		cmocka_unit_test(every_system_call_is_decided),
		cmocka_unit_test(a_refusal_has_a_reason),
		cmocka_unit_test(the_program_is_the_table),
		cmocka_unit_test(advice_names_the_setting),
		cmocka_unit_test(a_sentence_is_always_printable_and_fits),
		cmocka_unit_test(ranges_rotate_and_end),
		cmocka_unit_test(the_side_log_is_bounded_and_keeps_the_newest),
		cmocka_unit_test(the_side_log_follows_no_link),
		cmocka_unit_test(the_launcher_serves_the_judge),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
