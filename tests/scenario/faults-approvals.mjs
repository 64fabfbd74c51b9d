// Agents that ask, a person who approves, a tool that changes, and each process of the family, init too, killed at random moments under that load. What was
// acknowledged stays: no entry is lost, no approval is lost, none is used twice, nothing runs without one, and no pin is forgotten.
//
//   BAWN_KILLS=N   how often something is killed (default 24)
//   BAWN_SEED=N    the same victims and pauses as in the run that printed it

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import {spawnSync} from 'node:child_process';
import {Control} from '../e2e/lib/control.mjs';
import {House, eventually, ownServer, processTable} from '../e2e/lib/house.mjs';

const kills = Number(process.env.BAWN_KILLS ?? 24);
const seed = Number(process.env.BAWN_SEED ?? Math.floor(Math.random() * 2 ** 32));
const pin = '274 trees';
const clients = 3;
const victims = ['init', 'init', 'launcher', 'judge', 'judge', 'audit', 'store', 'store', 'console', 'gateway'];

/** Mulberry32: 32 bits of state are enough to choose victims. */
let state = seed;
function random(below) {
	state = (state + 0x6d2b79f5) | 0;
	let t = Math.imul(state ^ (state >>> 15), 1 | state);
	t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
	return ((t ^ (t >>> 14)) >>> 0) % below;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A promise's answer, or its failure, but never silence. */
function answered(promise, what) {
	let timer;
	const late = new Promise((_, reject) => { timer = setTimeout(() => reject(Object.assign(new Error(`no answer: ${what}`), {silent: true})), 45000); });
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function policy(house) {
	return {
		version: 1,
		servers: {
			odd: ownServer('odd.mjs', {workspace: house.folder('workspace'), timeout: '20s'}),
			shifty: ownServer('shifty.mjs', {workspace: house.folder('shifty'), timeout: '20s'}),
		},
		tools: {'odd.mark': {effect: 'destructive'}, 'odd.echo': {effect: 'write'}, 'shifty.tool': {effect: 'read'}},
		agents: {dev: {allow: ['odd.echo', 'shifty.tool'], ask: [{tool: 'odd.mark', args: {text: {type: 'string'}}, within: '1d'}]}},
	};
}

/** The pids of this house's family by process; `init` is who runs `bawn serve` for its policy. */
function familyOf(house) {
	const found = {};
	const table = processTable();
	const commands = new Map([...table.keys()].map((pid) => {
		try {
			return [pid, fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')];
		} catch {
			return [pid, []];
		}
	}));
	const init = [...commands].find(([, words]) => words[1] === 'serve' && words.includes(house.policy))?.[0];
	if (init === undefined)
		return found;
	found.init = [init];
	for (const [pid, words] of commands)
		if (words[1] === '--process' && table.get(pid)?.parent === init)
			(found[words[2]] ??= []).push(pid);
	return found;
}

/** What everybody was told, to be held against what is there in the end. */
class Ledger {
	entries = new Map(); // number -> what it was told for
	approved = new Set(); // ids of which a person was told that they are approved
	granted = new Map(); // text -> how often its caller was told that it ran
	progress = 0;
	offered = 0; // versions of the tool that changes
	accepted = new Set([0]); // of these, what a person at least tried to accept; the first is accepted at first sight
	sure = 0; // the last one of which he was told that it is accepted
	shown = new Set(); // what agents were shown
	refusals = {};
	people = {};

	told(entry, what) {
		if (entry)
			this.entries.set(entry, what);
		this.progress++;
	}
}

/** The one person: decides what is brought to him, however often the family goes away meanwhile. */
class Person {
	#control;
	#last = Promise.resolve();
	#over = false;

	constructor(house, ledger) {
		this.house = house;
		this.ledger = ledger;
	}

	async #ask(question) {
		while (!this.#over) {
			try {
				this.#control ??= await Control.connect(this.house, {stderr: 'ignore'});
				const answer = await answered(question(this.#control), 'a person\'s decision');
				this.ledger.people[answer.code || 'ok'] = (this.ledger.people[answer.code || 'ok'] ?? 0) + 1;
				if (!['busy', 'unavailable', 'locked', 'not_recorded', 'not_stored', 'failed'].includes(answer.code))
					return answer;
			} catch (error) {
				if (error.silent)
					throw error;
				this.#control?.child.kill('SIGKILL');
				this.#control = undefined;
			}
			await pause(50);
		}
		return {status: 1, code: 'over'};
	}

	setPin() {
		return this.#ask((control) => control.setPin(pin));
	}

	/** One after the other, as a person does. */
	approve(id) {
		this.#last = this.#last.then(async () => {
			const answer = await this.#ask((control) => control.approve(id, pin));
			if (answer.status === 0) {
				this.ledger.approved.add(id);
				this.ledger.told(answer.entry, 'approval.approved');
			}
		});
		return this.#last;
	}

	/** Accepts what is offered, if it is still this; whether he was told that it is accepted. */
	accept(digest) {
		const done = this.#last.then(async () => {
			const answer = await this.#ask((control) => control.accept('shifty', 'tool', digest, pin));
			if (answer.status === 0)
				this.ledger.told(answer.entry, 'pins.accepted');
			return answer.status === 0;
		});
		this.#last = done;
		return done;
	}

	close() {
		this.#over = true;
		this.#control?.child.kill('SIGKILL');
	}
}

