// The family under the worst: each of its processes killed, the disk full. What was acknowledged stays on the log, no process is left
// behind, and it is whole again, or down with a reason.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {test} from 'node:test';
import {spawn, spawnSync} from 'node:child_process';
import {facts, houseTest, oddPolicy} from '../e2e/lib/check.mjs';
import {House, assertGranted, bawn, eventually, family, isRoot, survivors} from '../e2e/lib/house.mjs';

/** Every call writes, so that each acknowledged entry has been synced. */
function writingPolicy(house) {
	return {...oddPolicy()(house), tools: facts('odd', 'write')};
}

/** Calls without a pause until the client is closed; keeps the entries that were acknowledged. */
async function callUntilClosed(client, acknowledged) {
	for (;;) {
		const answer = await client.call('echo', {text: 'x'}).catch(() => undefined);
		if (!answer)
			return;
		if (answer.result && !answer.result.isError)
			acknowledged.push(answer.result._meta['bawn/entry']);
	}
}

async function assertLogWhole(house, acknowledged) {
	await house.ok(['audit', 'verify']);
	const known = new Map((await house.entries()).map((entry) => [entry.seq, entry]));
	for (const number of acknowledged)
		assert.equal(known.get(number)?.kind, 'call.intent', `entry ${number} is lost`);
}

/** Opens a session anew until a call goes through: the family came back, or a new one was started. */
async function assertServesAgain(house) {
	await eventually(async () => {
		const client = house.raw('dev', 'odd');
		const answer = await client.initialize().catch(() => undefined);
		const called = answer?.result && await client.call('echo', {text: 'back'}).catch(() => undefined);
		await client.kill();
		return called?.result && !called.result.isError;
	}, 'a session that works');
}

for (const victim of ['launcher', 'judge', 'audit', 'console', 'gateway', 'server', 'init']) {
	houseTest(`kill -9: ${victim}`, writingPolicy, async (house) => {
		const server = await house.serve();
		const client = await house.openRaw('dev', 'odd');
		const acknowledged = [];
		for (let i = 0; i < 20; i++)
			acknowledged.push(assertGranted((await client.call('echo', {text: 'x'})).result));
		const {processes, sessions} = await house.status();
		const pid = victim === 'server' ? sessions[0].pid : processes.find(({name}) => name.startsWith(victim)).pid;
		const before = family(server.pid);
		const calls = callUntilClosed(client, acknowledged);
		process.kill(pid, 'SIGKILL');
		if (victim === 'init') {
			assert.equal((await server.closed).signal, 'SIGKILL');
			await eventually(() => survivors(before).length === 0, 'the end of all that init had started');
		}
		await assertServesAgain(house);
		// A session that outlived it goes on working by itself.
		const known = acknowledged.length;
		await eventually(() => client.ended || acknowledged.length > known, 'the old session works, or has ended');
		await client.kill();
		await calls;
		const status = await house.status();
		if (victim !== 'init' && victim !== 'gateway' && victim !== 'server')
			assert.ok(status.processes.find(({name}) => name === victim).restarts >= 1, JSON.stringify(status.processes));
		assert.ok(!survivors(before).includes(pid));
		await assertLogWhole(house, acknowledged);
	});
}

// They come back in whatever order, and the judge needs the others before it can be given its policy.
for (const pair of [['judge', 'store'], ['judge', 'audit'], ['judge', 'audit', 'store']]) {
	houseTest(`kill -9 of ${pair.join(' and ')} at once, again and again: the family is whole again each time`, writingPolicy, async (house) => {
		await house.serve();
		for (let round = 0; round < 4; round++) {
			const {processes} = await eventually(async () => {
				const done = await house.run(['status', '--json']);
				const status = done.code === 0 ? JSON.parse(done.stdout) : {processes: []};
				return pair.every((name) => status.processes.some((one) => one.name === name && one.pid && one.ready)) && status;
			}, 'all of them run');
			for (const name of pair)
				process.kill(processes.find((one) => one.name === name).pid, 'SIGKILL');
			await assertServesAgain(house);
		}
		await house.ok(['audit', 'verify']);
	});
}

