// Acts that wait for a person, from the agent's side: what each call hears, what runs and what does not, and what the record says of it.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {spawnSync} from 'node:child_process';
import {houseTest} from './lib/check.mjs';
import {Control} from './lib/control.mjs';
import {assertGranted, assertRefused, bawn, e2e, eventually, isRoot, ownServer, textOf} from './lib/house.mjs';

const pin = '274 trees';

/** One agent: what it marks waits for a person, what it echoes does not. */
function policy({ask = [{tool: 'odd.mark', args: {text: {type: 'string'}}, within: '12h'}], facts = 'destructive', more = {}} = {}) {
	return (house) => ({
		version: 1,
		servers: {odd: ownServer('odd.mjs', {workspace: house.folder('workspace')})},
		tools: {'odd.mark': {effect: facts}, 'odd.echo': {effect: 'read'}, 'odd.redescribe': {effect: 'read'}},
		agents: {dev: {allow: ['odd.echo', 'odd.redescribe'], ask}, ...more},
	});
}

/** A person who has set the PIN. */
async function setPerson(house, t) {
	const person = await Control.connect(house);
	t.after(() => person.close());
	assert.equal((await person.setPin(pin)).status, 0);
	return person;
}

/** A person whose PIN is set already. */
async function person(house, t) {
	const control = await Control.connect(house);
	t.after(() => control.close());
	return control;
}

/** A family, a client of the official SDK, and a person who has set the PIN. */
async function begin(house, t) {
	await house.serve();
	return {client: await house.connect('dev', 'odd'), person: await setPerson(house, t)};
}

const mark = (client, text = 'x') => client.callTool({name: 'mark', arguments: {text}});
const marks = (house) => (fs.existsSync(house.path('workspace/marks')) ? fs.readFileSync(house.path('workspace/marks'), 'utf8').split('\n').slice(0, -1) : []);
const approvalOf = (result) => result._meta['bawn/approval'];

/** Asks for it; the approval's id. */
async function ask(client, text) {
	const result = await mark(client, text);
	assertRefused(result, 'needs_approval', 'approval');
	return approvalOf(result).id;
}

/** Asks, and approves; the approval's id. */
async function askAndApprove(client, who, text) {
	const id = await ask(client, text);
	const {status, text: why} = await who.approve(id, pin);
	assert.equal(status, 0, why);
	return id;
}

/** How often the tool ran with this text. */
const count = (house, text) => marks(house).filter((line) => JSON.parse(line).text === text).length;

const ofKind = async (house, kind) => (await house.entries()).filter((entry) => entry.kind === kind);

async function reload(house, what) {
	house.write(what(house));
	await house.ok(['reload']);
}

/** What is pending, or approved and unused. */
const list = async (house) => (await house.ok(['approvals', 'list', '--json'])).stdout.split('\n').filter((line) => line).map((line) => JSON.parse(line));

/** The store's file, which a family that has ended leaves behind. */
function storeFile(house) {
	const folder = house.path('state/bawn');
	const [family] = fs.readdirSync(folder).filter((name) => fs.existsSync(path.join(folder, name, 'store/store.db')));
	return path.join(folder, family, 'store/store.db');
}

/** Ends the family and makes the approval so much older, or damages it; its id, which may be another one now. */
async function alter(house, id, what) {
	await house.ok(['shutdown']);
	const done = spawnSync('python3', [path.join(e2e, 'lib/age.py'), storeFile(house), id, String(what)], {encoding: 'utf8'});
	assert.equal(done.status, 0, done.stderr);
	return done.stdout.trim();
}

async function killProcess(house, name) {
	const find = async () => (await house.status()).processes.find((one) => one.name === name);
	const {pid, restarts} = await find();
	process.kill(pid, 'SIGKILL');
	await eventually(async () => {
		const now = await find();
		return now?.ready && now.restarts > restarts;
	}, `the restart of ${name}`);
}

