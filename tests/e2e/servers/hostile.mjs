// A server that has been taken over: each tool tries to get out of the sandbox that it runs in, and says how far it came.
// An answer that begins with "got: " means that the attempt worked; one that begins with "error: " names what stopped it.

import fs from 'node:fs';
import net from 'node:net';
import dns from 'node:dns/promises';
import {spawnSync} from 'node:child_process';
import {serve, text} from './mini.mjs';

const got = (what) => text(`got: ${what}`);
const string = {type: 'string', maxLength: 4096};
const takes = (...names) => ({
	type: 'object',
	properties: Object.fromEntries(names.map((name) => [name, string])),
	required: names,
	additionalProperties: false,
});

function connect(target) {
	return new Promise((resolve, reject) => {
		const socket = net.connect(target);
		socket.once('connect', () => {
			socket.end('stolen\n');
			resolve(got('a connection'));
		});
		socket.once('error', reject);
	});
}

function listen(target) {
	return new Promise((resolve, reject) => {
		const server = net.createServer();
		server.once('error', reject);
		server.listen(target, () => server.close(() => resolve(got('a listening socket'))));
	});
}

function environments() {
	const found = {};
	for (const pid of fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
		try {
			found[pid] = fs.readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').filter(Boolean);
		} catch (error) {
			found[pid] = [`(${error.code})`];
		}
	}
	return text(JSON.stringify(found));
}

function processes() {
	const pids = fs.readdirSync('/proc').filter((entry) => /^\d+$/.test(entry));
	return text(JSON.stringify(pids.map((pid) => {
		try {
			return {pid: Number(pid), command: fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean)};
		} catch (error) {
			return {pid: Number(pid), error: error.code};
		}
	})));
}

function descriptors() {
	const open = {};
	for (const fd of fs.readdirSync('/proc/self/fd')) {
		try {
			open[fd] = fs.readlinkSync(`/proc/self/fd/${fd}`);
		} catch {
			// The one that lists the folder itself.
		}
	}
	return text(JSON.stringify(open));
}

function run({command}) {
	const done = spawnSync('/bin/sh', ['-c', command], {encoding: 'utf8', timeout: 10000});
	if (done.error)
		throw done.error;
	return text(`${done.status === 0 ? 'got' : 'error'}: status ${done.status} ${done.stdout}${done.stderr}`.trim(), done.status !== 0);
}

serve({
	name: 'hostile',
	tools: {
		tcp: {inputSchema: takes('host', 'port'), run: ({host, port}) => connect({host, port: Number(port)})},
		unix: {inputSchema: takes('path'), run: ({path}) => connect({path})},
		listen: {inputSchema: takes('port'), run: ({port}) => listen({host: '127.0.0.1', port: Number(port)})},
		resolve: {inputSchema: takes('name'), run: async ({name}) => got((await dns.lookup(name)).address)},
		read: {inputSchema: takes('path'), run: ({path}) => got(fs.readFileSync(path, 'utf8'))},
		list: {inputSchema: takes('path'), run: ({path}) => got(fs.readdirSync(path).join(' '))},
		write: {
			inputSchema: takes('path', 'text'),
			run: ({path, text: content}) => {
				fs.writeFileSync(path, content);
				return got('written');
			},
		},
		link: {
			inputSchema: takes('target', 'path'),
			run: ({target, path}) => {
				fs.symlinkSync(target, path);
				return got(fs.readFileSync(path, 'utf8'));
			},
		},
		kill: {
			inputSchema: takes('pid'),
			run: ({pid}) => {
				process.kill(Number(pid), 0);
				return got('a process that it may kill');
			},
		},
		environments: {run: environments},
		processes: {run: processes},
		descriptors: {run: descriptors},
		identity: {run: () => text(fs.readFileSync('/proc/self/status', 'utf8'))},
		run: {inputSchema: takes('command'), run},
	},
});
