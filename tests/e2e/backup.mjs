// bawn backup and bawn restore: from a family under load, without one, and everything that can be wrong with either. A refused restore changes nothing.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {spawn, spawnSync} from 'node:child_process';
import {facts, houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, bawn, eventually, isRoot} from './lib/house.mjs';

const oneLine = /^bawn: [^\n]+\n$/;

function writingPolicy(house) {
	return {...oddPolicy()(house), tools: facts('odd', 'write')};
}

/** The policy's own folder of the state. */
function stateOf(house) {
	const states = house.path('state/bawn');
	return path.join(states, fs.readdirSync(states).find((name) => /^[0-9a-f]{16}$/.test(name)));
}

/** Every file below a folder with the digest of its content. */
function tree(folder) {
	const found = {};
	for (const name of fs.readdirSync(folder, {recursive: true}).sort()) {
		const file = path.join(folder, name);
		if (fs.statSync(file).isFile())
			found[name] = crypto.createHash('sha256').update(fs.readFileSync(file)).digest('hex');
	}
	return found;
}

/** Python's own SQLite, while no family runs. */
function sql(file, statement) {
	const script = `import json, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
rows = c.execute(sys.argv[2]).fetchall() if sys.argv[2].startswith('SELECT') else c.executescript(sys.argv[2]).fetchall()
c.commit()
c.close()
print(json.dumps(rows))`;
	const done = spawnSync('python3', ['-c', script, file, statement], {encoding: 'utf8'});
	assert.equal(done.status, 0, done.stderr);
	return JSON.parse(done.stdout);
}

function approval(id) {
	return `INSERT INTO approvals (id, digest, subject, agent, session, uid, server, tool, pin, effect, rule, rule_digest, arguments, created, expires, asked, why, state)
		VALUES ('${id}', '${id}', '${id}', 'dev', 1, 0, 'odd', 'echo', 'p', 'write', 'r', 'd', '{}', 1, 9000000000000000, NULL, 'w', 'pending');`;
}

/** A house with a record, a store with an approval in each state, and a backup of it, without a family. */
async function backedUp(house) {
	const server = await house.serve();
	const client = await house.openRaw('dev', 'odd');
	for (let i = 0; i < 5; i++)
		assertGranted((await client.call('echo', {text: 'x'})).result);
	await client.end();
	await house.ok(['shutdown']);
	await server.closed;
	await house.ok(['agent', 'new', 'dev']);
	const state = stateOf(house);
	sql(path.join(state, 'store/store.db'), ['waiting', 'granted', 'used'].map(approval).join('') +
		"UPDATE approvals SET state = 'approved' WHERE id IN ('granted', 'used'); UPDATE approvals SET state = 'consumed', intent = 1 WHERE id = 'used';");
	const backup = house.path('backup');
	await house.ok(['backup', backup]);
	return {state, backup};
}