houseTest('approvals: asked, approved, used once', policy(), async (house, t) => {
	const {client, person} = await begin(house, t);
	const before = Date.now();
	const first = await mark(client);
	const entry = assertRefused(first, 'needs_approval', 'approval');
	const {id, expires, sees} = approvalOf(first);
	assert.match(id, /^[0-9a-f]{20}$/);
	assert.ok(Math.abs(Date.parse(expires) - before - 12 * 3600000) < 60000, expires);
	assert.equal(sees, 'agent dev asks to call odd.mark (destructive) with {"text":"x"}');
	assert.equal(first._meta['bawn/retry_after_ms'], 10000);
	assert.deepEqual(approvalOf(await mark(client)), approvalOf(first), 'the same answer again');

	assert.equal((await person.approve(id, pin)).status, 0);
	const intent = assertGranted(await mark(client), 'marked');
	assert.deepEqual(marks(house), ['{"text":"x"}']);

	const again = await mark(client);
	assertRefused(again, 'needs_approval', 'approval');
	assert.notEqual(approvalOf(again).id, id, 'used up: a new record');
	assert.deepEqual(marks(house), ['{"text":"x"}']);

	const entries = await house.entries();
	const asked = entries.filter(({kind}) => kind === 'approval.asked');
	assert.equal(asked.length, 2);
	assert.equal(asked[0].approval, id);
	assert.ok(asked[0].seq < entry);
	const refused = await house.entry(entry);
	assert.equal(JSON.stringify(refused).includes('"arguments"'), false, 'the arguments are there once');
	const approved = entries.find(({kind}) => kind === 'approval.approved');
	assert.equal(approved.approval, id);
	assert.equal(approved.asked, asked[0].seq);
	assert.equal(approved.same_user, true);
	assert.equal(entries.find(({seq}) => seq === intent).approval, id);
});

houseTest('approvals: other arguments, and the same ones in another spelling', policy({ask: [{tool: 'odd.mark', args: {text: true, n: {optional: true}}}]}), async (house, t) => {
	const {client, person} = await begin(house, t);
	const id = await askAndApprove(client, person, 'x');
	for (const args of [{text: 'y'}, {text: 'x '}, {text: ['x']}, {text: 'x', n: 0}]) {
		const result = await client.callTool({name: 'mark', arguments: args});
		assertRefused(result, 'needs_approval', 'approval');
		assert.notEqual(approvalOf(result).id, id);
	}
	assert.deepEqual(marks(house), []);
	assertGranted(await mark(client));
	assert.deepEqual(marks(house), ['{"text":"x"}']);

	const raw = await house.openRaw('dev', 'odd');
	const say = async (args) => {
		const number = raw.nextId();
		await raw.write(`{"jsonrpc":"2.0","id":${number},"method":"tools/call","params":{"name":"mark","arguments":${args}}}\n`);
		return (await raw.answer(number)).result;
	};
	const first = await say('{"text":"A","n":100}');
	assert.equal((await person.approve(approvalOf(first).id, pin)).status, 0);
	assertGranted(await say('{ "n" : 1.0e2, "text":"\\u0041" }'));
	assert.equal(marks(house)[1], '{"n":100,"text":"A"}', 'what ran is the canonical form of what was approved');
});

houseTest('approvals: another agent\'s approval is nobody else\'s', policy({more: {}}), async (house, t) => {
	const rule = [{tool: 'odd.mark', args: {text: {type: 'string'}}, within: '12h'}];
	house.write({...policy()(house), agents: {dev: {ask: rule, allow: ['odd.echo']}, ops: {ask: rule, allow: ['odd.echo']}}});
	for (const agent of ['dev', 'ops'])
		await house.ok(['agent', 'new', agent]);
	await house.serve();
	const who = await setPerson(house, t);
	const [dev, ops] = [await house.connect('dev', 'odd'), await house.connect('ops', 'odd')];
	await askAndApprove(dev, who, 'x');
	assertRefused(await mark(ops), 'needs_approval', 'approval');
	assert.deepEqual(marks(house), []);
	assertGranted(await mark(dev));
});

const rounds = Number(process.env.BAWN_ROUNDS ?? 8);

