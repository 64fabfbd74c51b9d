#include "store/person.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

/* RFC 9106, section 4, the second recommended choice: 64 MiB, three passes. */
enum { PASSES = 3, MEMORY = 64 * 1024 * 1024, SECRET_MAX = 256 };

struct attempt {
	struct attempt *next;
	uint64_t request;
	bool sets;
	bool unheard; /* who asked is gone */
	uint32_t uid;
	char old[SECRET_MAX], secret[SECRET_MAX];
	size_t old_len, secret_len;
	/* For the thread, and from it. */
	char hash[crypto_pwhash_STRBYTES], new_hash[crypto_pwhash_STRBYTES];
	bool verify;
	enum person_verdict verdict;
	uint64_t locked_until; /* when it was wrong */
};

struct person {
	struct person_options options;
	struct attempt *first, **last; /* the first is the one that the thread has, when `running` */
	size_t count;
	int event_fd;
	struct event *finished;
	pthread_t thread;
	bool running;
};

static void start(struct person *p);

/* ---- the row ---- */

struct row {
	bool set;
	char hash[crypto_pwhash_STRBYTES];
	int64_t failures, locked_until;
};

static int read_row(sqlite3 *db, struct row *ret_row)
{
	sqlite3_stmt *s = NULL;
	int r = sqlite3_prepare_v2(db, "SELECT hash, failures, locked_until FROM person", -1, &s, NULL);

	*ret_row = (struct row){ 0 };
	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	if (r == SQLITE_ROW) {
		ret_row->set = true;
		snprintf(ret_row->hash, sizeof(ret_row->hash), "%s", (const char *)sqlite3_column_text(s, 0));
		ret_row->failures = sqlite3_column_int64(s, 1);
		ret_row->locked_until = sqlite3_column_int64(s, 2);
	}
	sqlite3_finalize(s);
	return r == SQLITE_ROW || r == SQLITE_DONE ? SQLITE_OK : r;
}

int person_is_set(sqlite3 *db, bool *ret_set)
{
	struct row row;

	if (read_row(db, &row) != SQLITE_OK)
		return -EIO;
	*ret_set = row.set;
	return 0;
}

/* A change of the row, on the disk when this returns. `text` is bound first when it is not NULL. */
static int write_row(struct person *p, const char *sql, const char *text, int64_t a, int64_t b)
{
	sqlite3_stmt *s = NULL;
	int r = p->options.before_write(p->options.ctx), at = 1;

	if (r == SQLITE_OK)
		r = sqlite3_prepare_v2(p->options.db, sql, -1, &s, NULL);
	if (r == SQLITE_OK && text)
		r = sqlite3_bind_text(s, at++, text, -1, SQLITE_STATIC);
	if (r == SQLITE_OK && sqlite3_bind_parameter_count(s) >= at)
		r = sqlite3_bind_int64(s, at++, a);
	if (r == SQLITE_OK && sqlite3_bind_parameter_count(s) >= at)
		r = sqlite3_bind_int64(s, at, b);
	if (r == SQLITE_OK)
		r = sqlite3_step(s);
	sqlite3_finalize(s);
	return r == SQLITE_DONE ? SQLITE_OK : r == SQLITE_ROW ? SQLITE_ERROR : r;
}

static int64_t lock_until(int64_t failures, int64_t now)
{
	int64_t seconds = PERSON_LOCK_FIRST_S;

	if (failures < PERSON_TRIES)
		return 0;
	for (int64_t i = PERSON_TRIES; i < failures && seconds < PERSON_LOCK_MOST_S; i++)
		seconds *= 2;
	return now + (seconds < PERSON_LOCK_MOST_S ? seconds : PERSON_LOCK_MOST_S) * 1000000;
}

/* ---- answers ---- */

static void finish(struct person *p, enum person_verdict verdict, uint64_t until)
{
	struct attempt *a = p->first;
	uint64_t request = a->request, now = clock_wall_us();
	bool unheard = a->unheard;

	p->first = a->next;
	if (!p->first)
		p->last = &p->first;
	p->count--;
	sodium_memzero(a, sizeof(*a));
	free(a);
	if (!unheard)
		p->options.answer(p->options.ctx, request, verdict, until > now ? (until - now) / 1000 : 0);
}

/* ---- the thread: nothing but hashing ---- */