/** Calls one act until it is said to have run; `stop` ends it between two calls. Null when its caller cannot know whether it ran. */
async function act(client, ledger, person, text, stop) {
	for (;;) {
		const {result} = await answered(client.call('mark', {text}), `mark ${text}`);
		const code = result?._meta?.['bawn/code'];
		const entry = result?._meta?.['bawn/entry'];
		if (code === undefined) {
			assert.ok(!result.isError, JSON.stringify(result));
			ledger.granted.set(text, (ledger.granted.get(text) ?? 0) + 1);
			ledger.told(entry, 'call.intent');
			return true;
		}
		ledger.refusals[code] = (ledger.refusals[code] ?? 0) + 1;
		if (code === 'needs_approval') {
			ledger.told(entry, 'call.refused');
			await person.approve(result._meta['bawn/approval'].id);
		} else if (code === 'server_failed' || code === 'withheld') {
			return null;
		} else {
			await pause(50);
		}
		if (stop())
			return null;
	}
}

async function agent(house, ledger, person, number, stop) {
	for (let n = 0; !stop();) {
		const client = house.raw('dev', 'odd');
		try {
			const {result} = await answered(client.initialize(), 'initialize');
			assert.ok(result);
			// Whoever was interrupted asks for the same again: what was approved meanwhile is still there.
			for (; !stop() && !client.ended; n++) {
				const text = `${number}-${n}`;
				await act(client, ledger, person, text, stop);
				// Beside what waits there is what does not.
				const echoed = await answered(client.call('echo', {text}), 'echo');
				if (echoed.result && !echoed.result.isError)
					ledger.told(echoed.result._meta['bawn/entry'], 'call.intent');
			}
		} catch (error) {
			// Its family or its gateway is gone. Anything else is a finding.
			if (error.silent || error.code === 'ERR_ASSERTION')
				throw error;
		} finally {
			await client.kill();
		}
	}
}

/** What the tool of the other server is from now on. */
function define(house, version) {
	const file = path.join(house.folder('shifty'), 'tools.json');
	fs.writeFileSync(`${file}.new`, JSON.stringify({tool: {description: `version ${version}`}}));
	fs.renameSync(`${file}.new`, file);
}

/** The version of it that an agent sees, if any. */
async function shownVersion(client, ledger) {
	const {result} = await answered(client.request('tools/list'), 'tools/list');
	const found = result?.tools.find(({name}) => name === 'tool')?.description.match(/^version (\d+)$/);
	if (!found)
		return undefined;
	const version = Number(found[1]);
	assert.ok(ledger.accepted.has(version), `version ${version} is shown, and nobody accepted it`);
	ledger.shown.add(version);
	return version;
}

/** The digest of what is offered now and not accepted, '' for nothing; null when nobody answers. */
async function offeredDigest(house) {
	const done = await house.run(['pins', 'list', '--json']);
	if (done.code !== 0)
		return null;
	return done.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).find(({server, tool}) => server === 'shifty' && tool === 'tool')?.offered ?? '';
}

/** Runs `body` with a client of the other server, again and again with a new one, until it gives something true. */
async function withShifty(house, stop, body) {
	while (!stop()) {
		const client = house.raw('dev', 'shifty');
		try {
			assert.ok((await answered(client.initialize(), 'initialize')).result);
			while (!stop() && !client.ended) {
				const done = await body(client);
				if (done)
					return done;
				await pause(30);
			}
		} catch (error) {
			if (error.silent || error.code === 'ERR_ASSERTION')
				throw error;
		} finally {
			await client.kill();
		}
	}
	return undefined;
}