houseTest(`approvals: 64 calls at once on one approval, ${rounds} rounds`, policy(), async (house, t) => {
	await house.serve();
	const who = await setPerson(house, t);
	const clients = [];
	for (let i = 0; i < 4; i++)
		clients.push(await house.openRaw('dev', 'odd'));
	for (let round = 0; round < rounds; round++) {
		const text = `round ${round}`;
		const first = (await clients[0].call('mark', {text})).result;
		assert.equal((await who.approve(approvalOf(first).id, pin)).status, 0);
		const results = await Promise.all(Array.from({length: 64}, async (_, i) => (await clients[i % 4].call('mark', {text})).result));
		const ran = results.filter((result) => !result.isError);
		assert.equal(ran.length, 1, `${ran.length} ran in round ${round}`);
		for (const result of results.filter(({isError}) => isError))
			assertRefused(result, 'needs_approval', 'approval');
		assert.equal(count(house, text), 1);
		for (const client of clients)
			client.received = [];
		// At most one new question came of it.
		const live = await list(house);
		assert.ok(live.length <= 1 && live.every(({state}) => state === 'pending'), JSON.stringify(live));
		for (const {id} of live)
			assert.equal((await who.reject(id, pin)).status, 0);
	}
}, {limit: 60000 + rounds * 3000});

houseTest('approvals: 64 equal calls at once make one record', policy(), async (house) => {
	await house.serve();
	const clients = await Promise.all([1, 2, 3, 4].map(() => house.openRaw('dev', 'odd')));
	const results = await Promise.all(Array.from({length: 64}, async (_, i) => (await clients[i % 4].call('mark', {text: 'x'})).result));
	results.forEach((result) => assertRefused(result, 'needs_approval', 'approval'));
	assert.equal(new Set(results.map((result) => approvalOf(result).id)).size, 1);
	assert.equal((await ofKind(house, 'approval.asked')).length, 1);
});

// ---- the policy changes ----

houseTest('approvals: the rule has changed', policy(), async (house, t) => {
	const {client, person} = await begin(house, t);
	const approved = await askAndApprove(client, person, 'x');
	const pending = await ask(client, 'y');
	await reload(house, policy({ask: [{tool: 'odd.mark', args: {text: {type: 'string', maxLength: 5}}, within: '12h'}]}));
	await house.recorded((entry) => entry.kind === 'approval.withdrawn' && entry.approval === approved, 'the approval is withdrawn');
	const result = await mark(client, 'x');
	assertRefused(result, 'needs_approval', 'approval');
	assert.notEqual(approvalOf(result).id, approved);
	assert.deepEqual(marks(house), []);
	const late = await person.approve(pending, pin);
	assert.deepEqual([late.status, late.code], [2, 'not_pending']);
	assert.match(late.text, /withdrawn/);
});

houseTest('approvals: what is stated of the tool has changed', policy(), async (house, t) => {
	const {client, person} = await begin(house, t);
	const id = await askAndApprove(client, person, 'x');
	await reload(house, policy({facts: 'write'}));
	await house.recorded((entry) => entry.kind === 'approval.withdrawn' && entry.approval === id, 'the approval is withdrawn');
	assertRefused(await mark(client), 'needs_approval', 'approval');
	assert.deepEqual(marks(house), []);
});

houseTest('approvals: the tool is forbidden', policy(), async (house, t) => {
	const {client, person} = await begin(house, t);
	const id = await askAndApprove(client, person, 'x');
	house.write({...policy()(house), agents: {dev: {allow: ['odd.echo'], ask: ['odd.mark'], deny: ['odd.mark']}}});
	await house.ok(['reload']);
	await house.recorded((entry) => entry.kind === 'approval.withdrawn' && entry.approval === id, 'the approval is withdrawn');
	assertRefused(await mark(client), 'not_granted', 'grant');
});

houseTest('approvals: a reload of what has nothing to do with it', policy(), async (house, t) => {
	const {client, person} = await begin(house, t);
	await askAndApprove(client, person, 'x');
	const pending = await ask(client, 'y');
	house.write({...policy()(house), agents: {
		other: {allow: ['odd.echo']},
		dev: {deny: ['odd.never'], allow: ['odd.anything', 'odd.echo'].map((tool) => ({tool, unattended: 'a test'})),
			ask: ['odd.spin', {within: '720m', args: {text: {type: 'string'}}, tool: 'odd.mark'}]},
	}});
	await house.ok(['reload']);
	assertGranted(await mark(client, 'x'));
	assert.equal((await person.approve(pending, pin)).status, 0);
	assertGranted(await mark(client, 'y'));
	assert.equal((await ofKind(house, 'approval.withdrawn')).length, 0);
});

