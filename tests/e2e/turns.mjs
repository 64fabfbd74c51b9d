// What turns while a call is on its way, judged and not yet on the record: its server, or the policy. What was judged is not what would run, so nothing may.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {houseTest} from './lib/check.mjs';
import {assertGranted, assertRefused, eventually, node, nodeFiles, servers, textOf} from './lib/house.mjs';

/** A server of the house's own, so that its code can be changed. */
function policy(house) {
	const code = house.folder('code');
	for (const name of ['shifty.mjs', 'mini.mjs'])
		fs.copyFileSync(path.join(servers, name), path.join(code, name));
	fs.writeFileSync(path.join(house.folder('workspace'), 'tools.json'), JSON.stringify({write: {description: 'Writes.'}}));
	return {
		version: 1,
		servers: {shifty: {
			command: [node, '/opt/code/shifty.mjs'],
			files: [{host: code, at: '/opt/code', mode: 'ro'}, ...nodeFiles()],
			workspace: {host: house.path('workspace'), at: '/work', mode: 'rw'},
			timeout: '20s',
		}},
		tools: {'shifty.write': {effect: 'write'}},
		agents: {dev: {allow: ['shifty.write']}},
	};
}

houseTest('turns: other code while a call waits for the record', policy, async (house) => {
	await house.serve();
	const client = await house.connect('dev', 'shifty');
	assertGranted(await client.callTool({name: 'write', arguments: {}}));
	const audit = (await house.status()).processes.find(({name}) => name === 'audit');
	const session = async () => (await house.status()).sessions[0];
	process.kill(audit.pid, 'SIGSTOP');
	try {
		const called = client.callTool({name: 'write', arguments: {}});
		await eventually(async () => (await session()).calls === 1, 'the call is judged');
		fs.appendFileSync(house.path('code/mini.mjs'), '\n// Something else.\n');
		process.kill((await session()).pid, 'SIGKILL');
		await eventually(async () => {
			const {starts, state} = await session();
			return starts === 2 && state === 'ready';
		}, 'the other code runs');
		process.kill(audit.pid, 'SIGCONT');
		const result = await called;
		assertRefused(result, 'server_failed', 'execute');
		assert.match(textOf(result), /not what it was when the call was judged; nothing was done/);
	} finally {
		process.kill(audit.pid, 'SIGCONT');
	}
	assertRefused(await client.callTool({name: 'write', arguments: {}}), 'changed_tool', 'policy');
});

async function whileItWaits(house, client, change) {
	const audit = (await house.status()).processes.find(({name}) => name === 'audit');
	process.kill(audit.pid, 'SIGSTOP');
	try {
		const called = client.callTool({name: 'write', arguments: {}});
		await eventually(async () => (await house.status()).sessions[0].calls === 1, 'the call is judged');
		await change();
		process.kill(audit.pid, 'SIGCONT');
		return await called;
	} finally {
		process.kill(audit.pid, 'SIGCONT');
	}
}

houseTest('turns: another policy while a call waits for the record', policy, async (house) => {
	const written = JSON.parse(fs.readFileSync(house.policy, 'utf8'));
	await house.serve();
	const client = await house.connect('dev', 'shifty');
	assertGranted(await client.callTool({name: 'write', arguments: {}}));
	const take = (agents, tools = written.tools) => async () => {
		house.write({...written, agents, tools});
		await house.ok(['reload']);
	};
	// What has nothing to do with it changes nothing.
	assertGranted(await whileItWaits(house, client, take({dev: {allow: ['shifty.write'], deny: ['shifty.other']}})));
	for (const stricter of [take({dev: {allow: ['shifty.write'], deny: ['shifty.write']}}), take({dev: {ask: ['shifty.write']}}),
		take({dev: {allow: [{tool: 'shifty.write', unattended: 'a test'}]}}, {'shifty.write': {effect: 'destructive'}})]) {
		await take(written.agents)();
		const result = await whileItWaits(house, client, stricter);
		const intent = assertRefused(result, 'out_of_scope', 'policy');
		assert.match(textOf(result), /nothing was done/);
		await house.recorded((entry) => entry.kind === 'call.outcome' && entry.intent === intent && entry.outcome === 'not_run', 'that it did not run');
	}
});