houseTest('backup and restore without a family: all of it is back, nothing runs twice, and it is on the record', writingPolicy, async (house) => {
	const {state, backup} = await backedUp(house);
	assert.equal(fs.statSync(backup).mode & 0o777, 0o700);
	const manifest = JSON.parse(fs.readFileSync(path.join(backup, 'manifest.json'), 'utf8'));
	assert.equal(manifest.format, 1);
	assert.equal(manifest.policy, house.policy);
	for (const {path: name, bytes, sha256} of manifest.files) {
		const content = fs.readFileSync(path.join(backup, name));
		assert.deepEqual([content.length, crypto.createHash('sha256').update(content).digest('hex')], [bytes, sha256], name);
		assert.equal(fs.statSync(path.join(backup, name)).mode & 0o022, 0, name);
	}
	const names = manifest.files.map((file) => file.path);
	for (const name of ['audit/checkpoint', 'audit/checkpoints', 'audit/key', 'audit/key.pub', 'audit/log', 'store/store.db', 'agents/dev.token', 'agents/dev.sha256'])
		assert.ok(names.includes(name), name);
	const token = fs.readFileSync(path.join(state, 'agents/dev.token'), 'utf8');
	const entries = await house.entries();
	assert.equal(manifest.entries, entries.length);
	// What comes after the backup is what is lost, and kept aside.
	await house.ok(['agent', 'new', 'dev', '--replace']);
	sql(path.join(state, 'store/store.db'), approval('later'));
	const before = tree(state);
	const restored = await house.ok(['restore', backup]);
	assert.match(restored.stdout, /1 approval that had not been used is withdrawn/);
	assert.equal(fs.readFileSync(path.join(state, 'agents/dev.token'), 'utf8'), token);
	assert.deepEqual(sql(path.join(state, 'store/store.db'), 'SELECT id, state, reason FROM approvals ORDER BY id'), [
		['granted', 'withdrawn', 'restored from a backup'], ['used', 'consumed', null], ['waiting', 'pending', null]]);
	const after = await house.entries();
	assert.deepEqual(after.slice(0, entries.length), entries);
	assert.deepEqual(after.slice(entries.length).map(({kind, approval: id, withdrawn, entries: count}) => ({kind, id, withdrawn, count})), [
		{kind: 'state.restored', id: undefined, withdrawn: 1, count: entries.length},
		{kind: 'approval.withdrawn', id: 'granted', withdrawn: undefined, count: undefined}]);
	await house.ok(['audit', 'verify']);
	const aside = fs.readdirSync(house.path('state/bawn')).filter((name) => name.includes('.before-'));
	assert.equal(aside.length, 1);
	assert.ok(restored.stdout.includes(aside[0]));
	assert.deepEqual(tree(house.path('state/bawn', aside[0])), before);
	assert.ok(!fs.existsSync(path.join(state, 'restoring')));
	// And a family goes on from there.
	await house.serve();
	const client = await house.openRaw('dev', 'odd');
	assertGranted((await client.call('echo', {text: 'back'})).result, 'back');
	await house.ok(['audit', 'verify']);
});

houseTest('backup: of a family under load, as it is at one moment', writingPolicy, async (house) => {
	await house.serve();
	await house.ok(['agent', 'new', 'dev']);
	const acknowledged = [];
	const clients = await Promise.all([1, 2, 3].map(() => house.openRaw('dev', 'odd')));
	let stop = false;
	const load = clients.map(async (client) => {
		while (!stop)
			acknowledged.push(assertGranted((await client.call('echo', {text: 'x'.repeat(500)})).result));
	});
	for (let round = 0; round < 5; round++) {
		const known = acknowledged.length;
		await eventually(() => acknowledged.length > known + 20, 'some calls');
		const sure = acknowledged.slice();
		const backup = house.path(`backup${round}`);
		await house.ok(['backup', backup]);
		const manifest = JSON.parse(fs.readFileSync(path.join(backup, 'manifest.json'), 'utf8'));
		assert.ok(manifest.entries >= Math.max(...sure), `entry ${Math.max(...sure)} was acknowledged, the backup has ${manifest.entries}`);
		assert.deepEqual(fs.readdirSync(path.join(stateOf(house), 'store')).filter((name) => name.startsWith('backup')), []);
	}
	// Two at once: one of them may be told so, and neither is half a backup.
	const both = await Promise.all(['left', 'right'].map((name) => house.run(['backup', house.path(name)])));
	assert.ok(both.some(({code}) => code === 0));
	for (const {code, stderr} of both)
		assert.ok(code === 0 || /under way already/.test(stderr), stderr);
	stop = true;
	await Promise.all(load);
	assert.match((await house.run(['restore', house.path('backup4')])).stderr, /is running: end it with `bawn shutdown` first/);
	for (const client of clients)
		await client.end();
	await house.ok(['shutdown']);
	await house.ok(['restore', house.path('backup4')]);
	await house.ok(['audit', 'verify']);
	const manifest = JSON.parse(fs.readFileSync(house.path('backup4/manifest.json'), 'utf8'));
	assert.equal((await house.entries()).length, manifest.entries + 1);
	await house.serve();
});