houseTest('approvals: a destructive tool that a wildcard grants', policy({ask: []}), async (house, t) => {
	house.write({...policy()(house), agents: {dev: {allow: ['odd.*']}}});
	const {client, person} = await begin(house, t);
	const id = await askAndApprove(client, person, 'x');
	const shown = await house.json(['approvals', 'show', id]);
	assert.match(JSON.stringify(shown), /destructive, and its rule does not say/);
	assertGranted(await mark(client));
});

// ---- rejected, expired ----

houseTest('approvals: rejected', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	const id = await ask(client, 'x');
	assert.equal((await who.reject(id, pin, 'not on a Sunday')).status, 0);
	for (let i = 0; i < 2; i++) {
		const result = await mark(client);
		assertRefused(result, 'rejected', 'approval');
		assert.match(textOf(result), /A person has rejected this call; .* The reason: not on a Sunday$/);
		assert.equal(approvalOf(result).id, id);
	}
	assert.deepEqual(marks(house), []);
	const [entry] = await ofKind(house, 'approval.rejected');
	assert.deepEqual([entry.approval, entry.reason], [id, 'not on a Sunday']);

	// Once its time is over it may be asked for again.
	await alter(house, id, 12 * 3600);
	await house.serve();
	const again = await mark(await house.connect('dev', 'odd'));
	assertRefused(again, 'needs_approval', 'approval');
	assert.notEqual(approvalOf(again).id, id);
});

for (const approved of [false, true]) {
	houseTest(`approvals: expired, ${approved ? 'approved and unused' : 'undecided'}`, policy(), async (house, t) => {
		const {client, person: who} = await begin(house, t);
		const id = approved ? await askAndApprove(client, who, 'x') : await ask(client, 'x');
		const aged = await alter(house, id, 12 * 3600);
		await house.serve();
		const second = await house.connect('dev', 'odd');
		const told = await mark(second);
		assertRefused(told, 'expired', 'approval');
		assert.equal(approvalOf(told).id, aged);
		const next = await mark(second);
		assertRefused(next, 'needs_approval', 'approval');
		assert.notEqual(approvalOf(next).id, aged);
		assert.deepEqual(marks(house), []);
		await house.recorded((entry) => entry.kind === 'approval.expired' && entry.approval === aged, 'that it expired');
		const late = await (await person(house, t)).approve(aged, pin);
		assert.deepEqual([late.status, late.code], [2, 'not_pending']);
	});
}

// ---- what it survives ----

houseTest('approvals: they outlive session, judge, store and family', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	for (const text of ['session', 'judge', 'store', 'family'])
		await askAndApprove(client, who, text);
	const pending = await ask(client, 'pending');
	await client.close();
	const second = await house.connect('dev', 'odd');
	assertGranted(await mark(second, 'session'));
	await killProcess(house, 'judge');
	assertGranted(await mark(await house.connect('dev', 'odd'), 'judge'));
	await killProcess(house, 'store');
	assertGranted(await mark(await house.connect('dev', 'odd'), 'store'));
	await house.ok(['shutdown']);
	await house.serve();
	const last = await house.connect('dev', 'odd');
	assertGranted(await mark(last, 'family'));
	assert.equal(await ask(last, 'pending'), pending, 'what waits goes on waiting');
	assert.equal(marks(house).length, 4);
	for (const text of ['session', 'judge', 'store', 'family'])
		assertRefused(await mark(last, text), 'needs_approval', 'approval');
});

/** A call that was approved, again and again until it runs; no refusal but that the store is away. */
async function untilItRuns(house, client, text) {
	await eventually(async () => {
		const {result} = await client.call('mark', {text});
		if (!result.isError)
			return true;
		assertRefused(result, 'not_stored', 'approval');
		assert.equal(count(house, text), 0, 'it was said not to run');
		return false;
	}, 'a store that is there again');
}

const kills = Number(process.env.BAWN_KILLS ?? 6);

