// What the measurements share: the ways to the same small server, each to be measured in the same run.

import {execFile, spawn} from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {House, bawn, source} from '../tests/e2e/lib/house.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const tools = path.resolve(source, process.env.BUILD ?? 'build', 'bench');
const run = promisify(execFile);

export const echo = path.join(tools, 'mcp-echo');
export const mcpProxyStdio = [process.execPath, path.join(here, 'mcp-proxy-stdio.mjs'), echo];
export const bawnCommand = [bawn, 'mcp', '--agent', 'bench', '--server', 'echo'];

/** One measurement by mcp-ping: microseconds. */
export async function ping(args, env = process.env) {
	const {stdout} = await run(path.join(tools, 'mcp-ping'), args, {env});
	return JSON.parse(stdout);
}

/** A house whose one tool does nothing but answer; `effect` decides whether the disk is synced before each call. */
export function benchHouse(effect) {
	const house = new House({
		version: 1,
		servers: {echo: {command: ['/opt/bench/mcp-echo'], files: [{host: tools, at: '/opt/bench', mode: 'ro'}]}},
		tools: {'echo.echo': {effect}},
		agents: {bench: {allow: [{tool: 'echo.echo', args: {text: {type: 'string', maxLength: 100}, bytes: {type: 'integer', maximum: 1048576}}}]}},
	}, {name: 'bench'});
	return house;
}

async function freePort() {
	const probe = net.createServer();
	await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
	const {port} = probe.address();
	await new Promise((resolve) => probe.close(resolve));
	return port;
}

async function untilListening(port, child) {
	for (;;) {
		if (child.exitCode !== null)
			throw new Error(`ended before it listened: ${child.spawnargs.join(' ')}`);
		const open = await new Promise((resolve) => {
			const socket = net.connect(port, '127.0.0.1', () => {
				socket.destroy();
				resolve(true);
			});
			socket.once('error', () => resolve(false));
		});
		if (open)
			return;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

const httpPeers = {
	'mcp-proxy, HTTP': (port) => ['node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs', '--port', port, '--host', '127.0.0.1', '--server', 'stream', '--', echo],
	'supergateway, HTTP': (port) => ['node_modules/supergateway/dist/index.js', '--stdio', echo, '--outputTransport', 'streamableHttp', '--stateful',
		'--port', port, '--logLevel', 'none'],
};

/** Starts the peers that serve HTTP: [{name, port, child}]. */
export async function startHttpPeers() {
	const started = [];
	for (const [name, command] of Object.entries(httpPeers)) {
		const port = String(await freePort());
		const child = spawn(process.execPath, command(port), {cwd: here, stdio: 'ignore'});
		await untilListening(Number(port), child);
		started.push({name, port, child});
	}
	return started;
}

export async function stop(child) {
	const ended = new Promise((resolve) => child.once('exit', resolve));
	child.kill('SIGKILL');
	await ended;
}

/** Proportional memory in KiB; undefined when we may not look. */
export function memoryOf(pid) {
	try {
		return Number(fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Pss:\s+(\d+)/m)[1]);
	} catch (error) {
		if (error.code === 'EACCES' || error.code === 'ENOENT' || error.code === 'EPERM')
			return undefined;
		throw error;
	}
}

export function median(numbers) {
	const sorted = [...numbers].sort((a, b) => a - b);
	return sorted[Math.floor((sorted.length - 1) / 2)];
}

/** A table with its first column to the left and the others to the right. */
export function table(head, rows) {
	const cells = [head, ...rows].map((row) => row.map(String));
	const widths = head.map((_, i) => Math.max(...cells.map((row) => row[i].length)));
	for (const row of cells)
		console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
}
