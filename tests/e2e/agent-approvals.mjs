// Acts that wait for a person, from the agent's side: what each call hears, what runs and what does not, and what the record says of it.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {spawnSync} from 'node:child_process';
import {houseTest} from './lib/check.mjs';
import {Control} from './lib/control.mjs';
import {assertGranted, assertRefused, eventually, ownServer, textOf} from './lib/house.mjs';

const pin = '274 trees';

/** One agent: what it marks waits for a person, what it echoes does not. */
function policy({ask = [{tool: 'odd.mark', args: {text: {type: 'string'}}, within: '12h'}], facts = 'destructive', more = {}} = {}) {
	return (house) => ({
		version: 1,
		servers: {odd: ownServer('odd.mjs', {workspace: house.folder('workspace')})},
		tools: {'odd.mark': {effect: facts}, 'odd.echo': {effect: 'read'}},
		agents: {dev: {allow: ['odd.echo'], ask}, ...more},
	});
}

/** A family, a client of the official SDK, and a person who has set the PIN. */
async function begin(house) {
	await house.serve();
	const client = await house.connect('dev', 'odd');
	const person = await Control.connect(house);
	assert.deepEqual((await person.setPin(pin)).status, 0);
	return {client, person};
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

houseTest('approvals: asked, approved, used once', policy(), async (house) => {
	const {client, person} = await begin(house);
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