static void *hash_thread(void *arg)
{
	struct person *p = arg;
	struct attempt *a = p->first;
	uint64_t one = 1;
	ssize_t n;

	a->verdict = PERSON_OK;
	if (a->verify) {
		const char *said = a->sets ? a->old : a->secret;

		if (crypto_pwhash_str_verify(a->hash, said, a->sets ? a->old_len : a->secret_len) != 0)
			a->verdict = PERSON_WRONG;
	}
	if (a->verdict == PERSON_OK && a->sets &&
	    crypto_pwhash_str_alg(a->new_hash, a->secret, a->secret_len, PASSES, MEMORY, crypto_pwhash_ALG_ARGON2ID13) != 0)
		a->verdict = PERSON_FAILED;
	do
		n = write(p->event_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	return NULL;
}

static void on_finished(evutil_socket_t fd, short what, void *arg)
{
	struct person *p = arg;
	struct attempt *a = p->first;
	uint64_t count;
	int r = SQLITE_OK;

	(void)what;
	if (read(fd, &count, sizeof(count)) < 0 || !p->running)
		return;
	pthread_join(p->thread, NULL);
	p->running = false;
	/* A right one is the end of counting; a wrong one has been counted already. */
	if (a->verdict == PERSON_OK && a->sets)
		r = write_row(p, "INSERT OR REPLACE INTO person (one, hash, set_at, set_by) VALUES (1, ?1, ?2, ?3)", a->new_hash,
			      (int64_t)clock_wall_us(), a->uid);
	else if (a->verdict == PERSON_OK)
		r = write_row(p, "UPDATE person SET failures = 0, locked_until = 0", NULL, 0, 0);
	if (r != SQLITE_OK)
		log_error("the PIN's row could not be written: %s", sqlite3_errstr(r));
	finish(p, r == SQLITE_OK ? a->verdict : PERSON_FAILED, a->verdict == PERSON_WRONG ? a->locked_until : 0);
	start(p);
}

/* ---- the queue ---- */

/* What can be said without hashing: true when it was said. Else the try is counted. */
static bool settled(struct person *p, struct attempt *a)
{
	int64_t now = (int64_t)clock_wall_us(), until;
	struct row row;
	int r = read_row(p->options.db, &row);

	if (r == SQLITE_OK && !row.set && (!a->sets || a->old_len)) {
		finish(p, PERSON_UNSET, 0);
		return true;
	}
	if (r == SQLITE_OK && row.set && row.locked_until > now) {
		finish(p, PERSON_LOCKED, (uint64_t)row.locked_until);
		return true;
	}
	if (r == SQLITE_OK && row.set) {
		until = lock_until(row.failures + 1, now);
		r = write_row(p, "UPDATE person SET failures = failures + 1, locked_until = ?1", NULL, until, 0);
		a->locked_until = (uint64_t)until;
		a->verify = true;
		memcpy(a->hash, row.hash, sizeof(a->hash));
	}
	if (r == SQLITE_OK)
		return false;
	log_error("the PIN could not be looked up: %s", sqlite3_errstr(r));
	finish(p, PERSON_FAILED, 0);
	return true;
}

static void start(struct person *p)
{
	while (p->first && !p->running) {
		sigset_t all, before;
		int r;

		if (settled(p, p->first))
			continue;
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		r = pthread_create(&p->thread, NULL, hash_thread, p);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
		if (r == 0)
			p->running = true;
		else
			finish(p, PERSON_FAILED, 0);
	}
}

static void add(struct person *p, struct attempt what, struct slice old, struct slice secret)
{
	struct attempt *a = p->count < PERSON_WAITING_MAX && old.len <= SECRET_MAX && secret.len <= SECRET_MAX ? malloc(sizeof(*a)) : NULL;

	if (!a) {
		p->options.answer(p->options.ctx, what.request, PERSON_FAILED, 0);
		return;
	}
	*a = what;
	a->old_len = old.len;
	a->secret_len = secret.len;
	if (old.len)
		memcpy(a->old, old.ptr, old.len);
	if (secret.len)
		memcpy(a->secret, secret.ptr, secret.len);
	*p->last = a;
	p->last = &a->next;
	p->count++;
	start(p);
}

void person_check(struct person *p, uint64_t request, struct slice secret)
{
	add(p, (struct attempt){ .request = request }, (struct slice){ 0 }, secret);
}

/* The one that is being hashed has been counted, and goes its way; of the others nothing has happened yet. */
void person_forget(struct person *p)
{
	struct attempt **at = &p->first;

	if (p->running) {
		p->first->unheard = true;
		at = &p->first->next;
	}
	while (*at) {
		struct attempt *a = *at;

		*at = a->next;
		p->count--;
		sodium_memzero(a, sizeof(*a));
		free(a);
	}
	p->last = at;
}

void person_set(struct person *p, uint64_t request, uint32_t uid, struct slice old, struct slice secret)
{
	if (person_is_weak(secret))
		p->options.answer(p->options.ctx, request, PERSON_WEAK, 0);
	else
		add(p, (struct attempt){ .request = request, .sets = true, .uid = uid }, old, secret);
}

bool person_is_weak(struct slice secret)
{
	int32_t first = 0, second = 0, before = 0;
	size_t at = 0, count = 0, different = 0;
	bool up = true, down = true;

	for (int32_t c; (c = utf8_next(secret, &at)) >= 0; before = c, count++) {
		if (count) {
			up = up && c == before + 1;
			down = down && c == before - 1;
		}
		if (different == 0) {
			first = c;
			different = 1;
		} else if (different == 1 && c != first) {
			second = c;
			different = 2;
		} else if (different == 2 && c != first && c != second) {
			different = 3;
		}
	}
	return at < secret.len || count < PERSON_SECRET_LEAST || different < 3 || up || down;
}

/* ---- beginning and end ---- */

struct person *person_new(const struct person_options *options)
{
	struct person *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->options = *options;
	p->last = &p->first;
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (p->event_fd >= 0)
		p->finished = event_new(options->loop, p->event_fd, EV_READ | EV_PERSIST, on_finished, p);
	if (!p->finished || event_add(p->finished, NULL) < 0) {
		person_free(p);
		return NULL;
	}
	return p;
}

void person_free(struct person *p)
{
	if (!p)
		return;
	if (p->running)
		pthread_join(p->thread, NULL);
	while (p->first) {
		struct attempt *a = p->first;

		p->first = a->next;
		sodium_memzero(a, sizeof(*a));
		free(a);
	}
	if (p->finished)
		event_free(p->finished);
	fd_close(&p->event_fd);
	free(p);
}
