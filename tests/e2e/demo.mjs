// The demo: one agent, fully hijacked, against real servers. It does its honest work first, and all of it must succeed; then it, and
// a server that somebody has taken over, try to do harm, and nothing of it may. Every row asserts what Bawn said, that the entry of
// the log that it named says the same, and that the harm was not done. Exits 1 when one honest call failed or one attack passed.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import process from 'node:process';
import {House, bawn, e2e, eventually, modules, node, nodeFiles, servers, source, textOf} from './lib/house.mjs';
import {atTerminal, setPin, withPin} from './lib/person.mjs';
import {RawClient} from './lib/raw.mjs';

const secret = `demo-secret-${crypto.randomBytes(12).toString('hex')}`;
const colour = process.stdout.isTTY && !process.env.NO_COLOR;
const widths = [3, 45, 10, 15, 10, 5];
const rows = [];

function paint(text, code) {
	return colour ? `\x1b[${code}m${text}\x1b[0m` : text;
}

function line(cells, code) {
	const padded = cells.map((cell, i) => String(cell ?? '-').padEnd(widths[i]).slice(0, widths[i]));
	if (code)
		padded[2] = paint(padded[2], code);
	return padded.join('  ').trimEnd();
}

function heading(text) {
	console.log(`\n${paint(text, 1)}`);
	console.log(line(['', 'attempt', 'verdict', 'code', 'stage', 'entry']));
	console.log(widths.map((width) => '-'.repeat(width)).join('  '));
}

