// soak.mjs [SECONDS]: calls without a pause from four clients, reconnects, crashes of the server and reloads of the policy, for that
// long. Then nothing may have grown (memory, descriptors, processes), and the log must verify. Prints what it did and saw.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import {House, assertGranted, eventually, textOf} from '../e2e/lib/house.mjs';
import {oddPolicy} from '../e2e/lib/check.mjs';

const seconds = Number(process.argv[2] ?? 60);
const end = Date.now() + seconds * 1000;
const counts = {calls: 0, refusals: 0, crashes: 0, sessions: 0, reloads: 0};

/** KiB that belong to the processes alone or in part (PSS), and how many descriptors they hold. */
async function measure(house) {
	const {processes} = await house.status();
	let memory = 0;
	let descriptors = 0;
	for (const {pid} of processes) {
		try {
			memory += Number(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss:\s+(\d+)/m)[1]);
			descriptors += fs.readdirSync(`/proc/${pid}/fd`).length;
		} catch (error) {
			assert.equal(error.code, 'EACCES');
		}
	}
	return {processes: processes.length, memory, descriptors};
}

async function oneClient(house, number) {
	while (Date.now() < end) {
		const client = await house.connect('dev', 'odd');
		counts.sessions++;
		for (let i = 0; i < 500 && Date.now() < end; i++) {
			const text = `${number} ${i}`;
			const result = await client.callTool({name: 'echo', arguments: {text}});
			assertGranted(result);
			assert.equal(textOf(result), text);
			const refused = await client.callTool({name: 'echo', arguments: {text, surplus: true}});
			assert.equal(refused._meta['bawn/code'], 'bad_arguments');
			counts.calls++;
			counts.refusals++;
		}
		if (number === 0) {
			const crashed = await client.callTool({name: 'crash', arguments: {}});
			assert.equal(crashed._meta['bawn/code'], 'server_failed');
			counts.crashes++;
		}
		await client.close();
	}
}

async function reloads(house) {
	while (Date.now() < end) {
		await house.ok(['reload']);
		counts.reloads++;
	}
}

async function main() {
	const house = new House(undefined, {name: 'soak'});
	try {
		house.write(oddPolicy()(house));
		await house.serve();
		// A first round, so that what is only allocated once is there.
		const warm = await house.connect('dev', 'odd');
		await warm.close();
		await eventually(async () => (await house.status()).sessions.length === 0, 'the end of the first session');
		const before = await measure(house);
		await Promise.all([...[0, 1, 2, 3].map((number) => oneClient(house, number)), reloads(house)]);
		await eventually(async () => (await house.status()).sessions.length === 0, 'the end of all sessions');
		const after = await measure(house);
		console.log(JSON.stringify({seconds, ...counts, before, after}));
		assert.equal(after.processes, before.processes, 'a process was left');
		assert.ok(after.descriptors <= before.descriptors + 4, 'descriptors were left');
		assert.ok(after.memory <= before.memory + 16384, 'memory was left');
		console.log((await house.ok(['audit', 'verify'])).stdout.trim());
	} finally {
		await house.close();
	}
}

await main();