houseTest(`approvals: the store is killed at ${kills} moments, and none is lost or used twice`, policy(), async (house, t) => {
	const perFamily = 6; // one that ends more often gives the store up
	let who, client;
	const sdk = {callTool: async ({arguments: args}) => (await client.call('mark', args)).result};
	for (let i = 0; i < kills; i++) {
		if (i % perFamily === 0) {
			await house.run(['shutdown']);
			await house.serve();
			who = i ? await person(house, t) : await setPerson(house, t);
			client = await house.openRaw('dev', 'odd');
		}
		const text = `t${i}`;
		await eventually(async () => (await mark(sdk, text))._meta['bawn/code'] === 'needs_approval', 'a store to ask');
		await askAndApprove(sdk, who, text);
		const {pid} = (await house.status()).processes.find(({name}) => name === 'store');
		const first = client.call('mark', {text});
		// From before the question to after the use.
		const until = process.hrtime.bigint() + BigInt(i * 7 % 12) * 700000n;
		while (process.hrtime.bigint() < until)
			await new Promise((resolve) => setImmediate(resolve));
		process.kill(pid, 'SIGKILL');
		if ((await first).result.isError)
			await untilItRuns(house, client, text);
		assert.equal(count(house, text), 1);
	}
	assert.equal(marks(house).length, kills);
	assert.equal((await ofKind(house, 'approval.asked')).length, kills, 'nobody was asked twice');
}, {limit: 60000 + kills * 3000});

// ---- bounds ----

houseTest('approvals: the 101st that waits', policy(), async (house, t) => {
	await house.serve();
	const who = await setPerson(house, t);
	const client = await house.openRaw('dev', 'odd');
	const results = await Promise.all(Array.from({length: 110}, async (_, i) => (await client.call('mark', {text: `n${i}`})).result));
	const waiting = results.filter((result) => result._meta['bawn/code'] === 'needs_approval');
	assert.equal(waiting.length, 100);
	const full = results.find((result) => result._meta['bawn/code'] !== 'needs_approval');
	assertRefused(full, 'too_many_pending', 'approval');
	assert.equal(approvalOf(full), undefined);
	assert.equal((await ofKind(house, 'approval.asked')).length, 100);
	assert.equal((await who.reject(approvalOf(waiting[0]).id, pin)).status, 0);
	assertRefused((await client.call('mark', {text: 'one more'})).result, 'needs_approval', 'approval');
	assertRefused((await client.call('mark', {text: 'two more'})).result, 'too_many_pending', 'approval');
});

houseTest('approvals: large ones wait only up to 16 MiB together', policy(), async (house, t) => {
	await house.serve();
	const who = await setPerson(house, t);
	const client = await house.openRaw('dev', 'odd');
	const large = (name) => client.call('mark', {text: name + 'x'.repeat(3 << 20)});
	const waiting = [];
	for (const name of ['a', 'b', 'c', 'd', 'e']) {
		const {result} = await large(name);
		assertRefused(result, 'needs_approval', 'approval');
		waiting.push(approvalOf(result).id);
	}
	assertRefused((await large('f')).result, 'too_many_pending', 'approval');
	assertRefused((await client.call('mark', {text: 'a small one'})).result, 'needs_approval', 'approval');
	assert.equal((await who.reject(waiting[0], pin)).status, 0);
	assertRefused((await large('f')).result, 'needs_approval', 'approval');
});

// ---- who decides ----

houseTest('approvals: without the right PIN nothing is decided', policy(), async (house, t) => {
	await house.serve();
	const client = await house.connect('dev', 'odd');
	const id = await ask(client, 'x');
	const who = await person(house, t);
	assert.deepEqual([(await who.approve(id, '')).code, (await who.approve(id, pin)).code], ['no_pin', 'no_pin']);
	assert.equal((await who.setPin('12')).code, 'weak_pin');
	assert.equal((await who.setPin(pin)).status, 0);
	assert.equal((await who.setPin('another 81', 'wrong')).code, 'wrong_pin');
	for (const wrong of ['', `${pin} `, 'x'])
		assert.equal((await who.approve(id, wrong)).code, 'wrong_pin');
	assert.equal((await who.reject(id, 'x')).code, 'wrong_pin');
	assertRefused(await mark(client), 'needs_approval', 'approval');
	assert.deepEqual((await ofKind(house, 'person.refused')).map(({act, code}) => `${act} ${code}`), ['approve no_pin', 'approve no_pin', 'pin weak_pin',
		'pin wrong_pin', 'approve wrong_pin', 'approve wrong_pin', 'approve wrong_pin', 'reject wrong_pin']);
	const locked = await who.approve(id, pin);
	assert.equal(locked.code, 'locked');
	assert.match(locked.text, /^the PIN was wrong too often; it is locked for \d+ s$/);
	assert.equal((await ofKind(house, 'approval.approved')).length, 0);
});

