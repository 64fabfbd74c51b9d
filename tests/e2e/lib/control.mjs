// A person without a terminal: questions over the control socket, one after the other (control.c). What a person at a terminal sees is in person.mjs.

import fs from 'node:fs';
import path from 'node:path';
import {spawn} from 'node:child_process';
import readline from 'node:readline';
import {bawn} from './house.mjs';

const program = path.join(path.dirname(bawn), 'tests/e2e/e2e-control');

export class Control {
	#waiting = [];

	/** Connects to the family of this house. */
	static async connect(house, options) {
		const folder = house.path('run/bawn');
		const [family] = fs.readdirSync(folder).filter((name) => fs.existsSync(path.join(folder, name, 'control.sock')));
		return new Control(path.join(folder, family), options);
	}

	/** `stderr`: where it says that a connection failed or ended. */
	constructor(folder, {stderr = 'inherit'} = {}) {
		// From within its folder: a path may be longer than a socket's address.
		this.child = spawn(program, ['control.sock'], {cwd: folder, stdio: ['pipe', 'pipe', stderr]});
		this.child.stdin.on('error', () => {});
		this.news = [];
		this.ended = new Promise((resolve) => this.child.once('exit', resolve));
		readline.createInterface({input: this.child.stdout}).on('line', (line) => this.#take(line));
		this.child.once('close', () => {
			this.closed = true;
			this.#waiting.splice(0).forEach(({reject}) => reject(new Error('the connection ended')));
		});
	}

	#take(line) {
		const [kind, ...words] = line.split('\t');
		if (kind === 'hoarding') {
			this.#waiting.shift().resolve();
			return;
		}
		if (kind === 'news') {
			this.news.push({id: words[0], state: words[1]});
			return;
		}
		const [status, code, entry, ...text] = words;
		this.#waiting.shift().resolve({status: Number(status), code, entry: Number(entry), text: text.join('\t')});
	}

	#ask(...words) {
		return new Promise((resolve, reject) => {
			if (this.closed) {
				reject(new Error('the connection has ended'));
				return;
			}
			this.#waiting.push({resolve, reject});
			this.child.stdin.write(words.join('\t') + '\n');
		});
	}

	approve(id, pin) {
		return this.#ask('approve', id, pin);
	}

	reject(id, pin, reason = '') {
		return this.#ask('reject', id, pin, reason);
	}

	/** What is offered under this digest, in hex. */
	accept(server, tool, digest, pin) {
		return this.#ask('accept', server, tool, digest, pin);
	}

	setPin(pin, old = '') {
		return this.#ask('pin', old, pin);
	}

	/** Reads a whole record from the store. */
	read(id) {
		return this.#ask('read', id);
	}

	/** Asks for it twice at once; or asks, and never reads the answer. */
	hurry(id) {
		return this.#ask('hurry', id);
	}

	hoard(id) {
		return this.#ask('hoard', id);
	}

	/** From now on `news` is filled. */
	watch() {
		this.child.stdin.write('watch\n');
	}

	async close() {
		this.child.stdin.end();
		this.child.kill();
		await this.ended;
	}
}