houseTest('backup: where it cannot go, and what there is none of', writingPolicy, async (house) => {
	assert.match((await house.run(['backup', house.path('early')])).stderr, /^bawn: nothing is kept for /);
	const {backup} = await backedUp(house);
	fs.writeFileSync(house.path('file'), 'x');
	fs.mkdirSync(house.path('full/within'), {recursive: true});
	const wrong = {[backup]: /is not empty/, [house.path('full')]: /is not empty/, [house.path('file')]: /is no folder/, [house.path('none/below')]: /cannot make/, '': /usage/};
	for (const [where, says] of Object.entries(wrong)) {
		const done = await house.run(['backup', where]);
		assert.ok(done.code === 1 || done.code === 2, where);
		assert.match(done.stderr, oneLine);
		assert.match(done.stderr, says);
	}
	assert.deepEqual(fs.readdirSync(house.path('full')), ['within']);
	// In the state folder it would be moved aside by the restore that needs it.
	const state = path.join(house.path('state/bawn'), fs.readdirSync(house.path('state/bawn')).find((name) => /^[0-9a-f]{16}$/.test(name)));
	const within = await house.run(['backup', path.join(state, 'audit/backup')]);
	assert.deepEqual([within.code, fs.existsSync(path.join(state, 'audit/backup'))], [2, false]);
	assert.match(within.stderr, /is in the folder that is backed up/);
	// An empty one is taken, and closed to others.
	fs.mkdirSync(house.path('empty'), {mode: 0o755});
	await house.ok(['backup', house.path('empty')]);
	assert.equal(fs.statSync(house.path('empty')).mode & 0o777, 0o700);
});

