#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/text.h"

static const char *log_process = "bawn";
static enum log_level log_most = LOG_INFO;

void log_init(const char *process, enum log_level most)
{
	log_process = process;
	log_most = most;
}

void log_write(enum log_level level, const char *format, ...)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	cleanup_buf struct buf line = BUF_INIT(4096);
	char text[1000];
	va_list args;
	int len;

	if (level > log_most)
		return;
	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0)
		return;
	if ((size_t)len >= sizeof(text))
		len = sizeof(text) - 1;
	if (buf_printf(&line, "bawn[%s] %s: ", log_process, names[level]) < 0 ||
	    text_escape(&line, slice_of(text, (size_t)len)) < 0 || buf_add_char(&line, '\n') < 0)
		return;
	/* One write, so that lines of several processes do not mix; a log nobody can take is dropped. */
	if (write(STDERR_FILENO, line.ptr, line.len) < 0)
		return;
}
