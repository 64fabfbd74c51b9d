// Acts that wait for a person: how long from the approval to the repeated call's result, how many approvals are used up in a second, and whether
// 100,000 stored ones slow a decision. The peer in the same run is the same call with a rule that lets it run at once.

import fs from 'node:fs';
import path from 'node:path';
import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {Control} from '../tests/e2e/lib/control.mjs';
import {House} from '../tests/e2e/lib/house.mjs';
import {echo, median, table} from './lib.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const calls = Number(process.env.BENCH_CALLS ?? 60);
const used = Number(process.env.BENCH_USED ?? 4000);
const stored = Number(process.env.BENCH_STORED ?? 100000);
const clients = 8;
const atOnce = 32;
const pin = '274 trees';

const args = {text: {type: 'string', maxLength: 100}};
const house = new House({
	version: 1,
	servers: {echo: {command: ['/opt/bench/mcp-echo'], files: [{host: path.dirname(echo), at: '/opt/bench', mode: 'ro'}]}},
	tools: {'echo.echo': {effect: 'write'}},
	agents: {asks: {ask: [{tool: 'echo.echo', args, within: '1d'}]}, free: {allow: [{tool: 'echo.echo', args}]}},
}, {name: 'bench'});

function fill(id, state, count, prefix) {
	const folder = house.path('state/bawn');
	const [family] = fs.readdirSync(folder).filter((name) => fs.existsSync(path.join(folder, name, 'store/store.db')));
	const done = spawnSync('python3', [path.join(here, 'approvals-fill.py'), path.join(folder, family, 'store/store.db'), id, state, String(count), prefix],
		{encoding: 'utf8'});
	if (done.status !== 0)
		throw new Error(done.stderr);
}

/** Milliseconds. */
async function timed(what) {
	const begin = process.hrtime.bigint();
	const result = await what();
	return [Number(process.hrtime.bigint() - begin) / 1e6, result];
}

async function call(client, text) {
	return (await client.call('echo', {text})).result;
}

/** `times` decisions of each kind: allowed, asked (a new record), asked again, approved and run. */
async function decisions(asking, free, person, prefix) {
	const times = {allowed: [], asked: [], again: [], approving: [], run: []};
	for (let i = 0; i < calls; i++) {
		const text = `${prefix}${i}`;
		times.allowed.push((await timed(() => call(free, text)))[0]);
		const [first, refused] = await timed(() => call(asking, text));
		times.asked.push(first);
		times.again.push((await timed(() => call(asking, text)))[0]);
		times.approving.push((await timed(() => person.approve(refused._meta['bawn/approval'].id, pin)))[0]);
		const [last, result] = await timed(() => call(asking, text));
		if (result.isError)
			throw new Error(JSON.stringify(result));
		times.run.push(last);
	}
	return times;
}

/** How many calls a second end with a result, many at once. */
async function rate(open, text) {
	const group = await Promise.all(Array.from({length: clients}, open));
	let next = 0, refused = 0;
	const [ms] = await timed(() => Promise.all(group.flatMap((client) => Array.from({length: atOnce}, async () => {
		while (next < used) {
			const answer = await client.call('echo', {text: `${text}${next++}`});
			refused += answer.result.isError ? 1 : 0;
			client.received.length = 0;
		}
	}))));
	if (refused)
		throw new Error(`${refused} of ${used} were refused`);
	for (const client of group)
		await client.end();
	return used / ms * 1000;
}

const figures = (times) => [median(times).toFixed(2), times.sort((a, b) => a - b)[Math.ceil(times.length * 0.99) - 1].toFixed(2)];

try {
	for (const agent of ['asks', 'free'])
		await house.ok(['agent', 'new', agent]);
	await house.serve();
	let person = await Control.connect(house);
	await person.setPin(pin);
	let asking = await house.openRaw('asks', 'echo');
	const first = await decisions(asking, await house.openRaw('free', 'echo'), person, 'few ');
	const {id} = (await call(asking, 'model'))._meta['bawn/approval'];

	await person.close();
	await house.ok(['shutdown']);
	fill(id, 'approved', used, 'use ');
	await house.serve();
	const allowed = await rate(() => house.openRaw('free', 'echo'), 'free ');
	const consumed = await rate(() => house.openRaw('asks', 'echo'), 'use ');

	await house.ok(['shutdown']);
	fill(id, 'consumed', stored, 'stored ');
	await house.serve();
	person = await Control.connect(house);
	asking = await house.openRaw('asks', 'echo');
	const many = await decisions(asking, await house.openRaw('free', 'echo'), person, 'many ');
	await person.close();

	console.log(`\n${calls} of each, one after the other; milliseconds`);
	table(['what', 'p50', 'p99', `p50 with ${stored} stored`, 'p99'], [
		['a call that runs at once (write)', 'allowed'],
		['a call that asks: a new record', 'asked'],
		['the same again, pending', 'again'],
		['approving it: the PIN, the log, the store', 'approving'],
		['the same again, approved: it runs', 'run'],
	].map(([what, key]) => [what, ...figures(first[key]), ...figures(many[key])]));
	console.log(`\n${used} calls, ${clients} clients with ${atOnce} each at once; calls a second`);
	table(['way', 'calls/s'], [['runs at once (write)', allowed.toFixed(0)], ['uses up an approval', consumed.toFixed(0)]]);
} finally {
	await house.close();
}
