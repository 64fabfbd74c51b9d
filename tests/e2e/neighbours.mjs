// What one session does, be it its agent or its server, neither ends nor starves another one, and is on the record as what it is.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import {houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, assertRefused, eventually, ownServer} from './lib/house.mjs';

/** Nobody of the family was restarted, none is said to have broken its rules, and the other session still gets its answers. */
async function assertUndisturbed(house, other) {
	assertGranted((await other.call('echo', {text: 'undisturbed'})).result, '^undisturbed$');
	for (const {name, restarts} of (await house.status()).processes)
		assert.equal(restarts, 0, `${name} was restarted`);
	assert.deepEqual((await house.entries()).filter(({kind}) => /^process\.(misbehaved|exit)$/.test(kind)), []);
}

houseTest('an argument\'s name that has to be cut in the reason of a refusal', oddPolicy(), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	for (const start of ['', 'x', 'xx', 'xxx']) {
		const name = start + '\u00e9'.repeat(150);
		const entry = assertRefused((await client.call('integers', {[name]: 'no integer'})).result, 'bad_arguments', 'arguments');
		assert.match((await house.entry(entry)).why, /\u00e9\.\.\. must be an integer/);
	}
	await assertUndisturbed(house, other);
});

/** The odd policy, and a second server that says too much. */
function floodPolicy(house, args = []) {
	const policy = oddPolicy()(house);
	policy.servers.flood = ownServer('flood.mjs', {args, timeout: '60s'});
	for (const tool of ['flood', 'ready', 'never'])
		policy.tools[`flood.${tool}`] = {effect: 'read'};
	policy.agents.dev.allow.push('flood.*');
	return policy;
}

/** In KiB, since the process began. */
function mostMemory(pid) {
	return Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmHWM:\s+(\d+)/m)[1]);
}

/** Once a process has used no processor for a while. */
async function idle(pid) {
	let used, same = 0;
	await eventually(() => {
		const now = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ').slice(11, 13).join();
		same = now === used ? same + 1 : 0;
		used = now;
		return same > 30;
	}, `process ${pid} comes to rest`);
}

// More bytes of each than a channel's queue may hold, at a moment at which the judge takes none.
for (const [kind, amount] of Object.entries({pings: 2000000, changes: 2000000, progress: 200000})) {
	houseTest(`a server that floods with ${kind}`, floodPolicy, async (house) => {
		const other = await house.openRaw('dev', 'odd');
		const client = await house.openRaw('dev', 'flood');
		assertGranted((await other.call('echo', {text: 'ready'})).result);
		const {processes} = await house.status();
		const judge = processes.find(({name}) => name === 'judge').pid;
		assertGranted((await client.call('flood', {kind, amount})).result, 'as you wish');
		process.kill(judge, 'SIGSTOP');
		try {
			for (const {pid} of processes.filter(({name}) => name === 'gateway')) {
				await idle(pid);
				assert.ok(mostMemory(pid) < 48 << 10, 'nothing piles up');
			}
		} finally {
			process.kill(judge, 'SIGCONT');
		}
		for (let i = 0; i < 100; i++)
			assertGranted((await other.call('echo', {text: `${i}`})).result, `^${i}$`);
		await assertUndisturbed(house, other);
	});
}

function* lines(count, make) {
	for (let i = 0; i < count; i++)
		yield `${make(i)}\n`;
}

houseTest('an agent that calls and cancels faster than anything is decided', floodPolicy, async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'flood');
	const id = (i) => `cancelled-${i}`;
	assertGranted((await client.call('ready', {})).result);
	await client.write([...lines(2000, (i) => [
		JSON.stringify({jsonrpc: '2.0', id: id(i), method: 'tools/call', params: {name: 'never', arguments: {}}}),
		JSON.stringify({jsonrpc: '2.0', method: 'notifications/cancelled', params: {requestId: id(i)}}),
	].join('\n'))].join(''));
	assertGranted((await client.call('ready', {})).result, 'ready');
	assert.deepEqual(client.received.filter((message) => String(message.id).startsWith('cancelled-')), [], 'what was cancelled is not answered');
	// Nobody waits for an outcome's entry.
	const ended = async () => (await house.entries()).filter(({kind, outcome}) => kind === 'call.outcome' && outcome === 'cancelled').length;
	await eventually(async () => await ended() === 2000, 'each is on the record');
	await assertUndisturbed(house, other);
});

houseTest('an agent that sends calls of two readings without waiting', oddPolicy(), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	assertGranted((await client.call('echo', {text: 'ready'})).result);
	await client.write([...lines(2000, (i) =>
		`{"jsonrpc":"2.0","id":"two-${i}","method":"tools/call","params":{"name":"echo","arguments":{"text":"a","text":"b"}}}`)].join(''));
	assertGranted((await client.call('echo', {text: 'still here'})).result, 'still here');
	const refused = (await house.entries()).filter(({kind, code}) => kind === 'call.refused' && code === 'bad_arguments');
	assert.equal(refused.length, 2000, 'each is on the record');
	await assertUndisturbed(house, other);
});

houseTest('an agent with large arguments that nothing takes: its attempts are recorded, and so are those of others', oddPolicy(), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	const large = 'x'.repeat(3900000);
	let codes = [];
	assertGranted((await client.call('echo', {text: 'ready'})).result);
	const attempts = Promise.all(Array.from({length: 40}, async () => codes.push((await client.call('integers', {large})).result._meta['bawn/code'])));
	for (let done = false; !done; done = codes.length === 40)
		assertGranted((await other.call('echo', {text: 'x'})).result);
	await attempts;
	assert.deepEqual([...new Set(codes)], ['bad_arguments']);
	await assertUndisturbed(house, other);
});

const ofFlood = ({server}) => server === 'flood';

houseTest('a server whose definitions take long to be understood', (house) => floodPolicy(house, ['--heavy']), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	assertGranted((await other.call('echo', {text: 'ready'})).result);
	await house.openRaw('dev', 'flood');
	await eventually(async () => (await house.entries()).some((entry) => ofFlood(entry) && entry.kind === 'server.initialized'), 'its handshake');
	for (let i = 0; i < 200; i++)
		assertGranted((await other.call('echo', {text: 'meanwhile'})).result, 'meanwhile');
	assert.equal((await house.status()).sessions.find(ofFlood).state, 'listing', 'others are heard before it is understood');
	await assertUndisturbed(house, other);
});

houseTest('a server whose definitions take too much memory: the rest of them is withheld', (house) => floodPolicy(house, ['--many']), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'flood');
	await client.request('tools/list');
	const {seq} = (await house.entries()).find((one) => ofFlood(one) && one.kind === 'server.tools');
	assert.match((await house.entry(seq)).withheld.join(), /take too much memory/);
	await assertUndisturbed(house, other);
});

houseTest('a server that is never done with changing its tools', (house) => floodPolicy(house, ['--restless']), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'flood');
	await client.request('tools/list');
	await client.until(({method}) => method === 'notifications/tools/list_changed', 'the first change');
	for (let i = 0; i < 300; i++)
		assertGranted((await other.call('echo', {text: 'x'})).result);
	const changes = (await house.entries()).filter((entry) => ofFlood(entry) && entry.kind === 'server.tools').length;
	assert.ok(changes < 15, `${changes} of them are on the record`);
	await assertUndisturbed(house, other);
});
