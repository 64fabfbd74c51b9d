// What an agent's own shell, under the same user, can do at the control socket: ask wrongly, ask much, and not listen. Nothing of it may end or fill a process
// of the family, or keep a person from being answered.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import {houseTest} from './lib/check.mjs';
import {Control} from './lib/control.mjs';
import {assertRefused, ownServer} from './lib/house.mjs';

function policy(house) {
	return {
		version: 1,
		servers: {odd: ownServer('odd.mjs', {workspace: house.folder('workspace')})},
		tools: {'odd.mark': {effect: 'destructive'}},
		agents: {dev: {ask: [{tool: 'odd.mark', args: {text: {type: 'string'}}, within: '12h'}]}},
	};
}

/** The id of a record as large as there is one. */
async function askLarge(house) {
	const client = await house.connect('dev', 'odd');
	const result = await client.callTool({name: 'mark', arguments: {text: 'x'.repeat(3900000)}});
	assertRefused(result, 'needs_approval', 'approval');
	return result._meta['bawn/approval'].id;
}

function connectMany(house, t, count) {
	return Promise.all(Array.from({length: count}, async () => {
		const control = await Control.connect(house);
		t.after(() => control.close());
		return control;
	}));
}

const processOf = async (house, name) => (await house.status()).processes.find((one) => one.name === name);

async function assertUnharmed(house) {
	for (const name of ['console', 'store', 'judge'])
		assert.equal((await processOf(house, name)).restarts, 0, name);
}

/** The most memory that the process ever had, in MiB. */
async function mostMemory(house, name) {
	const {pid} = await processOf(house, name);
	return Number(/^VmHWM:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

houseTest('own shell: many read a large record at once', policy, async (house, t) => {
	await house.serve();
	const id = await askLarge(house);
	const readers = await connectMany(house, t, 40);
	const answers = await Promise.all(readers.map((reader) => reader.read(id)));
	assert.deepEqual(answers.filter(({status}) => status !== 0), []);
	await assertUnharmed(house);
	assert.ok(await mostMemory(house, 'store') < 128);
});

houseTest('own shell: many ask for a large record and never read it', policy, async (house, t) => {
	await house.serve();
	const id = await askLarge(house);
	const hoarders = await connectMany(house, t, 40);
	await Promise.all(hoarders.map((hoarder) => hoarder.hoard(id)));
	const [reader] = await connectMany(house, t, 1);
	assert.equal((await reader.read(id)).status, 0);
	await assertUnharmed(house);
	assert.ok(await mostMemory(house, 'console') < 128);
});

houseTest('own shell: who does not wait for his answer is closed', policy, async (house, t) => {
	await house.serve();
	const id = await askLarge(house);
	const [hasty, patient] = await connectMany(house, t, 2);
	await assert.rejects(hasty.hurry(id), /the connection ended/);
	assert.equal((await patient.read(id)).status, 0);
	await assertUnharmed(house);
});