/** The tool changes; two of three times a person accepts it, once he has seen it offered, and then it is there. */
async function shifter(house, ledger, person, stop) {
	while (!stop()) {
		const version = ++ledger.offered;
		let before = null;
		while (before === null && !stop()) {
			before = await offeredDigest(house);
			await pause(20);
		}
		define(house, version);
		const digest = await withShifty(house, stop, async (client) => {
			const now = await offeredDigest(house);
			await shownVersion(client, ledger);
			return now !== before && now;
		});
		if (!digest || version % 3 === 0)
			continue;
		ledger.accepted.add(version);
		if (await person.accept(digest)) {
			ledger.sure = version;
			await withShifty(house, stop, async (client) => await shownVersion(client, ledger) === version);
		} else {
			ledger.sure = undefined; // he cannot know
		}
	}
}

/** What was accepted last is what works again by itself, and what was not accepted does not. */
async function checkPins(house, ledger) {
	const deadline = Date.now() + 60000, late = () => Date.now() > deadline;
	define(house, ledger.offered + 1);
	const unseen = await withShifty(house, late, async (client) => await shownVersion(client, ledger) === undefined);
	assert.ok(unseen, 'a version that nobody accepted is not withheld');
	if (ledger.sure === undefined)
		return;
	define(house, ledger.sure);
	assert.ok(await withShifty(house, late, async (client) => await shownVersion(client, ledger) === ledger.sure), `the pin of version ${ledger.sure} is forgotten`);
}

/** A session that only has to be there: it starts a family when there is none, as long as agents wait for the person, and he for it. */
async function keeper(house, stop) {
	while (!stop()) {
		const client = house.raw('dev', 'odd');
		await client.initialize().catch(() => {});
		while (!client.ended && !stop())
			await Promise.race([client.closed, pause(50)]);
		await client.kill();
	}
}

/** Waits until the load goes on, so that no two victims fall into the same silence; then for a random moment; then kills. */
async function killer(house, ledger, counts) {
	for (let i = 0; i < kills; i++) {
		const seen = ledger.progress;
		await eventually(() => ledger.progress > seen, `the load goes on after ${JSON.stringify(counts)}`, 60000);
		await pause(random(300));
		const name = victims[random(victims.length)];
		const pids = familyOf(house)[name] ?? [];
		if (!pids.length) {
			i--;
			continue;
		}
		try {
			process.kill(pids[random(pids.length)], 'SIGKILL');
			counts[name] = (counts[name] ?? 0) + 1;
		} catch (error) {
			assert.equal(error.code, 'ESRCH');
			i--;
		}
	}
}

/** Python's own SQLite, while no family runs. */
function rows(file, statement) {
	const script = 'import json, sqlite3, sys; print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))';
	const done = spawnSync('python3', ['-c', script, file, statement], {encoding: 'utf8', maxBuffer: 1 << 28});
	assert.equal(done.status, 0, done.stderr);
	return JSON.parse(done.stdout);
}

function stateOf(house) {
	const states = house.path('state/bawn');
	return path.join(states, fs.readdirSync(states).find((name) => /^[0-9a-f]{16}$/.test(name)));
}

/** Everything that is approved and not used runs now, once; a session opens within a minute, whatever was killed. */
async function useTheRest(house, ledger, person) {
	return eventually(async () => {
		const client = house.raw('dev', 'odd');
		try {
			assert.ok((await client.initialize()).result);
			const list = await house.run(['approvals', 'list', '--json', '--limit', '1000']);
			if (list.code !== 0)
				return false;
			const approved = list.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line)).filter((one) => one.state === 'approved');
			for (const {id} of approved) {
				const {arguments: args} = await house.json(['approvals', 'show', id]);
				const {result} = await client.call('mark', args);
				assert.equal(result._meta['bawn/code'], undefined, `the approval ${id} is lost: ${JSON.stringify(result)}`);
				ledger.granted.set(args.text, (ledger.granted.get(args.text) ?? 0) + 1);
				ledger.told(result._meta['bawn/entry'], 'call.intent');
			}
			return {unused: approved.length};
		} catch (error) {
			if (error.code === 'ERR_ASSERTION')
				throw error;
			return false;
		} finally {
			await client.kill();
		}
	}, 'a family that works again', 60000);
}

