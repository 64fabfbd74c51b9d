// The gateway speaks MCP over stdio as the revision 2025-11-25 says, and takes nothing else.

import assert from 'node:assert/strict';
import {houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, assertRefused, eventually, npmServer, processTable, textOf} from './lib/house.mjs';

const versions = ['2025-11-25', '2025-06-18', '2024-11-05'];

houseTest('initialize agrees on each supported version', oddPolicy(), async (house) => {
	for (const version of versions) {
		const client = house.raw('dev', 'odd');
		const {result} = await client.initialize(version);
		assert.equal(result.protocolVersion, version);
		assert.equal(typeof result.serverInfo.name, 'string');
		assert.deepEqual(Object.keys(result.capabilities), ['tools'], 'what is not carried is not advertised');
		await client.end();
	}
});

houseTest('a version that is not known is answered with the newest', oddPolicy(), async (house) => {
	const {result} = await house.raw('dev', 'odd').initialize('2199-01-01');
	assert.equal(result.protocolVersion, versions[0]);
});

houseTest('ping is answered, also before initialize', oddPolicy(), async (house) => {
	const client = house.raw('dev', 'odd');
	assert.deepEqual((await client.request('ping')).result, {});
	await client.initialize();
	assert.deepEqual((await client.request('ping', undefined, 'a string id')).result, {});
});

houseTest('nothing is called before initialize', oddPolicy(), async (house) => {
	const client = house.raw('dev', 'odd');
	const answer = await client.call('echo', {text: 'early'});
	assert.ok(answer.error, JSON.stringify(answer));
});

houseTest('tools/list has what is granted, under its own names', (house) => ({
	...oddPolicy()(house),
	agents: {dev: {allow: ['odd.echo', 'odd.large'], ask: ['odd.starts'], deny: ['odd.large']}},
}), async (house) => {
	const client = await house.connect('dev', 'odd');
	const {tools} = await client.listTools();
	assert.deepEqual(tools.map(({name}) => name).sort(), ['echo', 'starts']);
	const echo = tools.find(({name}) => name === 'echo');
	assert.deepEqual(echo.inputSchema, {type: 'object', properties: {text: {type: 'string'}}, required: ['text'], additionalProperties: false});
});

houseTest('the real servers work through the official client', (house) => ({
	version: 1,
	servers: {
		files: npmServer('@modelcontextprotocol/server-filesystem', {args: ['/work'], workspace: house.folder('workspace')}),
		memory: npmServer('@modelcontextprotocol/server-memory', {workspace: house.folder('memory'), env: {MEMORY_FILE_PATH: '/work/memory.jsonl'}}),
	},
	tools: Object.fromEntries(['files.read_text_file', 'files.write_file', 'memory.create_entities', 'memory.read_graph'].map((tool) => [tool, {effect: 'write'}])),
	agents: {dev: {allow: ['files.read_text_file', 'files.write_file', 'memory.create_entities', 'memory.read_graph']}},
}), async (house) => {
	const files = await house.connect('dev', 'files', {capabilities: {roots: {listChanged: true}, sampling: {}}});
	// listTools() makes the SDK check every later result against the tool's output schema.
	assert.equal((await files.listTools()).tools.length, 2);
	assertGranted(await files.callTool({name: 'write_file', arguments: {path: '/work/a.txt', content: 'héllo € 😀\n'}}));
	const read = await files.callTool({name: 'read_text_file', arguments: {path: '/work/a.txt'}});
	assertGranted(read, 'héllo € 😀');
	assert.deepEqual(read.structuredContent, {content: 'héllo € 😀\n'});
	assert.equal(read._meta['bawn/integrity'], 'untrusted');
	const memory = await house.connect('dev', 'memory');
	await memory.listTools();
	assertGranted(await memory.callTool({name: 'create_entities', arguments: {entities: [{name: 'a', entityType: 'b', observations: ['c']}]}}));
	assertGranted(await memory.callTool({name: 'read_graph', arguments: {}}), '"a"');
	// An error of the tool's own is passed on as what it is: not a refusal.
	const missing = await files.callTool({name: 'read_text_file', arguments: {path: '/work/none'}});
	assert.equal(missing.isError, true);
	assert.equal(missing._meta['bawn/code'], undefined);
});

