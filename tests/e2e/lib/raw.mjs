// A client that writes exactly the bytes it is told to, for what the SDK would never send.

import {spawn} from 'node:child_process';

export class RawClient {
	#pending = '';
	#answers = new Map();
	#waiting = [];
	#next = 1;

	/** Starts `command` and talks to it over its standard input and output. */
	constructor(command, args, options = {}) {
		this.child = spawn(command, args, {...options, stdio: ['pipe', 'pipe', 'pipe']});
		this.received = [];
		this.stderr = '';
		this.child.stdout.setEncoding('utf8');
		this.child.stderr.setEncoding('utf8');
		this.child.stdout.on('data', (chunk) => this.#take(chunk));
		this.child.stderr.on('data', (chunk) => {
			this.stderr += chunk;
			this.#wake();
		});
		// A peer that closes while we still write is for the caller to find out by `closed`.
		this.child.stdin.on('error', () => {});
		this.closed = new Promise((resolve) => {
			this.child.once('close', (code, signal) => {
				this.ended = {code, signal};
				this.#wake();
				resolve(this.ended);
			});
			this.child.once('error', (error) => {
				this.ended = {code: null, signal: null, error};
				this.#wake();
				resolve(this.ended);
			});
		});
	}

	#take(chunk) {
		const lines = (this.#pending + chunk).split('\n');
		this.#pending = lines.pop();
		for (const line of lines.filter(Boolean)) {
			let message;
			try {
				message = JSON.parse(line);
			} catch {
				message = {notJson: line};
			}
			this.received.push(message);
		}
		this.#wake();
	}

	#wake() {
		for (const check of [...this.#waiting])
			check();
	}

	/** The first message (or, with nothing received, the moment) for which `test` holds; fails when the peer closes before. */
	until(test, what = 'the expected message') {
		return new Promise((resolve, reject) => {
			const check = () => {
				const found = this.received.find(test);
				const done = found !== undefined || this.ended !== undefined;
				if (done)
					this.#waiting = this.#waiting.filter((one) => one !== check);
				if (found !== undefined)
					resolve(found);
				else if (done)
					reject(new Error(`closed before ${what}: ${JSON.stringify(this.ended)} ${this.stderr.slice(-500)}`));
			};
			this.#waiting.push(check);
			check();
		});
	}

	/** Resolves once stderr holds `pattern`. */
	untilStderr(pattern) {
		return new Promise((resolve, reject) => {
			const check = () => {
				const found = this.stderr.match(pattern);
				if (!found && !this.ended)
					return;
				this.#waiting = this.#waiting.filter((one) => one !== check);
				found ? resolve(found) : reject(new Error(`closed before ${pattern}: ${JSON.stringify(this.ended)} ${this.stderr.slice(-500)}`));
			};
			this.#waiting.push(check);
			check();
		});
	}

	write(bytes) {
		return new Promise((resolve) => this.child.stdin.write(bytes, () => resolve()));
	}

	send(message) {
		return this.write(JSON.stringify(message) + '\n');
	}

	nextId() {
		return this.#next++;
	}

	/** Sends a request and gives back the whole answer, be it a result or an error. */
	async request(method, params, id = this.nextId()) {
		await this.send({jsonrpc: '2.0', id, method, ...(params === undefined ? {} : {params})});
		return this.answer(id);
	}

	answer(id) {
		return this.until((message) => message.id === id && message.method === undefined, `the answer to ${JSON.stringify(id)}`);
	}

	async initialize(protocolVersion = '2025-11-25', capabilities = {}) {
		const answer = await this.request('initialize', {protocolVersion, capabilities, clientInfo: {name: 'raw', version: '1'}});
		if (answer.result)
			await this.send({jsonrpc: '2.0', method: 'notifications/initialized'});
		return answer;
	}

	call(name, args, meta) {
		return this.request('tools/call', {name, arguments: args, ...(meta ? {_meta: meta} : {})});
	}

	end() {
		this.child.stdin.end();
		return this.closed;
	}

	kill() {
		this.child.kill('SIGKILL');
		return this.closed;
	}
}
