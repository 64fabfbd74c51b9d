"""Fills the store of a family that has ended with copies of one approval: approvals-fill.py FILE ID STATE COUNT PREFIX.

Each copy is sealed as Bawn seals it, for a call with {"text": PREFIX + number}."""

import hashlib
import json
import sqlite3
import sys

file, wanted, state, count, prefix = sys.argv[1:]
database = sqlite3.connect(file)
database.row_factory = sqlite3.Row
row = dict(database.execute('SELECT * FROM approvals WHERE id = ?', (wanted,)).fetchone())
act = {name: row[name] for name in ('agent', 'effect', 'pin', 'server', 'tool')} | {'rule': row['rule_digest']}
sealed = ('agent', 'created', 'effect', 'expires', 'pin', 'rule', 'rule_digest', 'server', 'session', 'tool', 'uid', 'why')


def digest(value):
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(',', ':'), ensure_ascii=False).encode()).hexdigest()


def copies():
    for i in range(int(count)):
        arguments = {'text': f'{prefix}{i}'}
        copy = dict(row, arguments=json.dumps(arguments, separators=(',', ':')), created=row['created'] + i, state=state)
        copy['subject'] = digest(act | {'arguments': digest(arguments)})
        copy['digest'] = digest({name: copy[name] for name in sealed} | {'subject': copy['subject']})
        copy['id'] = copy['digest'][:20]
        yield tuple(copy.values())


triggers = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
for name, _ in triggers:
    database.execute(f'DROP TRIGGER {name}')
database.executemany(f"INSERT INTO approvals ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", copies())
for _, sql in triggers:
    database.execute(sql)
database.commit()