houseTest('approvals: decided once', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	const id = await ask(client, 'x');
	const others = [await person(house, t), await person(house, t)];
	// While the log answers nobody, the first decision is under way: whoever comes then hears that, and the log never has two.
	const {pid} = (await house.status()).processes.find(({name}) => name === 'audit');
	process.kill(pid, 'SIGSTOP');
	const first = who.approve(id, pin);
	const late = Promise.all([others[0].reject(id, pin), others[1].approve(id, pin)]);
	try {
		await Promise.race([first, late]);
	} finally {
		process.kill(pid, 'SIGCONT');
	}
	const answers = [await first, ...await late];
	assert.deepEqual(answers.map(({status, code}) => `${status} ${code}`).sort(), ['0 ', '1 busy', '1 busy'], JSON.stringify(answers));
	const again = await who.approve(id, pin);
	assert.equal(again.code, 'not_pending');
	assert.equal((await who.approve('0123456789abcdef0123', pin)).code, 'unknown');
	const decisions = (await house.entries()).filter(({kind}) => kind === 'approval.approved' || kind === 'approval.rejected');
	assert.equal(decisions.length, 1);
});

houseTest('approvals: a damaged record is not decided', policy(), async (house, t) => {
	const {client} = await begin(house, t);
	const id = await ask(client, 'x');
	await alter(house, id, 'damage');
	await house.serve();
	const answer = await (await person(house, t)).approve(id, pin);
	assert.deepEqual([answer.status, answer.code], [2, 'damaged']);
	assert.equal((await ofKind(house, 'approval.approved')).length, 0);
});

houseTest('approvals: whoever watches hears of everything', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	const watcher = await person(house, t);
	watcher.watch();
	await eventually(() => watcher.news.length, 'that it watches');
	const [a, b] = [await ask(client, 'a'), await ask(client, 'b')];
	await who.approve(a, pin);
	await who.reject(b, pin);
	assertGranted(await mark(client, 'a'));
	await eventually(() => watcher.news.length >= 6, 'all news');
	assert.deepEqual(watcher.news.slice(1), [{id: a, state: 'pending'}, {id: b, state: 'pending'}, {id: a, state: 'approved'},
		{id: b, state: 'rejected'}, {id: a, state: 'consumed'}]);
});

// ---- given up on the way ----

/**
 * An approved call of a client of its own, begun while the store answers nobody, and what happens meanwhile; then the store goes on. `result` is what the call
 * hears.
 */
async function whileStoreIsAsked(house, who, asking, meanwhile) {
	await askAndApprove(asking, who, 'x');
	const client = await house.openRaw('dev', 'odd');
	const store = (await house.status()).processes.find(({name}) => name === 'store').pid;
	process.kill(store, 'SIGSTOP');
	try {
		await client.send({jsonrpc: '2.0', id: 'a', method: 'tools/call', params: {name: 'mark', arguments: {text: 'x'}}});
		// What comes after it on the same way is answered: so the judge has it.
		assertGranted((await client.call('echo', {text: 'x'})).result);
		await meanwhile(client);
	} finally {
		process.kill(store, 'SIGCONT');
	}
	return client;
}

houseTest('approvals: the rule changes while the store is asked', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	const raw = await whileStoreIsAsked(house, who, client, () => reload(house, policy({ask: [{tool: 'odd.mark', within: '12h'}]})));
	const {result} = await raw.answer('a');
	assertRefused(result, 'needs_approval', 'approval');
	assert.match(textOf(result), /the rule or the tool has changed/i);
	assert.deepEqual(marks(house), []);
	const outcome = await house.recorded((entry) => entry.kind === 'call.outcome' && entry.outcome === 'not_run', 'that it did not run');
	assert.equal(outcome.intent, result._meta['bawn/entry']);
});

houseTest('approvals: the tool changes while the store is asked', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	const raw = await whileStoreIsAsked(house, who, client, async (caller) => {
		const lists = caller.received.length;
		assertGranted((await caller.call('redescribe', {})).result);
		await caller.until((message) => caller.received.indexOf(message) >= lists && message.method === 'notifications/tools/list_changed', 'the changed list');
	});
	const {result} = await raw.answer('a');
	assert.equal(result.isError, true, textOf(result));
	assert.deepEqual(marks(house), []);
});

