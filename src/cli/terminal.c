#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/io.h"

/* What could leave the terminal without echo: each is waited for, and raised again when the terminal is as it was. */
static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT };
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]), COLUMNS_OTHERWISE = 80 };

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

void secret_wipe(struct secret *secret)
{
	sodium_memzero(secret, sizeof(*secret));
}

int terminal_open(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* ---- signals ---- */

struct guard {
	sigset_t before;
	struct sigaction old[SIGNALS];
};

/* The signals wait, but for the moments in which they may be taken: nothing can come between a look at `caught` and the wait for a key. */
static void guard_begin(struct guard *g)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t ours;

	sigemptyset(&ours);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaddset(&ours, signals[i]);
	sigprocmask(SIG_BLOCK, &ours, &g->before);
	for (size_t i = 0; i < SIGNALS; i++) {
		sigaction(signals[i], NULL, &g->old[i]);
		if (g->old[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &action, NULL);
	}
	caught = 0;
}

static void guard_end(const struct guard *g)
{
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &g->old[i], NULL);
	sigprocmask(SIG_SETMASK, &g->before, NULL);
}

/* ---- the line ---- */

/* In the background this stops the process, until it is in the foreground. */
static int set_modes(int fd, const struct termios *modes)
{
	int r;

	do
		r = tcsetattr(fd, TCSAFLUSH, modes);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* One byte; 0 at the end of input, -EINTR for a signal. */
static int read_byte(int fd, const sigset_t *mask, char *ret_byte)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (caught || ppoll(&wait, 1, NULL, mask) < 0)
		return caught ? -EINTR : -errno;
	n = read(fd, ret_byte, 1);
	return n < 0 ? -errno : (int)n;
}

static int read_line(int fd, const sigset_t *mask, struct secret *secret)
{
	bool too_long = false;
	char byte;
	int r;

	while ((r = read_byte(fd, mask, &byte)) == 1 && byte != '\n') {
		if (secret->len < SECRET_MAX)
			secret->bytes[secret->len++] = byte;
		else
			too_long = true;
	}
	sodium_memzero(&byte, sizeof(byte));
	if (r == 0 || r == -EIO)
		return -ECANCELED;
	return r < 0 ? r : too_long ? -EMSGSIZE : 0;
}

static int ask_once(int fd, const struct termios *modes, const sigset_t *mask, const char *prompt, struct secret *secret)
{
	struct termios silent = *modes;
	int r, restored;

	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	silent.c_iflag |= ICRNL;
	r = set_modes(fd, &silent);
	if (r == 0)
		r = io_write_all(fd, prompt, strlen(prompt));
	if (r == 0)
		r = read_line(fd, mask, secret);
	restored = set_modes(fd, modes);
	if (restored == 0)
		(void)!write(fd, "\n", 1);
	return r < 0 ? r : restored;
}

int terminal_ask(int terminal, const char *prompt, struct secret *ret_secret)
{
	cleanup_secret struct secret secret = { .len = 0 };
	struct termios modes;
	struct guard guard;
	int r;

	prctl(PR_SET_DUMPABLE, 0);
	if (tcgetattr(terminal, &modes) < 0)
		return -errno;
	do {
		int number;

		secret_wipe(&secret);
		guard_begin(&guard);
		r = ask_once(terminal, &modes, &guard.before, prompt, &secret);
		number = caught;
		guard_end(&guard);
		if (number && number != SIGCONT)
			raise(number); /* ends or stops us; who comes back was continued, or lives with it */
	} while (r == -EINTR);
	if (r == 0)
		*ret_secret = secret;
	return r;
}

/* ---- its shape ---- */

unsigned terminal_columns(int fd)
{
	struct winsize size = { 0 };

	if (!isatty(fd))
		return 0;
	return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : COLUMNS_OTHERWISE;
}

static const char *locale(void)
{
	static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
	const char *name = NULL;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && (!name || !name[0]); i++)
		name = getenv(names[i]);
	return name ? name : "";
}

bool terminal_is_wide(void)
{
	return strncmp(locale(), "zh", 2) == 0 || strncmp(locale(), "ja", 2) == 0 || strncmp(locale(), "ko", 2) == 0;
}

bool terminal_is_utf8(void)
{
	const char *codeset = strchr(locale(), '.');

	return codeset && (strncasecmp(codeset, ".utf-8", 6) == 0 || strncasecmp(codeset, ".utf8", 5) == 0);
}
