/*
 * mcp-ping: times tools/call round trips, one after the other, over one connection.
 *
 *   mcp-ping [-n CALLS] [-w WARM-UP] [-b BYTES] [-t TEXT] [-T TOOL] COMMAND [ARGUMENT...]   over the command's standard input and output
 *   mcp-ping [-n CALLS] [-w WARM-UP] [-b BYTES] [-t TEXT] [-T TOOL] -p PORT                 over streamable HTTP on 127.0.0.1, at /mcp
 *
 * BYTES is the size of the result that mcp-echo is asked for. Prints one JSON object: microseconds of the calls, and of the way from
 * the start to the first answer. A refused call, an error, or 30 s without an answer ends it with exit 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { ANSWER_MAX = 16 << 20, PATIENCE_MS = 30000 };

struct peer {
	int in, out; /* to write to, to read from; the same for HTTP */
	bool http;
	char session[256]; /* Mcp-Session-Id, once it is known */
	char *buf;
	size_t len;
	size_t line; /* where the line begins that has not been looked at */
	size_t scanned; /* bytes of it without a line feed */
	unsigned id;
	pid_t pid;
};

static void fail(const char *what, const char *detail)
{
	fprintf(stderr, "mcp-ping: %s%.400s\n", what, detail);
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail("write: ", strerror(errno));
		bytes += n;
		len -= (size_t)n;
	}
}

static void read_more(struct peer *p)
{
	struct pollfd ready = { .fd = p->out, .events = POLLIN };
	ssize_t n;

	if (p->len >= ANSWER_MAX - 1)
		fail("an answer without an end", "");
	if (poll(&ready, 1, PATIENCE_MS) <= 0)
		fail("no answer", "");
	n = read(p->out, p->buf + p->len, ANSWER_MAX - 1 - p->len);
	if (n <= 0)
		fail("the peer closed: ", n < 0 ? strerror(errno) : "end of file");
	p->len += (size_t)n;
	p->buf[p->len] = '\0';
}

/* Is this the answer to the last request? Stops for one that says that it failed. */
static bool is_answer(const struct peer *p, const char *text)
{
	char id[32];
	const char *at;

	snprintf(id, sizeof(id), "\"id\":%u", p->id);
	at = strstr(text, id);
	if (!at || (at[strlen(id)] >= '0' && at[strlen(id)] <= '9'))
		return false;
	if (strstr(text, "\"isError\":true") || strstr(text, "\"error\":{"))
		fail("refused: ", text);
	return true;
}

static void await_line(struct peer *p)
{
	for (;;) {
		char *end = memchr(p->buf + p->scanned, '\n', p->len - p->scanned);
		bool found;

		if (!end) {
			p->scanned = p->len;
			read_more(p);
			continue;
		}
		*end = '\0';
		found = is_answer(p, p->buf + p->line);
		p->line = p->scanned = (size_t)(end + 1 - p->buf);
		if (found)
			return;
	}
}

/* The whole of one HTTP response: by its length, or by its last chunk. */
static bool response_complete(const struct peer *p)
{
	const char *body = strstr(p->buf, "\r\n\r\n");
	const char *length;

	if (!body)
		return false;
	body += 4;
	length = strcasestr(p->buf, "\r\ncontent-length:");
	if (length && length < body)
		return p->len - (size_t)(body - p->buf) >= strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
	if (strncmp(p->buf, "HTTP/1.1 202", 12) == 0)
		return strcasestr(p->buf, "transfer-encoding: chunked") ? p->len >= 5 && strcmp(p->buf + p->len - 5, "0\r\n\r\n") == 0 : true;
	return p->len >= 7 && strcmp(p->buf + p->len - 5, "0\r\n\r\n") == 0;
}

static void await_response(struct peer *p, bool answer)
{
	const char *session;

	while (!response_complete(p))
		read_more(p);
	if (strncmp(p->buf, "HTTP/1.1 2", 10) != 0)
		fail("", p->buf);
	session = strcasestr(p->buf, "\r\nmcp-session-id: ");
	if (session && !p->session[0])
		snprintf(p->session, sizeof(p->session), "%.*s", (int)strcspn(session + 18, "\r"), session + 18);
	if (answer && !is_answer(p, p->buf))
		fail("another answer: ", p->buf);
}