houseTest('approvals: cancelled while the store is asked', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	const raw = await whileStoreIsAsked(house, who, client, async (caller) => {
		await caller.send({jsonrpc: '2.0', method: 'notifications/cancelled', params: {requestId: 'a'}});
		assertGranted((await caller.call('echo', {text: 'x'})).result);
	});
	await house.recorded((entry) => entry.kind === 'call.refused' && entry.code === 'cancelled', 'that it was given up');
	assert.deepEqual(marks(house), []);
	assertGranted((await raw.call('mark', {text: 'x'})).result);
});

houseTest('approvals: the session ends while the store is asked', policy(), async (house, t) => {
	const {client, person: who} = await begin(house, t);
	await whileStoreIsAsked(house, who, client, async (caller) => {
		await caller.kill();
		await house.recorded((entry) => entry.kind === 'session.close', 'the end of the session');
	});
	await house.recorded((entry) => entry.kind === 'call.refused' && entry.code === 'cancelled', 'that it was given up');
	assert.deepEqual(marks(house), []);
	assertGranted(await mark(client));
});

houseTest('approvals: calls cancelled and clients killed at any moment', policy(), async (house, t) => {
	await house.serve();
	const who = await setPerson(house, t);
	const moments = 12;
	const asking = await house.openRaw('dev', 'odd');
	const sdk = {callTool: async ({arguments: args}) => (await asking.call('mark', args)).result};
	for (let i = 0; i < moments; i++) {
		const text = `c${i}`;
		await askAndApprove(sdk, who, text);
		const client = await house.openRaw('dev', 'odd');
		await client.send({jsonrpc: '2.0', id: 'a', method: 'tools/call', params: {name: 'mark', arguments: {text}}});
		// The store's and the log's answers come after a few milliseconds; each round is a little later.
		for (let turns = 0; turns < i * 8; turns++)
			await new Promise((resolve) => setImmediate(resolve));
		if (i % 2)
			await client.send({jsonrpc: '2.0', method: 'notifications/cancelled', params: {requestId: 'a'}});
		else
			await client.kill();
	}
	// Whatever became of each: at most one run, and what did not use its approval up still has it.
	assertGranted((await asking.call('echo', {text: 'x'})).result);
	for (let i = 0; i < moments; i++) {
		const text = `c${i}`;
		await asking.call('mark', {text});
		assert.ok(count(house, text) <= 1, `${text} ran ${count(house, text)} times`);
	}
	const entries = await house.entries();
	const intents = entries.filter((entry) => entry.kind === 'call.intent' && entry.approval);
	for (const intent of intents)
		await house.recorded((entry) => entry.kind === 'call.outcome' && entry.intent === intent.seq, `the outcome of ${intent.seq}`);
	await house.ok(['audit', 'verify']);
});

// ---- the disk ----

const mayMount = isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

(mayMount ? houseTest : () => {})('approvals: the store\'s disk is full', policy(), async (house, t) => {
	const first = await house.serve();
	await house.ok(['shutdown']);
	await first.closed;
	const folder = path.dirname(storeFile(house));
	const script = 'mount -t tmpfs -o size=2m,mode=700 tmpfs "$1" && exec "$2" serve';
	const server = await house.serve([], {command: ['unshare', '--mount', 'sh', '-c', script, 'sh', folder, bawn]});
	const disk = path.join('/proc', String(server.pid), 'root', folder);
	const who = await setPerson(house, t);
	const client = await house.connect('dev', 'odd');
	await askAndApprove(client, who, 'x');
	assert.notEqual(spawnSync('dd', ['if=/dev/zero', `of=${path.join(disk, 'filler')}`, 'bs=4096']).status, 0, 'the disk is full');
	const large = 'y'.repeat(300000);
	assertRefused(await mark(client, large), 'not_stored', 'approval');
	const used = await mark(client, 'x');
	if (used.isError)
		assertRefused(used, 'not_stored', 'approval');
	assert.equal(count(house, 'x'), used.isError ? 0 : 1);
	fs.rmSync(path.join(disk, 'filler'));
	if (used.isError)
		await eventually(async () => !(await mark(client, 'x')).isError, 'recovery without anybody\'s help');
	assert.equal(count(house, 'x'), 1);
	assertRefused(await mark(client, large), 'needs_approval', 'approval');
	assert.deepEqual(marks(house).length, 1);
});