houseTest('restore: what is no backup, or not whole, or newer, changes nothing', writingPolicy, async (house) => {
	const {state, backup} = await backedUp(house);
	const manifest = JSON.parse(fs.readFileSync(path.join(backup, 'manifest.json'), 'utf8'));
	const before = tree(house.path('state'));
	const flip = (file) => {
		const bytes = fs.readFileSync(file);
		bytes[bytes.length >> 1] ^= 1;
		fs.writeFileSync(file, bytes);
	};
	/** The manifest as if the file had always been like that: for what only the content can tell. */
	const seal = (copy, change = {}) => {
		const files = manifest.files.map(({path: name}) => {
			const content = fs.readFileSync(path.join(copy, name));
			return {bytes: content.length, path: name, sha256: crypto.createHash('sha256').update(content).digest('hex')};
		});
		fs.writeFileSync(path.join(copy, 'manifest.json'), JSON.stringify({...manifest, files, ...change}));
	};
	const log = fs.readFileSync(path.join(backup, 'audit/log'));
	const cases = {
		'no manifest': [(copy) => fs.rmSync(path.join(copy, 'manifest.json')), /no backup, or one that was not finished/],
		'a manifest that is none': [(copy) => fs.writeFileSync(path.join(copy, 'manifest.json'), '{"format":'), /manifest.json is damaged/],
		'a newer format': [(copy) => seal(copy, {format: 2}), /newer Bawn \(format 2; this one knows up to 1\)/],
		'a path that leads out': [(copy) => seal(copy, {files: [{bytes: 1, path: '../../x', sha256: '0'.repeat(64)}]}), /names a file that cannot be part/],
		'a path into another folder': [(copy) => seal(copy, {files: [{bytes: 1, path: 'audit/../x', sha256: '0'.repeat(64)}]}), /names a file that cannot be part/],
		'a file that is gone': [(copy) => fs.rmSync(path.join(copy, 'audit/key')), /audit\/key cannot be read: No such file/],
		'a link in place of a file': [(copy) => {
			fs.rmSync(path.join(copy, 'audit/key'));
			fs.symlinkSync(path.join(backup, 'audit/key'), path.join(copy, 'audit/key'));
		}, /audit\/key cannot be read/],
		'a flipped bit in the store': [(copy) => flip(path.join(copy, 'store/store.db')), /store\.db is not what the backup's manifest says/],
		'a flipped bit in the record, sealed again': [(copy) => { flip(path.join(copy, 'audit/log')); seal(copy); }, /the backup's record does not hold: /],
		'a record that was cut, sealed again': [(copy) => {
			fs.writeFileSync(path.join(copy, 'audit/log'), log.subarray(0, log.length - 40));
			seal(copy);
		}, /the backup's record (does not hold|has \d+ entries)/],
		'a damaged store, sealed again': [(copy) => {
			fs.writeFileSync(path.join(copy, 'store/store.db'), crypto.randomBytes(8192));
			seal(copy);
		}, /the store/],
		'a newer store': [(copy) => {
			sql(path.join(copy, 'store/store.db'), 'PRAGMA user_version = 99;');
			seal(copy);
		}, /written by a newer Bawn/],
	};
	for (const [what, [spoil, says]] of Object.entries(cases)) {
		const copy = house.path('spoilt');
		fs.cpSync(backup, copy, {recursive: true});
		spoil(copy);
		const done = await house.run(['restore', copy]);
		assert.ok(done.code === 1 || done.code === 2, `${what}: ${JSON.stringify(done)}`);
		assert.match(done.stderr, oneLine, what);
		assert.match(done.stderr, says, what);
		assert.equal(done.stdout, '', what);
		assert.deepEqual(tree(house.path('state')), before, what);
		fs.rmSync(copy, {recursive: true});
	}
	assert.match((await house.run(['restore', house.path('nowhere')])).stderr, /cannot read .*nowhere/);
	await house.ok(['restore', backup]);
	assert.notDeepEqual(tree(state), before);
});

/** Runs `bawn ARGS` and kills it after so many milliseconds; whether it was still running. */
function killed(house, args, after) {
	return new Promise((resolve) => {
		const child = spawn(bawn, args, {cwd: house.path('home'), env: house.env, stdio: 'ignore'});
		const timer = setTimeout(() => child.kill('SIGKILL'), after);
		child.once('exit', (code, signal) => {
			clearTimeout(timer);
			resolve(signal === 'SIGKILL');
		});
	});
}

houseTest('backup and restore, killed at any moment: the state is the old one or the new one, whole', writingPolicy, async (house) => {
	const {state, backup} = await backedUp(house);
	const store = () => JSON.stringify(sql(path.join(state, 'store/store.db'), 'SELECT id, state FROM approvals ORDER BY id'));
	const old = store();
	const restored = old.replace('"approved"', '"withdrawn"');
	let interrupted = 0;
	for (let i = 0; i < 10; i++) {
		interrupted += await killed(house, ['restore', backup], i * 6);
		assert.ok([old, restored].includes(store()), store());
		await house.ok(['audit', 'verify']);
	}
	assert.ok(interrupted > 0, 'none was killed in time');
	await house.ok(['restore', backup]);
	assert.equal(store(), restored);
	assert.deepEqual(fs.readdirSync(house.path('state/bawn')).filter((name) => name.endsWith('.restoring')), []);
	for (let i = 0; i < 10; i++) {
		const target = house.path(`killed${i}`);
		await killed(house, ['backup', target], i * 5);
		if (fs.existsSync(target) && !fs.existsSync(path.join(target, 'manifest.json')) && fs.readdirSync(target).length)
			assert.match((await house.run(['restore', target])).stderr, /not finished/);
	}
	await house.ok(['backup', house.path('at last')]);
});

houseTest('backup and restore on a full disk: one line, and everything as it was', writingPolicy, async (house, t) => {
	if (!isRoot || spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0) {
		t.skip('no small file system can be made here');
		return;
	}
	const {state, backup} = await backedUp(house);
	const small = (folder, kibibytes, script, args) => spawnSync('unshare',
		['--mount', 'sh', '-c', `mount -t tmpfs -o size=${kibibytes}k tmpfs "$1" && shift && ${script}`, 'sh', folder, ...args],
		{env: house.env, cwd: house.path('home'), encoding: 'utf8'});
	const target = house.folder('small');
	for (const kibibytes of [4, 16, 40, 64]) {
		const done = small(target, kibibytes, '"$1" backup "$2"/b; code=$?; ls -A "$2"; exit $code', [bawn, target]);
		assert.equal(done.status, 1, JSON.stringify(done));
		assert.match(done.stderr, /^bawn: [^\n]*[Nn]o space[^\n]*\n$/);
		assert.equal(done.stdout, '', 'nothing is left of it');
	}
	// The state on a disk that has no room for a second one.
	const saved = house.path('saved');
	fs.cpSync(house.path('state'), saved, {recursive: true});
	const size = Math.ceil(Number(spawnSync('du', ['-sk', saved], {encoding: 'utf8'}).stdout.split('\t')[0]) * 1.5);
	const done = small(house.path('state'), size, 'cp -a "$2"/. "$3" && "$1" restore "$4"; code=$?; diff -r "$2" "$3" && exit $code',
		[bawn, saved, house.path('state'), backup]);
	assert.equal(done.status, 1, JSON.stringify(done));
	assert.match(done.stderr, /^bawn: [^\n]*[Nn]o space[^\n]*\n$/);
	assert.equal(done.stdout, '', 'the state is as it was');
	assert.ok(fs.existsSync(state));
});