houseTest('calls of one session run at the same time, and answers find their calls', oddPolicy(), async (house) => {
	const client = await house.connect('dev', 'odd');
	const meet = await Promise.all(Array.from({length: 20}, () => client.callTool({name: 'rendezvous', arguments: {name: 'r', size: 20}})));
	for (const result of meet)
		assertGranted(result, 'met 20');
	const echoes = await Promise.all(Array.from({length: 50}, (_, i) => client.callTool({name: 'echo', arguments: {text: `number ${i}`}})));
	assert.deepEqual(echoes.map(textOf), Array.from({length: 50}, (_, i) => `number ${i}`));
	const entries = echoes.map(({_meta}) => _meta['bawn/entry']);
	assert.equal(new Set(entries).size, 50, 'each call has an entry of its own');
});

houseTest('several clients at once, each with a server of its own', oddPolicy(), async (house) => {
	const clients = await Promise.all([1, 2, 3].map(() => house.connect('dev', 'odd')));
	const results = await Promise.all(clients.map((client, i) => client.callTool({name: 'echo', arguments: {text: `client ${i}`}})));
	assert.deepEqual(results.map(textOf), ['client 0', 'client 1', 'client 2']);
	const {sessions} = await house.status();
	assert.equal(new Set(sessions.map(({pid}) => pid)).size, 3);
	await clients[0].close();
	assertGranted(await clients[1].callTool({name: 'echo', arguments: {text: 'still here'}}), 'still here');
});

houseTest('an id may be a string or a number, and comes back as it was', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	for (const id of ['text', '', '7', 7, 0, -3, 9007199254740991]) {
		const answer = await client.request('tools/call', {name: 'echo', arguments: {text: 'x'}}, id);
		assert.strictEqual(answer.id, id);
		assertGranted(answer.result, 'x');
	}
});

houseTest('progress of a call reaches its caller, and only its own', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const progress = () => client.received.filter(({method}) => method === 'notifications/progress').map(({params}) => params);
	assertGranted((await client.call('false_progress', {})).result, 'sent');
	assertGranted((await client.call('progress', {steps: 2})).result, '"progressToken":false');
	assert.deepEqual(progress(), [], 'nobody asked for it');
	assertGranted((await client.call('progress', {steps: 3}, {progressToken: 'mine'})).result, '"progressToken":true');
	assert.deepEqual(progress(), [1, 2, 3].map((step) => ({progressToken: 'mine', progress: step, total: 3, message: `step ${step}`})));
});

houseTest('a cancelled call is cancelled at the server, and answered no more', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const id = client.nextId();
	await client.send({jsonrpc: '2.0', id, method: 'tools/call', params: {name: 'never', arguments: {}}});
	// A call that waits for the same server tells that the first one has reached it.
	assertGranted((await client.call('echo', {text: 'order'})).result);
	await client.send({jsonrpc: '2.0', method: 'notifications/cancelled', params: {requestId: id, reason: 'changed my mind'}});
	assertGranted((await client.call('cancellations', {})).result, '^1$');
	assert.ok(!client.received.some((message) => message.id === id));
	await house.recorded(({kind, outcome}) => kind === 'call.outcome' && outcome === 'cancelled', 'the cancellation');
});

houseTest('what is not carried is refused', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const methods = ['resources/list', 'resources/read', 'prompts/list', 'completion/complete', 'logging/setLevel', 'tasks/list', 'no/such', 'initialize2'];
	for (const method of methods)
		assert.equal((await client.request(method, {})).error?.code, -32601, method);
	assertGranted((await client.call('echo', {text: 'on'})).result, 'on');
});

houseTest('requests of a server to its client are not carried', oddPolicy(), async (house) => {
	const client = await house.connect('dev', 'odd', {capabilities: {sampling: {}, roots: {}}});
	assertGranted(await client.callTool({name: 'asks_client', arguments: {}}), '-32601');
});

// Bytes that are no message: an error where an id is known, else the peer is closed; others go on, and it is on the log.
const broken = {
	'no JSON at all': 'GET / HTTP/1.1\n',
	'a batch': '[{"jsonrpc":"2.0","id":1,"method":"ping"}]\n',
	'half a message': '{"jsonrpc":"2.0","id":1\n',
	'trailing bytes': '{"jsonrpc":"2.0","id":1,"method":"ping"} true\n',
	'bytes that are no UTF-8': Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}\n')]),
	'the method twice': '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}\n',
	'nested too deep': `{"jsonrpc":"2.0","id":1,"method":"ping","params":${'['.repeat(5000)}${']'.repeat(5000)}}\n`,
	'another version of JSON-RPC': '{"jsonrpc":"1.0","id":1,"method":"ping"}\n',
	'an id that is neither string nor number': '{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}\n',
};

