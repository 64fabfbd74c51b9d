// The store's file in every state that it can be found in: each has one clear line, and nothing is done with less.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import {spawn, spawnSync} from 'node:child_process';
import {houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, eventually} from './lib/house.mjs';

async function storeFile(house) {
	await house.serve();
	const {state} = await house.status();
	await house.ok(['shutdown']);
	return path.join(state, 'store', 'store.db');
}

/** Python's own SQLite: what another program does to the file. */
function sql(file, statement) {
	const done = spawnSync('python3', ['-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.close()', file,
		statement], {encoding: 'utf8'});
	assert.equal(done.status, 0, done.stderr);
}

/** `bawn serve` ends with 1, and says this on one line that begins with "bawn: ". */
async function assertDoesNotServe(house, why) {
	const done = await house.run(['serve']);
	assert.equal(done.code, 1, done.stderr);
	const lines = done.stderr.split('\n').filter((line) => line.startsWith('bawn: '));
	assert.equal(lines.length, 1, done.stderr);
	assert.match(lines[0], why);
}

houseTest('store: it is only its user\'s to read', oddPolicy(), async (house) => {
	const file = await storeFile(house);
	assert.equal(fs.statSync(file).mode & 0o077, 0);
	assert.equal(fs.statSync(path.dirname(file)).mode & 0o077, 0);
	assert.deepEqual(fs.readdirSync(path.dirname(file)), ['store.db'], 'nothing else is left after an orderly end');
});

houseTest('store: a damaged file', oddPolicy(), async (house) => {
	const file = await storeFile(house);
	const fd = fs.openSync(file, 'r+');
	fs.writeSync(fd, Buffer.alloc(8192, 0x5a), 0, 8192, 4096);
	fs.closeSync(fd);
	await assertDoesNotServe(house, /store: the store is damaged: .*bawn restore/);
});

houseTest('store: a file that is no store', oddPolicy(), async (house) => {
	const file = await storeFile(house);
	fs.writeFileSync(file, 'these are the words of somebody else\n'.repeat(500));
	await assertDoesNotServe(house, /store: the store is damaged/);
	fs.rmSync(file);
	sql(file, 'CREATE TABLE other (x)');
	await assertDoesNotServe(house, /store: the store's file store\.db is not one of Bawn's/);
});

houseTest('store: a newer version\'s', oddPolicy(), async (house) => {
	const file = await storeFile(house);
	sql(file, 'PRAGMA user_version = 99');
	await assertDoesNotServe(house, /store: the store was written by a newer Bawn \(version 99; this one knows up to \d+\)/);
});

houseTest('store: somebody else has it', oddPolicy(), async (house) => {
	const file = await storeFile(house);
	const holder = spawn('python3', ['-c', 'import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute("BEGIN EXCLUSIVE"); print("held", flush=True); sys.stdin.read()',
		file], {stdio: ['pipe', 'pipe', 'inherit']});
	await new Promise((resolve) => { holder.stdout.once('data', resolve); });
	try {
		await assertDoesNotServe(house, /store: the store is in use by another family/);
	} finally {
		holder.stdin.end();
		await new Promise((resolve) => { holder.once('exit', resolve); });
	}
	await house.serve();
});

houseTest('store: a folder that cannot be written, or is a file', oddPolicy(), async (house) => {
	const file = await storeFile(house);
	fs.rmSync(path.dirname(file), {recursive: true});
	fs.writeFileSync(path.dirname(file), '');
	await assertDoesNotServe(house, /cannot prepare .*: Not a directory/);
});

houseTest('store: it is killed, and is there again', oddPolicy(), async (house) => {
	await house.serve();
	const client = await house.openRaw('dev', 'odd');
	assertGranted((await client.call('echo', {text: 'x'})).result);
	for (let round = 0; round < 3; round++) {
		const {pid, restarts} = (await house.status()).processes.find(({name}) => name === 'store');
		process.kill(pid, 'SIGKILL');
		await eventually(async () => {
			const store = (await house.status()).processes.find(({name}) => name === 'store');
			return store.ready && store.restarts > restarts;
		}, 'the store\'s restart');
		assertGranted((await client.call('echo', {text: 'x'})).result);
	}
	await house.recorded((entry) => entry.kind === 'process.exit' && entry.process === 'store', 'its end');
});