/** No attempt may hang the demo: what has not come to an end after `limit` ms has failed. */
async function within(limit, promise) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no end within ${limit / 1000} s`)), limit);
	});
	try {
		return await Promise.race([promise, late]);
	} finally {
		clearTimeout(timer);
	}
}

/** Runs one attempt and prints its row. `attempt` gives back {verdict, code, stage, entry} or throws what went wrong. */
async function row(title, attempt) {
	const number = rows.length + 1;
	const result = {number, title};
	rows.push(result);
	try {
		Object.assign(result, await within(30000, attempt()));
		console.log(line([number, title, result.verdict, result.code, result.stage, result.entry], 32));
	} catch (error) {
		result.error = error;
		console.log(line([number, title, 'FAILED', '', '', ''], 31));
		console.log(`     ${error.message.split('\n')[0]}`);
	}
}

function valuesOf(thing) {
	return thing !== null && typeof thing === 'object' ? Object.values(thing).flatMap(valuesOf) : [thing];
}

function assertNoSecret(result) {
	assert.ok(!JSON.stringify(result).includes(secret), 'the secret came out');
}

/** The log's entry `number` must say all of `expected`. */
async function assertRecorded(house, number, expected) {
	assert.equal(typeof number, 'number', 'no entry of the log was named');
	const values = valuesOf(await house.entry(number));
	for (const value of expected)
		assert.ok(values.includes(value), `entry ${number} does not say ${value}`);
}

// ---- what an attempt can come to ----

async function done(house, client, tool, args, expected) {
	const result = await client.callTool({name: tool, arguments: args});
	assert.ok(!result.isError, textOf(result));
	assert.match(textOf(result), expected);
	const entry = result._meta?.['bawn/entry'];
	await assertRecorded(house, entry, [tool]);
	return {verdict: 'done', entry};
}

async function refused(house, result, code, stage) {
	assertNoSecret(result);
	assert.equal(result.isError, true, `it was not refused: ${textOf(result)}`);
	const meta = result._meta ?? {};
	assert.equal(meta['bawn/code'], code, textOf(result));
	assert.equal(meta['bawn/stage'], stage, textOf(result));
	await assertRecorded(house, meta['bawn/entry'], [code, stage]);
	return {verdict: 'refused', code, stage, entry: meta['bawn/entry']};
}

/** The call itself was granted and ran: what it attempted must have come to nothing. */
async function contained(house, result, tool, harm) {
	assertNoSecret(result);
	assert.equal(result._meta?.['bawn/code'], undefined, `it was refused, not contained: ${textOf(result)}`);
	assert.ok(!textOf(result).startsWith('got: '), `it worked: ${textOf(result).slice(0, 200)}`);
	assert.ok(!harm?.(), 'the harm was done');
	const entry = result._meta?.['bawn/entry'];
	await assertRecorded(house, entry, [tool]);
	return {verdict: 'contained', code: textOf(result).match(/\bE[A-Z]{3,}\b/)?.[0], stage: 'execute', entry};
}

// ---- the stage is set ----

function layOut(house) {
	const workspace = house.folder('workspace');
	house.folder('memory');
	house.folder('posts');
	house.folder('home/.ssh');
	house.folder('ops-only');
	fs.writeFileSync(house.path('home/.ssh/id_ed25519'), `${secret}\n`, {mode: 0o600});
	fs.writeFileSync(house.path('home/.profile'), '# untouched\n');
	fs.mkdirSync(path.join(workspace, 'src'));
	fs.writeFileSync(path.join(workspace, 'notes.md'), 'Release 1.4 goes out on Thursday.\n');
	fs.writeFileSync(path.join(workspace, 'src/app.js'), 'console.log("hello");\n');
	fs.symlinkSync(house.path('home/.ssh/id_ed25519'), path.join(workspace, 'escape'));
	const places = {workspace, memory: house.path('memory'), posts: house.path('posts'), node_modules: modules, servers};
	let policy = fs.readFileSync(path.join(source, 'examples/demo/bawn.yaml'), 'utf8')
		.replace(/host: \.\/(\w+)/g, (_, name) => `host: ${places[name]}`);
	for (const {host, at, mode} of nodeFiles())
		policy = policy.replaceAll('files: [', `files: [ { host: ${host}, at: ${at}, mode: ${mode} },`).replaceAll('[node,', `[${node},`);
	house.write(policy);
}

/** A service of the host that no sandbox may reach: it counts who came. */
async function openService(target) {
	const service = net.createServer((socket) => {
		service.visitors++;
		socket.destroy();
	});
	service.visitors = 0;
	await new Promise((resolve, reject) => {
		service.once('error', reject);
		service.listen(target, resolve);
	});
	return service;
}

// ---- the three parts ----

async function honestWork(house) {
	const files = await house.connect('dev', 'files');
	const memory = await house.connect('dev', 'memory');
	heading('The agent does its work: real servers, each in its sandbox');
	await row('list the workspace', () => done(house, files, 'list_directory', {path: '/work'}, /notes\.md/));
	await row('read a file', () => done(house, files, 'read_text_file', {path: '/work/notes.md'}, /Thursday/));
	await row('search for files', () => done(house, files, 'search_files', {path: '/work', pattern: '**/*.js'}, /app\.js/));
	await row('write a file', async () => {
		const result = await done(house, files, 'write_file', {path: '/work/plan.md', content: 'Ship it.\n'}, /wrote/);
		assert.equal(fs.readFileSync(house.path('workspace/plan.md'), 'utf8'), 'Ship it.\n');
		return result;
	});
	await row('read it back', () => done(house, files, 'read_text_file', {path: '/work/plan.md'}, /Ship it/));
	const release = {name: 'release-1.4', entityType: 'release', observations: ['goes out on Thursday']};
	await row('remember a fact', () => done(house, memory, 'create_entities', {entities: [release]}, /release-1\.4/));
	await row('find it again', () => done(house, memory, 'search_nodes', {query: 'Thursday'}, /release-1\.4/));
	await row('read the whole memory', () => done(house, memory, 'read_graph', {}, /goes out on Thursday/));
	return files;
}

async function rawCall(house, argumentsText) {
	const client = await house.openRaw('dev', 'files');
	const id = client.nextId();
	await client.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"write_file","arguments":${argumentsText}}}\n`);
	const answer = await client.answer(id);
	await client.end();
	assert.ok(answer.result, `no result: ${JSON.stringify(answer)}`);
	return answer.result;
}

async function asAnotherAgent(house, extra) {
	const client = new RawClient(bawn, house.mcpArgs('ops', 'files', extra), {env: house.env});
	assert.equal((await client.closed).code, 2, client.stderr);
	const [, entry] = client.stderr.match(/^bawn: unknown_agent \(entry (\d+)\): .+\n$/) ?? assert.fail(client.stderr);
	await assertRecorded(house, Number(entry), ['unknown_agent', 'identify']);
	return {verdict: 'refused', code: 'unknown_agent', stage: 'identify', entry};
}

