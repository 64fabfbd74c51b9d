// A server that writes more than anybody wants to read: the first argument says of what. It goes on until its reader has had enough.

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

serve({
	name: 'flood',
	tools: {
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
