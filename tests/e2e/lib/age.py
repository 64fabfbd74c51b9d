"""Makes an approval older, in the file of a store that nobody has open: age.py FILE ID SECONDS. Prints the new id.

What was asked is under the record's digest, times included, so the record is sealed anew, as docs/approvals.md says; a mistake in either program
shows as a damaged record. `age.py FILE ID damage` changes the arguments and seals nothing."""

import hashlib
import json
import sqlite3
import sys

file, wanted, what = sys.argv[1:]
database = sqlite3.connect(file)
database.row_factory = sqlite3.Row
row = dict(database.execute('SELECT * FROM approvals WHERE id = ?', (wanted,)).fetchone())


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


changed = {}
if what == 'damage':
    changed['arguments'] = row['arguments'].replace('x', 'y')
else:
    row['created'] -= int(what) * 1000000
    row['expires'] -= int(what) * 1000000
    subject = digest(canonical({'agent': row['agent'], 'arguments': digest(row['arguments']), 'effect': row['effect'], 'pin': row['pin'],
                                'rule': row['rule_digest'], 'server': row['server'], 'tool': row['tool']}))
    assert subject == row['subject'], 'the subject is another one than documented'
    names = ('agent', 'created', 'effect', 'expires', 'pin', 'rule', 'rule_digest', 'server', 'session', 'subject', 'tool', 'uid', 'why')
    changed = {'created': row['created'], 'expires': row['expires'], 'digest': digest(canonical({name: row[name] for name in names}))}
    changed['id'] = changed['digest'][:20]

(trigger,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'approvals_fixed'").fetchone()
database.execute('DROP TRIGGER approvals_fixed')
database.execute(f"UPDATE approvals SET {', '.join(f'{name} = ?' for name in changed)} WHERE id = ?", (*changed.values(), wanted))
database.execute(trigger)
database.commit()
print(changed.get('id', wanted))
