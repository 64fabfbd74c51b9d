// A small MCP server over stdio, by hand: so that a tool can also do what an SDK would not let it do. No dependencies, because the
// sandbox that it runs in holds nothing but this folder.

export function send(message) {
	process.stdout.write(JSON.stringify(message) + '\n');
}

export function sendRaw(text) {
	process.stdout.write(text);
}

export function text(value, isError = false) {
	return {content: [{type: 'text', text: value}], isError};
}

/**
 * Serves `tools`: name -> {description, inputSchema, run(args, call)}. `run` gives back a result, or undefined when it answers itself
 * (or not at all). `call` is {id, progressToken, notify(method, params)}. Hooks: initialize(params), cancelled(requestId),
 * answered(message) for an answer to a request of the server's own.
 */
export function serve({name, tools, hooks = {}}) {
	const methods = {
		initialize: (params) => hooks.initialize?.(params) ?? {
			protocolVersion: params.protocolVersion,
			capabilities: {tools: {listChanged: true}},
			serverInfo: {name, version: '1.0.0'},
		},
		ping: () => ({}),
		'tools/list': () => ({
			tools: Object.entries(tools).map(([toolName, tool]) => ({
				name: toolName,
				description: tool.description ?? toolName,
				inputSchema: tool.inputSchema ?? {type: 'object'},
				...(tool.annotations ? {annotations: tool.annotations} : {}),
			})),
		}),
	};

	async function call(message) {
		const {name: toolName, arguments: args = {}, _meta = {}} = message.params;
		const notify = (method, params) => send({jsonrpc: '2.0', method, params});
		try {
			return await tools[toolName].run(args, {id: message.id, progressToken: _meta.progressToken, notify});
		} catch (error) {
			return text(`error: ${error.code ?? error.name} ${error.message}`, true);
		}
	}

	async function take(message) {
		if (message.method === undefined) {
			hooks.answered?.(message);
		} else if (message.id === undefined) {
			if (message.method === 'notifications/cancelled')
				hooks.cancelled?.(message.params.requestId);
		} else if (message.method === 'tools/call' && tools[message.params.name]) {
			const result = await call(message);
			if (result !== undefined)
				send({jsonrpc: '2.0', id: message.id, result});
		} else if (methods[message.method]) {
			const result = methods[message.method](message.params ?? {});
			if (result !== 'silence')
				send({jsonrpc: '2.0', id: message.id, result});
		} else {
			send({jsonrpc: '2.0', id: message.id, error: {code: -32601, message: 'no such method or tool'}});
		}
	}

	let pending = '';
	process.stdin.setEncoding('utf8');
	process.stdin.on('data', (chunk) => {
		const lines = (pending + chunk).split('\n');
		pending = lines.pop();
		for (const line of lines)
			take(JSON.parse(line));
	});
	process.stdin.on('end', () => process.exit(0));
}