for (const [name, bytes] of Object.entries(broken)) {
	houseTest(`malformed: ${name}`, oddPolicy(), async (house) => {
		const other = await house.openRaw('dev', 'odd');
		const client = await house.openRaw('dev', 'odd');
		const before = client.received.length;
		await client.write(bytes);
		const answered = client.until((message) => client.received.indexOf(message) >= before, 'an answer').catch(() => undefined);
		const answer = await Promise.race([answered, client.closed.then(() => undefined)]);
		assert.ok(answer === undefined || answer.error, JSON.stringify(answer));
		assertGranted((await other.call('echo', {text: 'unharmed'})).result, 'unharmed');
		await house.recorded(({kind}) => kind === 'peer.malformed', 'what was malformed');
	});
}

houseTest('malformed: a line that does not end', oddPolicy(), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	const megabyte = 'x'.repeat(1 << 20);
	for (let i = 0; i < 32; i++)
		await client.write(megabyte);
	assertGranted((await other.call('echo', {text: 'unharmed'})).result, 'unharmed');
	// Nobody can be answered at its end, so the peer is closed.
	await client.write('\n');
	await client.closed;
	assertGranted((await other.call('echo', {text: 'unharmed'})).result, 'unharmed');
	await house.recorded(({kind}) => kind === 'peer.malformed', 'what was malformed');
});

houseTest('malformed: a line that never ends is cut off after 64 MiB', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const piece = Buffer.alloc(1 << 20, 'x');
	for (let mebibytes = 0; mebibytes < 100 && !client.ended; mebibytes++)
		await client.write(piece);
	assert.equal((await client.closed).code, 1);
	assert.match(client.stderr, /a line of more than 64 MiB/);
	const closed = await house.recorded(({kind}) => kind === 'session.close', 'the end of the session');
	assert.match(closed.why, /a line of more than 64 MiB/);
});

houseTest('malformed: a call that is too large is refused by its id, and the session goes on', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const id = client.nextId();
	await client.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{"text":"`);
	for (let i = 0; i < 16; i++)
		await client.write('x'.repeat(1 << 20));
	await client.write('"}}}\n');
	assertRefused((await client.answer(id)).result, 'bad_arguments', 'arguments');
	assertGranted((await client.call('echo', {text: 'on'})).result, 'on');
});

houseTest('arguments without one clear reading are refused, and the session goes on', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const deep = `{"a":${'['.repeat(100)}${']'.repeat(100)}}`;
	for (const text of ['{"text":"a","text":"b"}', deep, '["a"]', '"a"', '{"text":1e999999}', '{"text":"\\ud800"}', 'null']) {
		const id = client.nextId();
		await client.write(`{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":${text}}}\n`);
		const answer = await client.answer(id);
		const entry = assertRefused(answer.result, 'bad_arguments', 'arguments');
		assert.equal((await house.entry(entry)).code ?? 'bad_arguments', 'bad_arguments');
	}
	assertGranted((await client.call('echo', {text: 'on'})).result, 'on');
});

houseTest('a large result and a large argument get through whole', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const {result} = await client.call('large', {bytes: 1 << 20});
	assertGranted(result);
	assert.equal(textOf(result).length, 1 << 20);
	const text = 'ä'.repeat(300000);
	assert.equal(textOf((await client.call('echo', {text})).result), text);
});

houseTest('the end of the client ends its session and its server', oddPolicy(), async (house) => {
	const stay = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	assertGranted((await client.call('echo', {text: 'x'})).result);
	const before = (await house.status()).sessions.length;
	assert.equal(before, 2);
	assert.equal((await client.end()).code, 0);
	await eventually(async () => (await house.status()).sessions.length === 1, 'the end of the session');
	const left = (await house.status()).sessions.map(({pid}) => pid);
	assert.ok(processTable().has(left[0]));
	assertGranted((await stay.call('echo', {text: 'y'})).result, 'y');
});

houseTest('what was answered has its outcome on the log, however soon the session ends', oddPolicy(), async (house) => {
	await house.serve();
	for (let i = 0; i < 20; i++) {
		const client = await house.openRaw('dev', 'odd');
		assertGranted((await client.call('echo', {text: 'x'})).result);
		assert.equal((await client.end()).code, 0);
	}
	await house.ok(['shutdown']);
	const entries = await house.entries();
	assert.deepEqual(entries.filter(({kind}) => kind === 'call.outcome').map(({outcome}) => outcome), Array(20).fill('ok'));
	for (const {why} of entries.filter(({kind}) => kind === 'session.close'))
		assert.equal(why, 'the agent closed its end');
});