function countBy(list, key) {
	const counts = new Map();
	for (const one of list)
		counts.set(key(one), (counts.get(key(one)) ?? 0) + 1);
	return counts;
}

async function check(house, ledger) {
	await house.ok(['audit', 'verify']);
	const known = new Map((await house.entries()).map((entry) => [entry.seq, entry]));
	for (const [number, kind] of ledger.entries)
		assert.equal(known.get(number)?.kind, kind, `entry ${number} was acknowledged and is ${JSON.stringify(known.get(number))}`);
	const approvals = rows(path.join(stateOf(house), 'store/store.db'), 'SELECT id, state, arguments, intent FROM approvals')
		.map(([id, state_, args, intent]) => ({id, state: state_, text: JSON.parse(args).text, intent}));
	const byId = new Map(approvals.map((one) => [one.id, one]));
	for (const id of ledger.approved)
		assert.equal(byId.get(id)?.state, 'consumed', `the approval ${id} was given, and is ${JSON.stringify(byId.get(id))}`);
	const consumed = approvals.filter((one) => one.state === 'consumed');
	for (const {id, intent} of consumed) {
		assert.equal(known.get(intent)?.kind, 'call.intent', `approval ${id} was used without an intent: ${intent}`);
		assert.equal(known.get(intent).approval, id);
	}
	assert.equal(new Set(consumed.map(({intent}) => intent)).size, consumed.length, 'one intent used two approvals');
	const marks = fs.readFileSync(house.path('workspace/marks'), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line).text);
	const effects = countBy(marks, (text) => text), uses = countBy(consumed, ({text}) => text);
	for (const [text, count] of effects)
		assert.ok(count <= (uses.get(text) ?? 0), `${text} ran ${count} times with ${uses.get(text) ?? 0} approvals used`);
	for (const [text, count] of ledger.granted)
		assert.ok((effects.get(text) ?? 0) >= count, `${text} was said to have run ${count} times and ran ${effects.get(text) ?? 0}`);
	return {
		entries: known.size, acknowledged: ledger.entries.size, asked: approvals.length, approved: ledger.approved.size, consumed: consumed.length, effects: marks.length,
		withoutEffect: consumed.length - marks.length, pending: approvals.filter((one) => one.state === 'pending').length,
	};
}

test(`${kills} kills under load`, {timeout: 180000 + kills * 3000}, async (t) => {
	const house = new House(undefined, {name: 'faults'});
	const ledger = new Ledger(), counts = {};
	const person = new Person(house, ledger);
	const began = Date.now();
	let stopped = false, finished = false; // the load; and the one who sees to it that there is a family while the load ends
	let load = [], others = [];
	const stop = () => stopped;
	t.diagnostic(`BAWN_SEED=${seed}`);
	try {
		house.write(policy(house));
		define(house, 0);
		const first = await house.openRaw('dev', 'odd'); // which starts the family
		await withShifty(house, stop, async (client) => await shownVersion(client, ledger) === 0);
		assert.equal((await person.setPin()).status, 0);
		await first.end();
		load = [...Array.from({length: clients}, (_, number) => agent(house, ledger, person, number, stop)), shifter(house, ledger, person, stop)];
		const kept = keeper(house, () => finished);
		others = [kept];
		await Promise.race([killer(house, ledger, counts), Promise.all(load), kept]);
		stopped = true;
		await Promise.all(load);
		finished = true;
		await kept;
		const rest = await useTheRest(house, ledger, person);
		await checkPins(house, ledger);
		person.close();
		await house.ok(['shutdown']);
		await eventually(() => !familyOf(house).init, 'the end of the family');
		const figures = await check(house, ledger);
		t.diagnostic(JSON.stringify({seed, kills: counts, seconds: Math.round((Date.now() - began) / 1000), ...figures, ...rest, versions: ledger.offered, versionsAccepted: ledger.accepted.size, versionsShown: ledger.shown.size, refusals: ledger.refusals,
			people: ledger.people}));
		assert.ok(figures.effects > 0 && figures.consumed > 0, 'nothing was tried');
	} catch (error) {
		error.message += ` (BAWN_SEED=${seed}, killed: ${JSON.stringify(counts)}, in ${house.root})`;
		throw error;
	} finally {
		stopped = finished = true;
		person.close();
		await Promise.allSettled([...load, ...others]);
		await house.close({leaveFolder: process.env.BAWN_KEEP !== undefined});
	}
});
