// What a tools/call costs more for going through Bawn than to the server itself: policy and log on, one connection, one call after the
// other, beside mcp-proxy and supergateway in the same run. The ways take turns in several rounds; each figure is the median of the rounds.

import fs from 'node:fs';
import path from 'node:path';
import {bawnCommand, benchHouse, echo, mcpProxyStdio, median, ping, startHttpPeers, stop, table} from './lib.mjs';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const calls = Number(process.env.BENCH_CALLS ?? 3000);

/** The disk's own part in a call that writes: a small append with fdatasync, in the folder where the log is. */
function syncTime(folder) {
	const file = fs.openSync(path.join(folder, 'sync-probe'), 'a');
	const times = [];
	for (let i = 0; i < 300; i++) {
		const begin = process.hrtime.bigint();
		fs.writeSync(file, 'x'.repeat(512));
		fs.fdatasyncSync(file);
		times.push(Number(process.hrtime.bigint() - begin) / 1000);
	}
	fs.closeSync(file);
	return median(times);
}

async function measure(ways, bytes) {
	const figures = new Map(ways.map(({name}) => [name, []]));
	for (let round = 0; round < rounds; round++) {
		for (const {name, args, env, share = 1} of ways)
			figures.get(name).push(await ping(['-n', String(Math.ceil(calls * share)), '-w', '300', '-b', String(bytes), ...args], env));
	}
	const of = (name, key) => median(figures.get(name).map((figure) => figure[key]));
	const direct = {p50: of('directly', 'p50'), p99: of('directly', 'p99')};
	const bawnAdds = of('bawn, a reading tool', 'p50') - direct.p50;
	console.log(`\n${calls} calls in each of ${rounds} rounds, results of ${bytes} bytes; microseconds`);
	table(['way', 'p50', 'p99', 'max', 'added p50', 'added p99', 'times bawn\'s'], ways.map(({name}) => {
		const added = of(name, 'p50') - direct.p50;
		return [name, of(name, 'p50').toFixed(0), of(name, 'p99').toFixed(0), of(name, 'max').toFixed(0),
			...(name === 'directly' ? ['', '', ''] : [added.toFixed(0), (of(name, 'p99') - direct.p99).toFixed(0), (added / bawnAdds).toFixed(1)])];
	}));
}

const reading = benchHouse('read');
const writing = benchHouse('write');
const peers = await startHttpPeers();
try {
	await reading.serve();
	await writing.serve();
	const ways = [
		{name: 'directly', args: [echo]},
		{name: 'bawn, a reading tool', args: bawnCommand, env: reading.env},
		{name: 'bawn, a writing tool', args: bawnCommand, env: writing.env, share: 0.2},
		{name: 'mcp-proxy, stdio', args: mcpProxyStdio},
		...peers.map(({name, port}) => ({name, args: ['-p', port], share: 0.3})),
	];
	for (const bytes of [0, 1024])
		await measure(ways, bytes);
	console.log(`\nfdatasync of 512 bytes beside the log: p50 ${syncTime(writing.path('state')).toFixed(0)}`);
} finally {
	for (const {child} of peers)
		await stop(child);
	await reading.close();
	await writing.close();
}
