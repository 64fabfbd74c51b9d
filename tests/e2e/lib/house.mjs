// A family of its own for one test: own folders for policy, tokens, state and socket, under one temporary folder that goes in the end.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {Client} from '@modelcontextprotocol/sdk/client/index.js';
import {StdioClientTransport} from '@modelcontextprotocol/sdk/client/stdio.js';
import {RawClient} from './raw.mjs';

export const e2e = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
export const source = path.dirname(path.dirname(e2e));
export const bawn = process.env.BAWN_BIN ?? path.resolve(source, process.env.BUILD ?? 'build', 'bawn');
export const modules = path.join(e2e, 'node_modules');
export const servers = path.join(e2e, 'servers');
export const isRoot = process.getuid() === 0;

/** What a sandbox needs to run this very Node.js: nothing when it lies with the system's programs, else its folder. */
export function nodeFiles() {
	const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)));
	return prefix === '/usr' || prefix === '/' ? [] : [{host: prefix, at: '/opt/node', mode: 'ro'}];
}
export const node = nodeFiles().length ? '/opt/node/bin/node' : fs.realpathSync(process.execPath);

/** The policy's entry for one of tests/e2e/servers. */
export function ownServer(file, {args = [], workspace, env, timeout} = {}) {
	return {
		command: [node, `/opt/servers/${file}`, ...args],
		files: [{host: servers, at: '/opt/servers', mode: 'ro'}, ...nodeFiles()],
		...(workspace ? {workspace: {host: workspace, at: '/work', mode: 'rw'}} : {}),
		...(env ? {env} : {}),
		...(timeout ? {timeout} : {}),
	};
}

/** The policy's entry for a server from npm. */
export function npmServer(name, {args = [], workspace, env} = {}) {
	return {
		command: [node, `/opt/mcp/node_modules/${name}/dist/index.js`, ...args],
		files: [{host: modules, at: '/opt/mcp/node_modules', mode: 'ro'}, ...nodeFiles()],
		...(workspace ? {workspace: {host: workspace, at: '/work', mode: 'rw'}} : {}),
		...(env ? {env} : {}),
	};
}

export function textOf(result) {
	return (result.content ?? []).map((part) => part.text ?? '').join('\n');
}

/** Asserts that a result is a refusal with this code and stage, and gives back its entry's number. */
export function assertRefused(result, code, stage) {
	assert.equal(result.isError, true, `not refused: ${JSON.stringify(result).slice(0, 300)}`);
	assert.equal(result._meta?.['bawn/code'], code, textOf(result));
	if (stage)
		assert.equal(result._meta['bawn/stage'], stage, textOf(result));
	assert.match(textOf(result), new RegExp(`^${code} \\(entry ${result._meta['bawn/entry']}\\): .+`));
	return result._meta['bawn/entry'];
}

export function assertGranted(result, expected) {
	assert.equal(result._meta?.['bawn/code'], undefined, textOf(result));
	assert.ok(!result.isError, textOf(result));
	assert.equal(typeof result._meta?.['bawn/entry'], 'number', JSON.stringify(result._meta));
	if (expected !== undefined)
		assert.match(textOf(result), expected instanceof RegExp ? expected : new RegExp(expected));
	return result._meta['bawn/entry'];
}