houseTest('kill -9 of everything at once, again and again: the log stays whole', writingPolicy, async (house) => {
	const acknowledged = [];
	for (let round = 0; round < 5; round++) {
		const client = await house.openRaw('dev', 'odd');
		const {processes} = await house.status();
		const members = processes.flatMap(({pid}) => family(pid));
		const calls = callUntilClosed(client, acknowledged);
		await client.until(() => client.received.length > 5 + round * 10, 'some calls');
		for (const {pid} of processes) {
			try {
				process.kill(pid, 'SIGKILL');
			} catch (error) {
				assert.equal(error.code, 'ESRCH');
			}
		}
		await calls;
		await client.kill();
		await eventually(() => survivors(members).length === 0, 'the end of all');
	}
	await assertServesAgain(house);
	assert.ok(acknowledged.length > 0);
	await assertLogWhole(house, acknowledged);
});

houseTest('a log that was tampered with: verify names the entry, and the family does not start on it', writingPolicy, async (house) => {
	const client = await house.openRaw('dev', 'odd');
	for (let i = 0; i < 10; i++)
		assertGranted((await client.call('echo', {text: 'x'})).result);
	await client.end();
	await house.ok(['shutdown']);
	const files = fs.readdirSync(house.path('state'), {recursive: true}).map((file) => house.path('state', file)).filter((file) => fs.statSync(file).isFile());
	const log = files.find((file) => fs.readFileSync(file).includes('call.intent'));
	const bytes = fs.readFileSync(log);
	const at = bytes.indexOf('call.intent');
	bytes[at] ^= 1;
	fs.writeFileSync(log, bytes);
	const verified = await house.run(['audit', 'verify']);
	assert.equal(verified.code, 1, JSON.stringify(verified));
	assert.match(verified.stdout + verified.stderr, /entry \d+/);
	const started = await house.run(['serve']);
	assert.equal(started.code, 1, JSON.stringify(started));
	assert.match(started.stderr, /^bawn.*entry \d+/m);
});

/** `bawn serve` with a small file system of its own where the state goes, in a mount namespace that nobody else sees. */
function serveOnSmallDisk(house) {
	const script = 'mount -t tmpfs -o size=4m tmpfs "$1" && exec "$2" serve';
	return house.serve([], {command: ['unshare', '--mount', 'sh', '-c', script, 'sh', house.path('state'), bawn]});
}

test('a full disk', {timeout: 60000, skip: isRoot ? false : 'only root may make a small disk'}, async (t) => {
	if (spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status !== 0) {
		t.skip('no file system may be mounted here');
		return;
	}
	const house = new House();
	try {
		house.write(writingPolicy(house));
		const server = await serveOnSmallDisk(house);
		const disk = path.join('/proc', String(server.pid), 'root', house.path('state'));
		const client = await house.openRaw('dev', 'odd');
		const acknowledged = [assertGranted((await client.call('echo', {text: 'x'})).result)];
		const filler = path.join(disk, 'filler');
		const fill = spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4096']);
		assert.notEqual(fill.status, 0, 'the disk is full');
		// What still fits into the last block may pass; then every call is refused, and none reaches the server.
		await eventually(async () => {
			const {result} = await client.call('echo', {text: 'y'.repeat(1000)});
			if (result._meta['bawn/code'] === undefined)
				acknowledged.push(result._meta['bawn/entry']);
			return result.isError && result._meta['bawn/code'] === 'not_recorded';
		}, 'a refusal');
		const {result} = await client.call('anything', {});
		assert.equal(result._meta['bawn/code'], 'not_recorded');
		assert.match(result.content[0].text, /^not_recorded/);
		const {record} = await house.status();
		assert.equal(record.writable, false);
		assert.match(record.since, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
		assert.match(record.why, /no space/);
		assert.match((await house.ok(['status'])).stdout, /^record +CANNOT BE WRITTEN since \S+: .*no space/m);
		fs.rmSync(filler);
		await eventually(async () => {
			const again = await client.call('echo', {text: 'x'});
			if (!again.result.isError)
				acknowledged.push(again.result._meta['bawn/entry']);
			return !again.result.isError;
		}, 'recovery without anybody\'s help');
		assert.deepEqual((await house.status()).record, {writable: true});
		assert.doesNotMatch((await house.ok(['status'])).stdout, /^record/m);
		const verify = spawn('nsenter', ['--mount', `--target=${server.pid}`, bawn, 'audit', 'verify'], {env: house.env, stdio: 'inherit'});
		assert.equal(await new Promise((resolve) => verify.once('exit', resolve)), 0);
		assert.ok(acknowledged.length >= 2);
	} finally {
		await house.close();
	}
});
