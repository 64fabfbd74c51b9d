/*
 * The canonical text of a rule: everything in it that decides, and nothing else. A person's approval is bound to it, so that it
 * ends with the rule and outlives everything else in the file: the rule's place, the lines around it, the reasons beside it.
 */
#include <errno.h>

#include "parse/fields.h"
#include "policy/loader.h"

enum { TEXT_MOST = 16 * 1024 * 1024 };

static int write_text(struct arena *scratch, const struct rule *rule, struct buf *out)
{
	struct fields f = FIELDS_INIT(scratch);
	const char *tool = arena_printf(scratch, "%.*s.%.*s", SLICE_ARG(rule->server), SLICE_ARG(rule->tool));
	struct json object;

	if (!tool)
		return -ENOMEM;
	if (rule->limited)
		fields_json(&f, "args", *rule->args_source);
	fields_text(&f, "list", slice_str(rule_list_name(rule->list)));
	fields_text(&f, "tool", slice_str(tool));
	fields_u64(&f, "within", rule->within_s);
	object = fields_object(&f);
	return f.failed ? -ENOMEM : json_write(out, &object);
}

void load_rule_text(struct loader *l, struct rule *rule)
{
	cleanup_arena struct arena scratch = ARENA_INIT(65536);
	cleanup_buf struct buf text = BUF_INIT(TEXT_MOST);

	if (!rule_may_ask(rule))
		return;
	if (write_text(&scratch, rule, &text) == 0)
		rule->text = arena_copy(&l->policy->arena, buf_slice(&text));
	if (!rule->text.ptr)
		l->out_of_memory = true;
}