/** Looks again until `test` gives something true: for what the system tells nobody about, such as the end of a stranger's process. */
export async function eventually(test, what, limit = 20000) {
	const deadline = Date.now() + limit;
	for (;;) {
		const found = await test();
		if (found)
			return found;
		assert.ok(Date.now() < deadline, `not within ${limit} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** pid -> {parent, start} of every process; `start` tells a process from a later one with the same number. */
export function processTable() {
	const table = new Map();
	for (const entry of fs.readdirSync('/proc')) {
		if (!/^\d+$/.test(entry))
			continue;
		try {
			const stat = fs.readFileSync(`/proc/${entry}/stat`, 'utf8');
			const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
			if (fields[0] !== 'Z')
				table.set(Number(entry), {parent: Number(fields[1]), start: fields[19]});
		} catch {
			// It has ended meanwhile.
		}
	}
	return table;
}

/** The process and everything that descends from it, as [pid, start]. */
export function family(pid) {
	const table = processTable();
	const members = new Set(table.has(pid) ? [pid] : []);
	for (let grown = true; grown;) {
		grown = false;
		for (const [child, {parent}] of table) {
			if (members.has(parent) && !members.has(child)) {
				members.add(child);
				grown = true;
			}
		}
	}
	return [...members].map((member) => [member, table.get(member).start]);
}

export function survivors(members) {
	const table = processTable();
	return members.filter(([pid, start]) => table.get(pid)?.start === start).map(([pid]) => pid);
}

export class House {
	#clients = [];
	#foreground = [];

	/** `policy` is an object, or text. It is written to config/bawn/bawn.yaml, where Bawn looks by itself. */
	constructor(policy, {name = 'test'} = {}) {
		this.root = fs.mkdtempSync(path.join(os.tmpdir(), `bawn-${name}-`));
		for (const folder of ['config/bawn', 'state', 'run', 'home', 'project'])
			fs.mkdirSync(path.join(this.root, folder), {recursive: true, mode: 0o700});
		this.policy = path.join(this.root, 'config/bawn/bawn.yaml');
		this.env = {
			PATH: process.env.PATH,
			LANG: 'C.UTF-8',
			HOME: path.join(this.root, 'home'),
			XDG_CONFIG_HOME: path.join(this.root, 'config'),
			XDG_STATE_HOME: path.join(this.root, 'state'),
			XDG_RUNTIME_DIR: path.join(this.root, 'run'),
			...(process.env.ASAN_OPTIONS ? {ASAN_OPTIONS: process.env.ASAN_OPTIONS} : {}),
		};
		if (policy !== undefined)
			this.write(policy);
	}

	path(...parts) {
		return path.join(this.root, ...parts);
	}

	folder(...parts) {
		fs.mkdirSync(this.path(...parts), {recursive: true});
		return this.path(...parts);
	}

	/** JSON is YAML, so an object is written as it is. */
	write(policy, file = this.policy) {
		fs.writeFileSync(file, typeof policy === 'string' ? policy : JSON.stringify(policy, null, 2) + '\n');
	}

	/** Where `bawn agent new` keeps this agent's token, for the one policy that has any. */
	tokenFile(agent) {
		const states = this.path('state/bawn');
		const policy = fs.readdirSync(states).find((id) => fs.existsSync(path.join(states, id, 'agents', `${agent}.token`)));
		assert.ok(policy, `${agent} has no token`);
		return path.join(states, policy, 'agents', `${agent}.token`);
	}

	/** Runs `bawn ARGS` to its end: {code, signal, stdout, stderr}. */
	run(args, {cwd = this.path('home'), env = {}, input} = {}) {
		return new Promise((resolve, reject) => {
			const child = spawn(bawn, args, {cwd, env: {...this.env, ...env}, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe']});
			const out = {stdout: '', stderr: ''};
			for (const stream of ['stdout', 'stderr']) {
				child[stream].setEncoding('utf8');
				child[stream].on('data', (chunk) => { out[stream] += chunk; });
			}
			child.once('error', reject);
			// Not 'close': a family that `bawn mcp` started in the background may outlive it.
			child.once('exit', (code, signal) => setImmediate(() => resolve({code, signal, ...out})));
			if (input !== undefined) {
				child.stdin.on('error', () => {}); // it may end without having read it
				child.stdin.end(input);
			}
		});
	}

	async ok(args, options) {
		const done = await this.run(args, options);
		assert.equal(done.code, 0, `bawn ${args.join(' ')}: ${JSON.stringify(done)}`);
		return done;
	}

	async json(args, options) {
		return JSON.parse((await this.ok([...args, '--json'], options)).stdout);
	}

	status() {
		return this.json(['status']);
	}

	/** A family in the foreground, once it says that it serves. `command` starts it in another way than by its name. */
	async serve(args = [], {command = [bawn, 'serve'], ...options} = {}) {
		const child = new RawClient(command[0], [...command.slice(1), ...args], {cwd: this.path('home'), env: this.env, ...options});
		this.#foreground.push(child);
		const [, pid] = await child.untilStderr(/bawn: serving .*, pid (\d+)/);
		child.pid = Number(pid);
		return child;
	}

	mcpArgs(agent, server, extra = []) {
		return ['mcp', '--agent', agent, '--server', server, ...extra];
	}

	/** A client of the official SDK. */
	async connect(agent, server, {extra = [], capabilities = {}, env = {}} = {}) {
		const client = new Client({name: 'bawn-e2e', version: '1.0.0'}, {capabilities});
		const transport = new StdioClientTransport({
			command: bawn, args: this.mcpArgs(agent, server, extra), env: {...this.env, ...env}, cwd: this.path('home'), stderr: 'pipe',
		});
		let complaints = '';
		transport.stderr.on('data', (chunk) => { complaints += chunk; });
		this.#clients.push(client);
		try {
			await client.connect(transport);
		} catch (error) {
			throw new Error(`bawn mcp: ${error.message} ${complaints}`);
		}
		return client;
	}

	/** A client that writes raw bytes; not yet initialized. */
	raw(agent, server, {extra = [], env = {}, cwd = this.path('home')} = {}) {
		const client = new RawClient(bawn, this.mcpArgs(agent, server, extra), {env: {...this.env, ...env}, cwd});
		this.#clients.push(client);
		return client;
	}

	async openRaw(agent, server, options) {
		const client = this.raw(agent, server, options);
		const answer = await client.initialize();
		assert.ok(answer.result, JSON.stringify(answer));
		return client;
	}

	/** One entry of the audit log. */
	async entry(number) {
		return this.json(['audit', 'show', String(number)]);
	}

	/** Every entry of the audit log, oldest first. */
	async entries() {
		const {stdout} = await this.ok(['audit', 'list', '--json']);
		return stdout.split('\n').filter((line) => line).map((line) => JSON.parse(line));
	}

	/** The first entry for which `test` holds, once it is there: what no call waits for is written a moment later. */
	recorded(test, what) {
		return eventually(async () => (await this.entries()).find(test), `on the log: ${what}`);
	}

	/** Ends clients and family, checks that no process is left, and removes the folder. */
	async close({leaveFolder = false} = {}) {
		for (const client of this.#clients)
			await (client instanceof RawClient ? client.kill() : client.close().catch(() => {}));
		let members = [];
		const status = await this.run(['status', '--json']);
		if (status.code === 0)
			members = JSON.parse(status.stdout).processes.flatMap(({pid}) => family(pid));
		await this.run(['shutdown']);
		for (const child of this.#foreground)
			await child.closed;
		await eventually(() => survivors(members).length === 0, `the end of ${members.map(([pid]) => pid)}`);
		if (!leaveFolder)
			fs.rmSync(this.root, {recursive: true, force: true});
	}
}