static void send_message(struct peer *p, const char *message, bool answer)
{
	size_t len = strlen(message);
	char head[1024];
	int n;

	p->len = p->line = p->scanned = 0;
	p->buf[0] = '\0';
	if (!p->http) {
		write_all(p->in, message, len);
		if (answer)
			await_line(p);
		return;
	}
	n = snprintf(head, sizeof(head),
		     "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
		     "%s%s%sContent-Length: %zu\r\n\r\n",
		     p->session[0] ? "Mcp-Session-Id: " : "", p->session, p->session[0] ? "\r\n" : "", len);
	write_all(p->in, head, (size_t)n);
	write_all(p->in, message, len);
	await_response(p, answer);
}

static void request(struct peer *p, const char *method_and_params)
{
	static char message[1 << 20];

	snprintf(message, sizeof(message), "{\"jsonrpc\":\"2.0\",\"id\":%u,%s}\n", ++p->id, method_and_params);
	send_message(p, message, true);
}

static void open_command(struct peer *p, char **argv)
{
	int in[2], out[2], r;
	posix_spawn_file_actions_t actions;

	if (pipe(in) < 0 || pipe(out) < 0)
		fail("pipe: ", strerror(errno));
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	for (int i = 0; i < 2; i++) {
		posix_spawn_file_actions_addclose(&actions, in[i]);
		posix_spawn_file_actions_addclose(&actions, out[i]);
	}
	r = posix_spawnp(&p->pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		fail("cannot start: ", strerror(r));
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
}

static void open_http(struct peer *p, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	p->http = true;
	p->in = p->out = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(p->in, (struct sockaddr *)&to, sizeof(to)) < 0)
		fail("connect: ", strerror(errno));
	setsockopt(p->in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double part(const uint64_t *sorted, size_t n, double share)
{
	return (double)sorted[(size_t)((double)(n - 1) * share)] / 1000;
}

static void report(uint64_t *ns, size_t n, uint64_t start_ns, uint64_t first_ns)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (double)ns[i] / 1000;
	qsort(ns, n, sizeof(*ns), by_size);
	printf("{\"calls\":%zu,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f,\"initialized\":%.1f,\"first\":%.1f}\n", n,
	       sum / (double)n, part(ns, n, 0.5), part(ns, n, 0.9), part(ns, n, 0.99), part(ns, n, 0.999), part(ns, n, 1), (double)start_ns / 1000,
	       (double)first_ns / 1000);
}

int main(int argc, char **argv)
{
	struct peer p = { .buf = malloc(ANSWER_MAX) };
	size_t calls = 5000, warm_up = 500;
	const char *port = NULL, *bytes = "0", *text = "hello", *tool = "echo";
	static char call[1 << 19];
	uint64_t *ns, begin, initialized, first = 0;

	for (int c; (c = getopt(argc, argv, "+n:w:b:t:T:p:")) != -1;) {
		switch (c) {
		case 'n': calls = strtoul(optarg, NULL, 10); break;
		case 'w': warm_up = strtoul(optarg, NULL, 10); break;
		case 'b': bytes = optarg; break;
		case 't': text = optarg; break;
		case 'T': tool = optarg; break;
		case 'p': port = optarg; break;
		default: return 2;
		}
	}
	ns = calloc(calls ? calls : 1, sizeof(*ns));
	if (!ns || !p.buf || calls == 0 || (!port && optind == argc))
		return 2;
	signal(SIGPIPE, SIG_IGN);
	begin = now_ns();
	if (port)
		open_http(&p, port);
	else
		open_command(&p, argv + optind);
	request(&p, "\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},"
		    "\"clientInfo\":{\"name\":\"mcp-ping\",\"version\":\"1\"}}");
	initialized = now_ns() - begin;
	send_message(&p, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n", false);
	snprintf(call, sizeof(call), "\"method\":\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":{\"text\":\"%s\",\"bytes\":%s}}", tool, text, bytes);
	for (size_t i = 0; i < warm_up + calls; i++) {
		uint64_t start = now_ns();

		request(&p, call);
		if (i == 0)
			first = now_ns() - begin;
		if (i >= warm_up)
			ns[i - warm_up] = now_ns() - start;
	}
	report(ns, calls, initialized, first);
	close(p.in);
	if (p.pid)
		waitpid(p.pid, NULL, 0);
	free(ns);
	free(p.buf);
	return 0;
}