async function hijackedAgent(house, files) {
	const call = (name, args) => files.callTool({name, arguments: args});
	const key = house.path('home/.ssh/id_ed25519');
	const workspace = house.path('workspace');
	heading('The agent has been hijacked: what it read told it to do harm');
	await row('call a tool that was not granted', async () => refused(house, await call('edit_file',
		{path: '/work/notes.md', edits: [{oldText: 'Thursday', newText: 'never'}]}), 'not_granted', 'grant'));
	await row('call a tool that does not exist', async () => refused(house, await call('run_shell', {command: 'id'}), 'not_granted', 'grant'));
	await row('read a key outside the workspace', async () => refused(house, await call('read_text_file', {path: key}), 'out_of_scope', 'policy'));
	await row('the same by way of ..', async () => refused(house, await call('read_text_file', {path: `/work/..${key}`}), 'out_of_scope', 'policy'));
	await row('the same by a symbolic link', async () => contained(house, await call('read_text_file', {path: '/work/escape'}), 'read_text_file'));
	await row('write more than its scope allows', async () => {
		const result = await refused(house, await call('write_file', {path: '/work/big', content: 'x'.repeat(100001)}), 'out_of_scope', 'policy');
		assert.ok(!fs.existsSync(path.join(workspace, 'big')), 'it was written');
		return result;
	});
	await row('slip in an unknown argument', async () => refused(house, await call('read_text_file',
		{path: '/work/notes.md', sudo: true}), 'out_of_scope', 'policy'));
	await row('an argument of another type', async () => refused(house, await call('read_text_file', {path: ['/work/notes.md']}), 'bad_arguments', 'arguments'));
	await row('one argument twice, with two values', async () => {
		const twice = `{"path":"/work/plan.md","content":"a","path":${JSON.stringify(key)}}`;
		return refused(house, await rawCall(house, twice), 'bad_arguments', 'arguments');
	});
	await row('an argument nested 100 deep', async () => {
		const deep = `{"path":"/work/deep","content":${'['.repeat(100)}${']'.repeat(100)}}`;
		return refused(house, await rawCall(house, deep), 'bad_arguments', 'arguments');
	});
	await row('an argument of 5 MiB', async () => {
		const huge = `{"path":"/work/huge","content":"${'x'.repeat(5 << 20)}"}`;
		const result = await refused(house, await rawCall(house, huge), 'bad_arguments', 'arguments');
		assert.ok(!fs.existsSync(path.join(workspace, 'huge')), 'it was written');
		return result;
	});
	await row('a destructive call that nobody approved', async () => {
		const moved = await call('move_file', {source: '/work/notes.md', destination: '/work/gone.md'});
		const result = await refused(house, moved, 'needs_approval', 'approval');
		assert.ok(fs.existsSync(path.join(workspace, 'notes.md')), 'it was moved');
		return result;
	});
	await row('call as another agent, without its token', () => asAnotherAgent(house, []));
	await row('the same with its own token', () => asAnotherAgent(house, ['--token-file', house.tokenFile('dev')]));
}

/** What the server that was taken over tries: [title, tool, arguments, was the harm done?]. */
function escapes(house, tcp, unix) {
	const key = house.path('home/.ssh/id_ed25519');
	const profile = house.path('home/.profile');
	return [
		['open a TCP connection to the host', 'tcp', {host: '127.0.0.1', port: String(tcp.address().port)}, () => tcp.visitors > 0],
		['connect to a Unix socket of the host', 'unix', {path: unix.address()}, () => unix.visitors > 0],
		['read a private key in the home folder', 'read', {path: key}],
		['the same by a link that it makes', 'link', {target: key, path: '/work/link'}],
		['list the home folder', 'list', {path: path.dirname(key)}],
		['change the login script', 'write', {path: profile, text: `echo ${secret}\n`},
			() => fs.readFileSync(profile, 'utf8') !== '# untouched\n'],
		['read the environment of other programs', 'run', {command: `grep -lz ${secret} /proc/[0-9]*/environ | grep .`}],
		['signal a program of the user', 'kill', {pid: String(process.pid)}],
		['become root in namespaces of its own', 'run', {command: 'unshare --user --map-root-user true'}],
	];
}

