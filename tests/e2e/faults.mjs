// A server that fails, in every way that it can: its calls fail with `server_failed`, it is started again, and nobody else notices.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, assertRefused, eventually, textOf} from './lib/house.mjs';

async function assertGoesOn(client) {
	assertGranted((await client.call('echo', {text: 'again'})).result, '^again$');
}

async function startsSoFar(client) {
	return Number(textOf((await client.call('starts', {})).result));
}

// What the server does during a call; each time it has to be started anew.
const breakers = {
	crash: 'it exits',
	abort: 'it aborts',
	garbage: 'it writes what is no JSON',
	other_id: 'it answers a call that nobody made',
	two_readings: 'it answers with a key twice',
	not_a_result: 'its result is no result',
};

for (const [tool, what] of Object.entries(breakers)) {
	houseTest(`server: ${what}`, oddPolicy({timeout: '10s'}), async (house) => {
		const other = await house.openRaw('dev', 'odd');
		const client = await house.openRaw('dev', 'odd');
		const before = await startsSoFar(client);
		const intent = assertRefused((await client.call(tool, {})).result, 'server_failed', 'execute');
		const outcome = await house.recorded((entry) => entry.kind === 'call.outcome' && entry.intent === intent, 'the outcome');
		assert.equal(outcome.outcome, 'server_failed');
		await assertGoesOn(client);
		assert.ok(await startsSoFar(client) > before, 'it was started again');
		await assertGoesOn(other);
	});
}

houseTest('server: it answers too deep', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const answer = await client.call('deep', {depth: 5000});
	assertRefused(answer.result, 'server_failed', 'execute');
	await assertGoesOn(client);
});

houseTest('server: it never answers one call', oddPolicy({timeout: '8s'}), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	assertRefused((await client.call('never', {})).result, 'server_failed', 'execute');
	assertGranted((await client.call('cancellations', {})).result, '^1$');
	await assertGoesOn(client);
});

// What keeps the server from answering anything: it is only well again when it was started anew.
const hangers = {
	spin: 'it never answers anything any more',
	close: 'it closes its output and lives on',
	endless: 'it writes a line without an end',
};

for (const [tool, what] of Object.entries(hangers)) {
	houseTest(`server: ${what}`, oddPolicy({timeout: '8s'}), async (house) => {
		const other = await house.openRaw('dev', 'odd');
		const client = await house.openRaw('dev', 'odd');
		assertGranted((await client.call('echo', {text: 'x'})).result);
		assertRefused((await client.call(tool, {})).result, 'server_failed', 'execute');
		assertGranted((await other.call('echo', {text: 'unharmed'})).result, 'unharmed');
		await eventually(async () => !(await client.call('echo', {text: 'again'})).result.isError, 'a new start');
	});
}

// Long before its call's time is up: skimming costs processor time, and the reader is one for the whole session.
houseTest('server: a line without an end is cut off after 64 MiB', oddPolicy({timeout: '50s'}), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const intent = assertRefused((await client.call('endless', {})).result, 'server_failed', 'execute');
	const fault = await house.recorded(({kind, seq}) => kind === 'server.fault' && seq > intent, 'the fault');
	assert.match(fault.why, /a line of more than 64 MiB/);
	await assertGoesOn(client);
});

houseTest('server: an answer that comes twice counts once', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const id = client.nextId();
	await client.request('tools/call', {name: 'twice', arguments: {}}, id);
	await assertGoesOn(client);
	const answers = client.received.filter((message) => message.id === id);
	assert.deepEqual(answers.map(({result}) => textOf(result)), ['first']);
});

houseTest('server: an error of its own is passed on, and recorded', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const answer = await client.call('rpc_error', {});
	assert.match(JSON.stringify(answer), /the server says no/);
	await assertGoesOn(client);
});

houseTest('server: it floods its standard error', oddPolicy({timeout: '5s'}), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	const {result} = await client.call('flood', {mebibytes: 64});
	// It may be slowed down until its time is up; what counts is that nobody else is, and that little is kept.
	assert.ok(!result.isError || result._meta['bawn/code'] === 'server_failed', textOf(result));
	assertGranted((await other.call('echo', {text: 'unharmed'})).result, 'unharmed');
	await eventually(async () => !(await client.call('echo', {text: 'again'})).result.isError, 'a server that answers');
	let kept = 0;
	for (const file of fs.readdirSync(house.path('state'), {recursive: true}))
		kept += fs.statSync(path.join(house.path('state'), file)).size;
	assert.ok(kept < 16 << 20, `${kept} bytes are kept`);
	assert.ok(!client.stderr.includes('xxxx'), 'the agent is not shown it');
});

// What the server does instead of starting as it should.
const starts = {
	exit: 'it ends at once',
	silent: 'it never answers initialize',
	garbage: 'it greets before it speaks',
	old: 'it speaks a version that is not known',
	'no-tools': 'it has no tools',
};

for (const [start, what] of Object.entries(starts)) {
	houseTest(`server at its start: ${what}`, oddPolicy({args: [`--start=${start}`], timeout: '1s'}), async (house) => {
		const client = await house.openRaw('dev', 'odd');
		assertRefused((await client.call('echo', {text: 'x'})).result, 'server_failed', 'execute');
		assert.deepEqual((await client.request('ping')).result, {}, 'the session itself goes on');
		await house.recorded(({kind}) => kind === 'server.fault' || kind === 'server.exit', 'what the server did');
	});
}

houseTest('server at its start: there is no such program', (house) => {
	const policy = oddPolicy()(house);
	policy.servers.odd.command = ['/opt/servers/no-such-program'];
	return policy;
}, async (house) => {
	const client = await house.openRaw('dev', 'odd');
	assertRefused((await client.call('echo', {text: 'x'})).result, 'server_failed', 'execute');
	await house.recorded(({kind, why}) => /^server\.(fault|exit)$/.test(kind) && why, 'the reason');
});

houseTest('a tool whose schema cannot be enforced is withheld, with the reason', oddPolicy({args: ['--start=unknown-keyword']}), async (house) => {
	const client = await house.connect('dev', 'odd');
	const names = (await client.listTools()).tools.map(({name}) => name);
	assert.ok(names.includes('echo') && !names.includes('strange'));
	assertRefused(await client.callTool({name: 'strange', arguments: {}}), 'not_granted', 'grant');
	const listed = await house.recorded(({kind}) => kind === 'server.tools', 'the list of tools');
	assert.match((await house.entry(listed.seq)).withheld.join(), /strange: .+/);
});

houseTest('a server that adds a tool: it is withheld, and the others work on', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	await client.request('tools/list');
	assertGranted((await client.call('changes_tools', {})).result, 'changed');
	await house.recorded(({kind}) => kind === 'pins.withheld', 'that it is withheld');
	const names = (await client.request('tools/list')).result.tools.map(({name}) => name);
	assert.ok(!names.includes('new_tool'));
	assertRefused((await client.call('new_tool', {})).result, 'not_granted', 'grant');
	assertGranted((await client.call('echo', {text: 'x'})).result, 'x');
});

houseTest('a server that keeps failing is started less and less often, and is seen in bawn status', oddPolicy({args: ['--start=exit'], timeout: '1s'}), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	await eventually(async () => (await house.status()).sessions[0].starts >= 3, 'three starts');
	assert.deepEqual((await client.request('ping')).result, {});
});
