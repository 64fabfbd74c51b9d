// A server that says more than anybody wants to hear: its tool writes without end, and with --heavy its definitions take long to be understood,
// with --restless they are others each time, and it says so at once, with --many they take much memory.

import {send, serve, text} from './mini.mjs';

const kinds = {
	pings: {jsonrpc: '2.0', id: 'p', method: 'ping'},
	changes: {jsonrpc: '2.0', method: 'notifications/tools/list_changed'},
	progress: {jsonrpc: '2.0', method: 'notifications/progress', params: {progressToken: 1000, progress: 1}},
};

function flood(kind, amount) {
	const some = `${JSON.stringify(kinds[kind])}\n`.repeat(1000);
	let left = amount;
	const more = () => {
		while (left > 0) {
			left -= 1000;
			if (!process.stdout.write(some))
				break;
		}
		if (left > 0)
			process.stdout.once('drain', more);
	};
	more();
}

/** References that lead from one to the next, so that each is far from its end. */
function chain(length) {
	const defs = {};
	for (let i = 0; i < length; i++)
		defs[`d${i}`] = {$ref: `#/$defs/d${(i * 7 + 1) % length}`};
	return {type: 'object', $defs: defs};
}

function patterns(count, salt) {
	return {type: 'object', properties: Object.fromEntries(Array.from({length: count}, (_, i) =>
		[`p${i}`, {type: 'string', pattern: `^(([\\w.-]{1,60}${i}){1,20}|\\p{Lu}{1,99}${salt})$`}]))};
}

const has = (flag) => process.argv.includes(`--${flag}`);
const copies = (count, make) => Object.fromEntries(Array.from({length: count}, (_, i) => [`copy_${i}`, {inputSchema: make(i)}]));
let listed = 0;
const restless = {
	get description() {
		send({jsonrpc: '2.0', method: 'notifications/tools/list_changed'});
		return `changed ${++listed} times`;
	},
};

serve({
	name: 'flood',
	tools: {
		...(has('heavy') ? copies(16, () => chain(5000)) : {}),
		...(has('many') ? copies(200, (i) => patterns(150, i)) : {}),
		...(has('restless') ? {restless} : {}),
		flood: {
			inputSchema: {type: 'object', properties: {kind: {enum: Object.keys(kinds)}, amount: {type: 'integer'}}, required: ['kind', 'amount']},
			run: ({kind, amount}, {id}) => {
				send({jsonrpc: '2.0', id, result: text('as you wish')});
				flood(kind, amount);
			},
		},
		ready: {run: () => text('ready')},
		never: {run: () => {}},
	},
});