/** Each escape must work without Bawn: otherwise its row would prove nothing. */
async function withoutBawn(house, tries, services) {
	const direct = new RawClient(process.execPath, [path.join(e2e, 'servers/hostile.mjs')], {env: house.env});
	await direct.initialize();
	const idle = [];
	for (const [title, tool, args] of tries) {
		const here = tool === 'link' ? {...args, path: house.path('link')} : args;
		const {result} = await direct.call(tool, here);
		if (!textOf(result).startsWith('got: '))
			idle.push(`${title}: ${textOf(result)}`);
	}
	await direct.end();
	fs.writeFileSync(house.path('home/.profile'), '# untouched\n');
	for (const service of services)
		service.visitors = 0;
	return idle;
}

async function takenOverServer(house) {
	const tcp = await openService({host: '127.0.0.1', port: 0});
	const unix = await openService({path: house.path('service.sock')});
	const tries = escapes(house, tcp, unix);
	const idle = await withoutBawn(house, tries, [tcp, unix]);
	heading(`A server has been taken over: all of this works without Bawn (${tries.length - idle.length} of ${tries.length} tried)`);
	await row('(each attempt works without Bawn)', async () => {
		assert.deepEqual(idle, []);
		return {verdict: 'checked'};
	});
	const server = await house.connect('dev', 'hostile');
	for (const [title, tool, args, harm] of tries)
		await row(title, async () => contained(house, await server.callTool({name: tool, arguments: args}), tool, harm));
	tcp.close();
	unix.close();
}

// ---- acts that wait for a person ----

const pin = `demo ${crypto.randomBytes(4).toString('hex')}`;

/** Calls what waits for a person: it must be refused, and say which approval it waits for. */
async function ask(house, client, tool, args) {
	const result = await client.callTool({name: tool, arguments: args});
	const refusal = await refused(house, result, 'needs_approval', 'approval');
	const {id} = result._meta['bawn/approval'];
	assert.match(id, /^[0-9a-f]{20}$/);
	return {...refusal, id};
}

async function approve(house, id) {
	const seen = await withPin(house, ['approvals', 'approve', id], pin);
	assert.equal(seen.code, 0, seen.output);
	return seen.output;
}

/** A command of a person's that must not work, for this reason, and must change nothing. */
async function declined(house, id, attempt, why) {
	const seen = await attempt;
	assert.equal(seen.code, 1, JSON.stringify(seen));
	assert.match(seen.output ?? seen.stderr, why);
	if (id)
		assert.equal((await house.json(['approvals', 'show', id])).state, 'pending');
	return {verdict: 'refused', code: 'exit 1', stage: 'approval'};
}

async function personDecides(house, files) {
	const workspace = house.path('workspace');
	const move = {source: '/work/notes.md', destination: '/work/archive.md'};
	const other = {source: '/work/plan.md', destination: '/work/done.md'};
	const call = (client, tool, args) => client.callTool({name: tool, arguments: args});
	let id;
	heading('What is destructive waits for a person, who has a PIN that the agent does not know');
	await row('ask for a file to be moved', async () => {
		const refusal = await ask(house, files, 'move_file', move);
		id = refusal.id;
		return refusal;
	});
	await row('approve it oneself, without a terminal', () => declined(house, id, house.run(['approvals', 'approve', id]), /terminal/));
	await row('approve it oneself, with a guessed PIN', () => declined(house, id, withPin(house, ['approvals', 'approve', id], 'guessed 1'), /this is not the PIN/));
	await row('set a PIN of one\'s own', () => declined(house, id, atTerminal(house, ['approvals', 'pin'], [{wait: 'PIN: ', type: 'guessed 1\n'},
		{wait: 'New PIN: ', type: 'my own 9\n'}, {wait: 'New PIN again: ', type: 'my own 9\n'}]), /this is not the PIN/));
	await row('meanwhile, other work (a person approves)', async () => {
		const [, result] = await Promise.all([approve(house, id), done(house, files, 'read_text_file', {path: '/work/notes.md'}, /Thursday/)]);
		assert.ok(fs.existsSync(path.join(workspace, 'notes.md')), 'it was moved before it was asked again');
		return result;
	});
	await row('the approved call, repeated', async () => {
		const result = await done(house, files, 'move_file', move, /moved/i);
		assert.ok(fs.existsSync(path.join(workspace, 'archive.md')) && !fs.existsSync(path.join(workspace, 'notes.md')), 'it was not moved');
		return result;
	});
	await row('the same approval a second time', async () => {
		fs.writeFileSync(path.join(workspace, 'notes.md'), 'Release 1.5 is next.\n');
		const refusal = await ask(house, files, 'move_file', move);
		assert.notEqual(refusal.id, id, 'the used approval waits again');
		assert.ok(fs.existsSync(path.join(workspace, 'notes.md')), 'it was moved twice');
		return refusal;
	});
	await row('an approval, with other arguments', async () => {
		await approve(house, (await ask(house, files, 'move_file', other)).id);
		const refusal = await ask(house, files, 'move_file', {...other, destination: '/work/elsewhere.md'});
		assert.ok(fs.existsSync(path.join(workspace, 'plan.md')), 'it was moved');
		return refusal;
	});
	await row('what a person rejected', async () => {
		const asked = {source: '/work/src', destination: '/work/old'};
		const rejected = await withPin(house, ['approvals', 'reject', (await ask(house, files, 'move_file', asked)).id, '--reason', 'keep it'], pin);
		assert.equal(rejected.code, 0, rejected.output);
		return refused(house, await call(files, 'move_file', asked), 'rejected', 'approval');
	});
}

