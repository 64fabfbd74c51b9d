#include "parse/format_check.h"

static bool leap_year(unsigned year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static bool take_date(struct cursor *c)
{
	static const unsigned days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	unsigned year, month, day;

	if (!cursor_number(c, 4, &year) || !cursor_take(c, '-') || !cursor_number(c, 2, &month) || !cursor_take(c, '-') ||
	    !cursor_number(c, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1)
		return false;
	return day <= days[month - 1] + (month == 2 && leap_year(year) ? 1 : 0);
}

/* "Z", or a sign with hours and minutes; *ret_minutes is what UTC lacks. */
static bool take_offset(struct cursor *c, int *ret_minutes)
{
	unsigned hours, minutes;
	bool plus;

	*ret_minutes = 0;
	if (cursor_take(c, 'Z') || cursor_take(c, 'z'))
		return true;
	plus = cursor_take(c, '+');
	if (!plus && !cursor_take(c, '-'))
		return false;
	if (!cursor_number(c, 2, &hours) || !cursor_take(c, ':') || !cursor_number(c, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_minutes = (int)(hours * 60 + minutes) * (plus ? 1 : -1);
	return true;
}

static bool take_time(struct cursor *c)
{
	unsigned hour, minute, second;
	int offset, utc;

	if (!cursor_number(c, 2, &hour) || !cursor_take(c, ':') || !cursor_number(c, 2, &minute) || !cursor_take(c, ':') ||
	    !cursor_number(c, 2, &second))
		return false;
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	if (cursor_take(c, '.')) {
		if (!ascii_digit(cursor_peek(c, 0)))
			return false;
		while (ascii_digit(cursor_peek(c, 0)))
			c->at++;
	}
	if (!take_offset(c, &offset))
		return false;
	utc = ((int)(hour * 60 + minute) - offset + 2 * 1440) % 1440;
	return second < 60 || utc == 1439;
}

bool format_date(struct slice s)
{
	struct cursor c = { .s = s };

	return take_date(&c) && !cursor_more(&c);
}

bool format_time(struct slice s)
{
	struct cursor c = { .s = s };

	return take_time(&c) && !cursor_more(&c);
}

bool format_date_time(struct slice s)
{
	struct cursor c = { .s = s };

	return take_date(&c) && (cursor_take(&c, 'T') || cursor_take(&c, 't')) && take_time(&c) && !cursor_more(&c);
}

/*
 * Parts with these units, each after the one before without a gap (RFC 3339 lets years and days meet only with months between).
 * False when there is a number without a unit; *ret_parts counts them.
 */
static bool take_parts(struct cursor *c, const char *units, unsigned *ret_parts)
{
	const char *expected = NULL;

	*ret_parts = 0;
	while (ascii_digit(cursor_peek(c, 0))) {
		const char *unit;

		while (ascii_digit(cursor_peek(c, 0)))
			c->at++;
		unit = cursor_peek(c, 0) ? strchr(units, cursor_peek(c, 0)) : NULL;
		if (!unit || (expected && unit != expected))
			return false;
		expected = unit + 1;
		c->at++;
		++*ret_parts;
	}
	return true;
}

bool format_duration(struct slice s)
{
	struct cursor c = { .s = s };
	unsigned dates, times = 0;

	if (!cursor_take(&c, 'P'))
		return false;
	if (s.len > 2 && s.ptr[s.len - 1] == 'W')
		return take_parts(&c, "W", &dates) && dates == 1 && !cursor_more(&c);
	if (!take_parts(&c, "YMD", &dates))
		return false;
	if (cursor_take(&c, 'T') && (!take_parts(&c, "HMS", &times) || times == 0))
		return false;
	return dates + times > 0 && !cursor_more(&c);
}
