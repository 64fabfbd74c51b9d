// What an agent's own shell, under the same user, can do at the control socket: ask wrongly, ask much, and not listen. Nothing of it may end or fill a process
// of the family, or keep a person from being answered.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import {houseTest} from './lib/check.mjs';
import {Control} from './lib/control.mjs';
import {House, assertRefused, ownServer} from './lib/house.mjs';
import {atTerminal, setPin, withPin} from './lib/person.mjs';

const pin = '274 trees';

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

houseTest('own shell: another PIN cannot be brought in by a backup', policy, async (house, t) => {
	const other = new House(undefined, {name: 'other'});
	t.after(() => other.close());
	other.write(policy(other));
	await other.serve();
	assert.equal((await setPin(other, 'not yours 1')).code, 0);
	const backup = house.path('forged');
	await other.ok(['backup', backup]);

	await house.serve();
	assert.equal((await setPin(house, pin)).code, 0);
	await house.ok(['shutdown']);
	const piped = await house.run(['restore', backup], {input: `${pin}\n`});
	assert.equal(piped.code, 1);
	assert.match(piped.stderr, /^bawn: a PIN is asked for on the terminal, and this process has none\n$/);
	const guessed = await withPin(house, ['restore', backup], 'not yours 1');
	assert.equal(guessed.code, 1);
	assert.match(guessed.output, /this is not the PIN; nothing was done/);

	await house.serve();
	assert.equal((await house.status()).pin.failures, 1, 'the try is counted');
	const changed = await atTerminal(house, ['approvals', 'pin'], [
		{wait: 'Old PIN: ', type: `${pin}\n`}, {wait: 'New PIN: ', type: `${pin}2\n`}, {wait: 'again: ', type: `${pin}2\n`}]);
	assert.equal(changed.code, 0, changed.output);
	await house.ok(['shutdown']);
	const restored = await withPin(house, ['restore', backup], `${pin}2`);
	assert.equal(restored.code, 0, restored.output);
});
