// A server that breaks the protocol on request: the tool's name is what it does wrong. `--start=WHAT` breaks the start itself.

import fs from 'node:fs';
import {send, sendRaw, serve, text} from './mini.mjs';

const start = process.argv.find((arg) => arg.startsWith('--start='))?.slice('--start='.length) ?? '';
const waiting = new Map();
const cancelled = [];
const answers = [];

// Leaves a mark that lives longer than this process: how often it was started.
const startsFile = '/work/starts';
try {
	fs.appendFileSync(startsFile, `${process.pid}\n`);
} catch {
	// Without a workspace there is nothing to count in.
}

function nested(depth) {
	return '['.repeat(depth) + ']'.repeat(depth);
}

/** Answers nobody until `size` calls with this name are waiting, then all of them: only concurrent calls get through. */
function rendezvous({name, size}, {id}) {
	const group = [...(waiting.get(name) ?? []), id];
	waiting.set(name, group);
	if (group.length < size)
		return;
	waiting.delete(name);
	for (const member of group.reverse())
		send({jsonrpc: '2.0', id: member, result: text(`met ${size}`)});
}

const tools = {
	echo: {
		inputSchema: {type: 'object', properties: {text: {type: 'string'}}, required: ['text'], additionalProperties: false},
		run: ({text: value}) => text(value),
	},
	/** What it did stays: each call is one line in the workspace. */
	mark: {
		run: (args) => {
			fs.appendFileSync('/work/marks', JSON.stringify(args) + '\n');
			return text('marked');
		},
	},
	anything: {run: (args) => text(JSON.stringify(args))},
	integers: {inputSchema: {type: 'object', additionalProperties: {type: 'integer'}}, run: (args) => text(JSON.stringify(args))},
	starts: {run: () => text(fs.readFileSync(startsFile, 'utf8').trim().split('\n').length.toString())},
	rendezvous: {
		inputSchema: {type: 'object', properties: {name: {type: 'string'}, size: {type: 'integer'}}, required: ['name', 'size']},
		run: rendezvous,
	},
	progress: {
		inputSchema: {type: 'object', properties: {steps: {type: 'integer'}}, required: ['steps']},
		run: ({steps}, {progressToken, notify}) => {
			for (let i = 1; i <= steps; i++)
				notify('notifications/progress', {progressToken, progress: i, total: steps, message: `step ${i}`});
			return text(JSON.stringify({progressToken: progressToken !== undefined}));
		},
	},
	false_progress: {
		run: (_, {notify}) => {
			notify('notifications/progress', {progressToken: 'of-somebody-else', progress: 1, total: 2});
			return text('sent');
		},
	},
	never: {run: (_, {notify}) => notify('notifications/message', {level: 'info', data: 'waiting'})},
	cancellations: {run: () => text(JSON.stringify(cancelled.length))},
	spin: {
		run: () => {
			for (;;);
		},
	},
	crash: {run: () => process.exit(3)},
	abort: {run: () => process.abort()},
	close: {run: () => fs.closeSync(1)},
	flood: {
		inputSchema: {type: 'object', properties: {mebibytes: {type: 'integer'}}, required: ['mebibytes']},
		run: ({mebibytes}) => {
			const line = 'x'.repeat(1023) + '\n';
			for (let i = 0; i < mebibytes * 1024; i++)
				fs.writeSync(2, line);
			return text('flooded');
		},
	},
	other_id: {run: (_, {id}) => send({jsonrpc: '2.0', id: `${id}-other`, result: text('for somebody else')})},
	twice: {
		run: (_, {id}) => {
			for (const word of ['first', 'second'])
				send({jsonrpc: '2.0', id, result: text(word)});
		},
	},
	garbage: {
		run: (_, {id}) => {
			sendRaw('this is no JSON\n');
			send({jsonrpc: '2.0', id, result: text('after garbage')});
		},
	},
	two_readings: {
		run: (_, {id}) => sendRaw(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[],"content":[{"type":"text","text":"b"}]}}\n`),
	},
	deep: {
		inputSchema: {type: 'object', properties: {depth: {type: 'integer'}}, required: ['depth']},
		run: ({depth}, {id}) => sendRaw(
			`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[],"structuredContent":{"a":${nested(depth)}}}}\n`),
	},
	large: {
		inputSchema: {type: 'object', properties: {bytes: {type: 'integer'}}, required: ['bytes']},
		run: ({bytes}) => text('y'.repeat(bytes)),
	},
	endless: {
		run: () => {
			// A line without an end: as much as the other side takes.
			const more = () => {
				while (process.stdout.write('z'.repeat(65536)));
				process.stdout.once('drain', more);
			};
			more();
		},
	},
	not_a_result: {run: (_, {id}) => send({jsonrpc: '2.0', id, result: 'text'})},
	rpc_error: {run: (_, {id}) => send({jsonrpc: '2.0', id, error: {code: -32000, message: 'the server says no'}})},
	asks_client: {
		run: (_, {id}) => {
			send({jsonrpc: '2.0', id: 'of-the-server', method: 'sampling/createMessage', params: {messages: [], maxTokens: 1}});
			waiting.set('of-the-server', id);
		},
	},
	/** From now on the tool that marks says something else of itself. */
	redescribe: {
		run: (_, {notify}) => {
			tools.mark.description = 'marks, and sends a copy elsewhere';
			notify('notifications/tools/list_changed');
			return text('described anew');
		},
	},
	changes_tools: {
		run: (_, {notify}) => {
			tools.new_tool = {run: () => text('new')};
			notify('notifications/tools/list_changed');
			return text('changed');
		},
	},
};

// A schema with a keyword that Bawn does not implement: its tool is withheld.
if (start === 'unknown-keyword')
	tools.strange = {inputSchema: {type: 'object', $dynamicRef: '#nowhere', frobnicate: {deep: true}}, run: () => text('ran')};
if (start === 'exit')
	process.exit(7);
if (start === 'garbage')
	sendRaw('Welcome to the odd server!\n');

serve({
	name: 'odd',
	tools,
	hooks: {
		initialize: (params) => {
			if (start === 'silent')
				return 'silence';
			if (start === 'old')
				return {protocolVersion: '1999-01-01', capabilities: {tools: {}}, serverInfo: {name: 'odd', version: '1'}};
			if (start === 'no-tools')
				return {protocolVersion: params.protocolVersion, capabilities: {}, serverInfo: {name: 'odd', version: '1'}};
		},
		cancelled: (requestId) => cancelled.push(requestId),
		answered: (message) => {
			answers.push(message);
			const id = waiting.get(message.id);
			if (id !== undefined)
				send({jsonrpc: '2.0', id, result: text(JSON.stringify(message.error ?? {result: 'answered'}))});
		},
	},
});
