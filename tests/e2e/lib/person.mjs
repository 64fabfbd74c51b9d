// A person at a terminal: runs a command on a fresh one (terminal.py), types what is asked for there, and gives back what was seen.

import {spawn} from 'node:child_process';
import path from 'node:path';
import {bawn, e2e} from './house.mjs';

/**
 * Runs `bawn ARGS` at a terminal. `steps`: [{wait, type, signal}]; see terminal.py. Gives {output, code, signal, echo, waiting}: all that the
 * terminal showed, and for each step, and at the end, whether it echoed.
 */
export function atTerminal(house, args, steps = [], {columns = 80, env = {}, seconds = 40, command = [bawn]} = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn('python3', [path.join(e2e, 'lib/terminal.py')], {
			cwd: house.path('home'), env: {...house.env, TERM: 'xterm', ...env}, stdio: ['pipe', 'pipe', 'inherit'],
		});
		let out = '';
		child.stdout.setEncoding('utf8').on('data', (chunk) => { out += chunk; });
		child.once('error', reject);
		child.once('close', () => {
			try {
				resolve(JSON.parse(out));
			} catch {
				reject(new Error(`terminal.py said: ${out}`));
			}
		});
		child.stdin.end(JSON.stringify({command: [...command, ...args], columns, steps, seconds}));
	});
}

/** Types the PIN once it is asked for. */
export function withPin(house, args, pin, options) {
	return atTerminal(house, args, [{wait: 'PIN: ', type: `${pin}\n`}], options);
}

/** Sets the first PIN. */
export function setPin(house, pin, options) {
	return atTerminal(house, ['approvals', 'pin'], [{wait: 'New PIN: ', type: `${pin}\n`}, {wait: 'New PIN again: ', type: `${pin}\n`}], options);
}
