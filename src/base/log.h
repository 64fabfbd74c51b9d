/*
 * The process's own log: one line to standard error for each event a person may need, escaped, with process and level.
 * It is not the audit log. Libraries never log; the process logs once, where it decides.
 */
#pragma once

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Names the process in each line, and sets the least urgent level that is written. `process` stays borrowed. */
void log_init(const char *process, enum log_level most);

/* Writes one line; control characters in the arguments are escaped, the line is cut at 1000 bytes. */
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