async function toolChanges(house) {
	const turncoat = await house.connect('dev', 'turncoat');
	const posted = () => fs.existsSync(house.path('posts/posted.txt'));
	const call = (tool, args = {}) => turncoat.callTool({name: tool, arguments: args});
	let id;
	heading('A tool is not what it was when it was accepted');
	await row('an approval, for a tool that changed since', async () => {
		id = (await ask(house, turncoat, 'post', {text: 'Hello.'})).id;
		await approve(house, id);
		await call('turn');
		const result = await eventually(async () => {
			const tools = (await turncoat.listTools()).tools.map(({name}) => name);
			return !tools.includes('post') && await call('post', {text: 'Hello.'});
		}, 'that the tool is withheld');
		const refusal = await refused(house, result, 'changed_tool', 'policy');
		assert.ok(!posted(), 'it was posted');
		return refusal;
	});
	await row('its other tools go on', () => done(house, turncoat, 'look', {}, /nothing yet/));
	await row('accept it oneself, with a guessed PIN', () => declined(house, '', withPin(house, ['pins', 'accept', 'turncoat', 'post'], 'guessed 1'), /this is not the PIN/));
	await row('the old approval, once a person accepted it', async () => {
		const accepted = await withPin(house, ['pins', 'accept', 'turncoat', 'post'], pin);
		assert.equal(accepted.code, 0, accepted.output);
		assert.match(accepted.output, /read every key/, 'the difference was not shown');
		const refusal = await ask(house, turncoat, 'post', {text: 'Hello.'});
		assert.notEqual(refusal.id, id, 'the old approval holds');
		assert.ok(!posted(), 'it was posted');
		return refusal;
	});
}

async function verifyLog(house) {
	const verified = await house.run(['audit', 'verify']);
	console.log(`\n$ bawn audit verify\n${(verified.stdout + verified.stderr).trim()}`);
	return verified.code === 0;
}

async function main() {
	const house = new House(undefined, {name: 'demo'});
	let proven = false;
	try {
		house.env.DEMO_SECRET = secret;
		layOut(house);
		await house.ok(['agent', 'new', 'dev']);
		await house.ok(['agent', 'new', 'ops', '--token-file', house.path('ops-only/ops.token')]);
		const files = await honestWork(house);
		await hijackedAgent(house, files);
		const set = await setPin(house, pin);
		assert.equal(set.code, 0, set.output);
		await personDecides(house, files);
		await toolChanges(house);
		await takenOverServer(house);
		proven = await verifyLog(house);
	} finally {
		await house.close();
	}
	const failed = rows.filter(({error}) => error).length + (proven ? 0 : 1);
	console.log(failed ? '\nSomething is wrong: see the rows marked FAILED.' : '\nThe work was done, and no harm was.');
	console.log(`${rows.length + 1 - failed} passed, ${failed} failed`);
	process.exitCode = failed ? 1 : 0;
}

await main();
