// The family of processes and the command line that people meet: start, reload, trust, tokens, and what wrong usage gets.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {facts, houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, assertRefused, bawn, eventually, family, isRoot, ownServer, servers, survivors} from './lib/house.mjs';
import {RawClient} from './lib/raw.mjs';

const oneLine = /^bawn: [^\n]+\n$/;
const unknownAgent = /^bawn: unknown_agent \(entry \d+\): [^\n]+\n$/;

function twoAgents(house) {
	return {
		version: 1,
		servers: {odd: ownServer('odd.mjs', {workspace: house.folder('workspace'), timeout: '20s'})},
		tools: facts('odd', 'read'),
		agents: {dev: {allow: ['odd.echo']}, ops: {allow: ['odd.*']}},
	};
}

houseTest('five clients at once start one family', oddPolicy(), async (house) => {
	const clients = await Promise.all([1, 2, 3, 4, 5].map(() => house.connect('dev', 'odd')));
	await Promise.all(clients.map((client) => client.callTool({name: 'echo', arguments: {text: 'x'}}).then((result) => assertGranted(result, 'x'))));
	const {processes, sessions} = await house.status();
	assert.equal(sessions.length, 5);
	for (const name of ['init', 'launcher', 'judge', 'audit', 'console'])
		assert.equal(processes.filter((one) => one.name === name).length, 1, name);
	assert.equal(processes.filter(({name}) => name.startsWith('gateway')).length, 5);
	assert.equal((await house.entries()).filter(({kind}) => kind === 'log.open').length, 1);
});

houseTest('bawn serve: ready line, a second one is refused, SIGTERM ends it and everything below it', oddPolicy(), async (house) => {
	const server = await house.serve();
	const client = await house.openRaw('dev', 'odd');
	assertGranted((await client.call('echo', {text: 'x'})).result);
	const second = await house.run(['serve']);
	assert.equal(second.code, 1, JSON.stringify(second));
	assert.match(second.stderr, /bawn.*already/);
	const members = family(server.pid);
	assert.ok(members.length >= 7, `${members.length} processes`);
	server.child.kill('SIGTERM');
	assert.deepEqual(await server.closed, {code: 0, signal: null});
	await client.closed;
	await eventually(() => survivors(members).length === 0, 'the end of the family');
	assert.equal((await house.run(['audit', 'verify'])).code, 0);
});

houseTest('SIGINT ends it as well, and it can start again on the same log', oddPolicy(), async (house) => {
	const server = await house.serve();
	server.child.kill('SIGINT');
	assert.equal((await server.closed).code, 0);
	const before = (await house.entries()).length;
	await house.serve();
	const client = await house.openRaw('dev', 'odd');
	assertGranted((await client.call('echo', {text: 'x'})).result);
	assert.ok((await house.entries()).length > before);
});

houseTest('bawn shutdown ends a family that bawn mcp started', oddPolicy(), async (house) => {
	const client = await house.openRaw('dev', 'odd');
	const {processes} = await house.status();
	const members = processes.flatMap(({pid}) => family(pid));
	await house.ok(['shutdown']);
	await client.closed;
	const [run] = fs.readdirSync(house.path('run/bawn'));
	await eventually(() => survivors(members).length === 0, 'the end of the family');
	const none = await house.run(['status']);
	assert.equal(none.code, 1);
	assert.match(none.stderr + none.stdout, /not running|no family|nothing/i);
	assert.ok(!fs.existsSync(house.path('run/bawn', run, 'control.sock')), 'a socket is left that nobody listens on');
});

houseTest('a family in the background keeps nobody\'s working folder', oddPolicy(), async (house, t) => {
	await house.openRaw('dev', 'odd');
	const {processes} = await house.status();
	for (const {name, pid} of processes) {
		try {
			assert.notEqual(fs.readlinkSync(`/proc/${pid}/cwd`), house.path('home'), name);
		} catch (error) {
			if (error.code !== 'EACCES')
				throw error;
			t.diagnostic(`${name}: only root may look`);
		}
	}
});

// What it lacks differs with the number, and so how far it comes; it may never hang, nor leave anybody behind.
houseTest('a family that cannot begin ends, with the reason', oddPolicy(), async (house) => {
	const reasons = new Set();
	for (let files = 7; files <= 40; files++) {
		const script = 'ulimit -n "$1" && exec "$2" serve';
		const serving = new RawClient('sh', ['-c', script, 'sh', String(files), bawn], {cwd: house.path('home'), env: house.env});
		await Promise.race([serving.closed, serving.untilStderr(/bawn: serving/).catch(() => {})]);
		if (!serving.ended)
			serving.child.kill('SIGTERM');
		const {code} = await serving.closed;
		if (/bawn: serving/.test(serving.stderr))
			continue;
		assert.ok(code === 1 || code === 127 || code === 2, `${files} descriptors: ${code} ${serving.stderr}`);
		assert.notEqual(serving.stderr, '', `${files} descriptors`);
		reasons.add(serving.stderr.trim().split('\n').at(-1));
	}
	assert.ok([...reasons].some((line) => /the processes could not be started/.test(line)), [...reasons].join('\n'));
});

// Perl, because Node.js knows nothing of SO_LINGER. It hands a TCP socket that lingers to `bawn mcp`, and looks at it through its own copy.
const lingering = `
use Socket;
my ($l, $near, $far);
socket($l, PF_INET, SOCK_STREAM, 0) && bind($l, sockaddr_in(0, INADDR_LOOPBACK)) && listen($l, 1) or die $!;
socket($near, PF_INET, SOCK_STREAM, 0) && connect($near, getsockname($l)) && accept($far, $l) or die $!;
setsockopt($far, SOL_SOCKET, SO_LINGER, pack('ii', 1, 60)) or die $!;
my $pid = fork();
if (!$pid) {
	open(STDIN, '<&', $far) && open(STDOUT, '>&', $far) or die $!;
	exec(@ARGV);
}
syswrite($near, '{"jsonrpc":"2.0","id":1,"method":"ping"}' . chr(10));
sysread($near, my $answer, 65536) or die 'no answer';
my ($on) = unpack('ii', getsockopt($far, SOL_SOCKET, SO_LINGER));
print "lingers: $on $answer";
shutdown($near, 1);
waitpid($pid, 0);
`;

houseTest('a socket of a client that lingers does so no longer', oddPolicy(), async (house, t) => {
	const perl = new RawClient('perl', ['-e', lingering, bawn, ...house.mcpArgs('dev', 'odd')], {cwd: house.path('home'), env: house.env});
	const {error} = await perl.closed;
	if (error) {
		t.skip('there is no perl');
		return;
	}
	assert.match(perl.received.map(({notJson}) => notJson).join(), /^lingers: 0 .*"result"/, perl.stderr);
});

houseTest('bawn status shows each process with the layers that confine it', oddPolicy(), async (house) => {
	await house.openRaw('dev', 'odd');
	const {processes, servers, agents} = await house.status();
	assert.deepEqual([servers.map((one) => one.name ?? one), agents.map((one) => one.name ?? one)], [['odd'], ['dev']]);
	for (const {name, pid, restarts, layers} of processes) {
		assert.ok(Number.isInteger(pid) && Number.isInteger(restarts), name);
		assert.ok(Object.keys(layers).length > 0, `${name} says nothing of its layers`);
		const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
		assert.match(status, /^NoNewPrivs:\s1$/m, name);
		if (name !== 'init')
			assert.match(status, /^Seccomp:\s2$/m, name);
	}
	const text = await house.ok(['status']);
	for (const name of ['judge', 'audit', 'launcher', 'console', 'gateway'])
		assert.match(text.stdout, new RegExp(name));
});

for (const [how, reload] of [
	['bawn reload', (house) => house.run(['reload'])],
	['SIGHUP', (house, server) => server.child.kill('SIGHUP')],
]) {
	houseTest(`a changed policy is taken up by ${how}, whole or not at all`, oddPolicy({allow: ['odd.echo']}), async (house) => {
		const server = await house.serve();
		const client = await house.openRaw('dev', 'odd');
		assertGranted((await client.call('echo', {text: 'x'})).result);
		assert.equal((await client.request('tools/list')).result.tools.length, 1);
		assertRefused((await client.call('starts', {})).result, 'not_granted', 'grant');
		// Half right: it grants more, and has an error. Nothing of it may be taken up.
		const wrong = oddPolicy({allow: ['odd.echo', 'odd.starts']})(house);
		house.write({...wrong, surprise: true});
		const answer = await reload(house, server);
		if (how === 'SIGHUP') {
			await server.untilStderr(/bawn\.yaml:\d+:\d+: .*surprise/);
		} else {
			assert.equal(answer.code, 1, JSON.stringify(answer));
			assert.match(answer.stderr + answer.stdout, /bawn\.yaml:\d+:\d+: .*surprise/);
		}
		assertRefused((await client.call('starts', {})).result, 'not_granted', 'grant');
		house.write(wrong);
		const again = await reload(house, server);
		if (how !== 'SIGHUP')
			assert.equal(again.code, 0, JSON.stringify(again));
		await client.until(({method}) => method === 'notifications/tools/list_changed', 'the news of it');
		assertGranted((await client.call('starts', {})).result);
		// And narrowed again, in the session that is open.
		house.write(oddPolicy({allow: ['odd.starts']})(house));
		await reload(house, server);
		await eventually(async () => (await client.call('echo', {text: 'x'})).result.isError, 'the narrower policy');
		assertRefused((await client.call('echo', {text: 'x'})).result, 'not_granted', 'grant');
	});
}

houseTest('a policy with errors starts nothing: all of them at once, with file, line and column', `version: 1
servers:
  odd:
    command: [node, odd.mjs]
    egres: none
agents:
  dev:
    allow: [odd.echo, nowhere.echo]
    alow: []
`, async (house) => {
	const checked = await house.run(['check']);
	assert.equal(checked.code, 1);
	const lines = checked.stdout + checked.stderr;
	assert.match(lines, /bawn\.yaml:5:5: .*egres/);
	assert.match(lines, /bawn\.yaml:8:\d+: .*nowhere/);
	assert.match(lines, /bawn\.yaml:9:5: .*alow.*did you mean "allow"/);
	const asJson = await house.run(['check', '--json']);
	assert.equal(asJson.code, 1);
	assert.ok(JSON.parse(asJson.stdout).problems.length >= 3);
	for (const args of [['serve'], house.mcpArgs('dev', 'odd')]) {
		const refused = await house.run(args);
		assert.equal(refused.code, 1, JSON.stringify(refused));
		assert.match(refused.stderr, /bawn\.yaml:5:5: /);
	}
	assert.equal((await house.run(['status'])).code, 1);
});

houseTest('more problems than can be told: the word of it has no line', `version: 1\n${Array.from({length: 600}, (_, i) => `extra${i}: 1\n`).join('')}`, async (house) => {
	const refused = await house.run(['serve']);
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /^\S+bawn\.yaml: there are more problems than these/m);
	assert.equal(refused.stderr, (await house.run(['check'])).stdout.split('\n').slice(0, -2).join('\n').replaceAll(/^bawn\.yaml/gm, house.policy) + '\n');
});

houseTest('a valid policy', oddPolicy(), async (house) => {
	assert.equal((await house.run(['check'])).code, 0);
	assert.equal((await house.run(['check', house.policy])).code, 0);
	assert.equal((await house.run(['check', house.path('none.yaml')])).code, 2);
	assert.deepEqual((await house.json(['check'])).problems.filter(({warning}) => !warning), []);
});

houseTest('a policy found in a project is inert until it is trusted, and again when it was changed', oddPolicy(), async (house) => {
	// It can name no file of the host outside the project, so the server has to lie inside.
	const cwd = house.path('project');
	fs.cpSync(servers, path.join(cwd, 'servers'), {recursive: true});
	const policy = oddPolicy()(house);
	fs.mkdirSync(path.join(cwd, 'workspace'));
	policy.servers.odd.workspace.host = './workspace';
	policy.servers.odd.files[0].host = './servers';
	policy.servers.odd.files.length = 1;
	fs.rmSync(house.policy);
	const file = path.join(cwd, 'bawn.yaml');
	house.write(policy, file);
	const open = async () => {
		const client = new RawClient(bawn, house.mcpArgs('dev', 'odd'), {env: house.env, cwd});
		const answer = await Promise.race([client.initialize(), client.closed]).catch(() => client.closed);
		return {client, answer};
	};
	const untrusted = await open();
	assert.equal((await untrusted.client.closed).code, 1, untrusted.client.stderr);
	assert.match(untrusted.client.stderr, /bawn trust/);
	assert.equal((await house.run(['serve'], {cwd})).code, 1);
	const inert = await house.ok(['check'], {cwd});
	assert.match(inert.stdout, /bawn\.yaml: a project's policy, not accepted as it is now/);
	assert.equal((await house.json(['check'], {cwd})).accepted, false);
	await house.ok(['trust'], {cwd});
	assert.match((await house.ok(['check'], {cwd})).stdout, /bawn\.yaml: a project's policy, accepted as it is now/);
	assert.equal((await house.json(['check'], {cwd})).accepted, true);
	assert.equal((await house.json(['check', 'bawn.yaml'], {cwd})).accepted, null, 'named by its path it needs nobody');
	const trusted = await open();
	assert.ok(trusted.answer.result, trusted.client.stderr);
	assertGranted((await trusted.client.call('echo', {text: 'x'})).result);
	// Changed while it is in force: refused, and that is on the record.
	fs.appendFileSync(file, '\n');
	const reloaded = await house.run(['reload'], {cwd});
	assert.equal(reloaded.code, 1, JSON.stringify(reloaded));
	assert.match(reloaded.stderr + reloaded.stdout, /bawn trust/);
	const listed = await house.ok(['audit', 'list', '--json', '--kind', 'policy.rejected'], {cwd});
	assert.match(JSON.parse(listed.stdout).why, /bawn\.yaml is a project's policy that you have not accepted/);
	await trusted.client.end();
	await house.ok(['shutdown'], {cwd});
	const changed = await open();
	assert.equal((await changed.client.closed).code, 1, changed.client.stderr);
	assert.match(changed.client.stderr, /bawn trust/);
	// What it may never do, trusted or not.
	policy.servers.odd.files.push({host: house.path('home'), at: '/home', mode: 'ro'});
	house.write(policy, file);
	const reaching = await house.run(['trust'], {cwd});
	assert.equal(reaching.code, 1, JSON.stringify(reaching));
	assert.match(reaching.stderr + reaching.stdout, /bawn\.yaml:\d+:\d+: /);
});

houseTest('an agent is who holds its token', twoAgents, async (house) => {
	await house.ok(['agent', 'new', 'dev']);
	const elsewhere = house.path('home/ops.token');
	await house.ok(['agent', 'new', 'ops', '--token-file', elsewhere]);
	const own = house.tokenFile('dev');
	for (const file of [own, elsewhere])
		assert.equal(fs.statSync(file).mode & 0o777, 0o600);
	assert.notEqual(fs.readFileSync(own, 'utf8'), fs.readFileSync(elsewhere, 'utf8'));
	const dev = await house.openRaw('dev', 'odd');
	assertGranted((await dev.call('echo', {text: 'x'})).result);
	assertRefused((await dev.call('starts', {})).result, 'not_granted', 'grant');
	const ops = await house.openRaw('ops', 'odd', {extra: ['--token-file', elsewhere]});
	assertGranted((await ops.call('starts', {})).result);
	fs.writeFileSync(house.path('home/empty'), '', {mode: 0o600});
	fs.writeFileSync(house.path('home/guess'), `${'0'.repeat(64)}\n`, {mode: 0o600});
	const wrong = {
		'no token': ['ops', []],
		'the token of another': ['ops', ['--token-file', own]],
		'an empty token': ['ops', ['--token-file', house.path('home/empty')]],
		'a guess': ['ops', ['--token-file', house.path('home/guess')]],
		'an agent that does not exist': ['boss', ['--token-file', own]],
	};
	for (const [what, [agent, extra]] of Object.entries(wrong)) {
		const before = (await house.entries()).length;
		const refused = await house.run(house.mcpArgs(agent, 'odd', extra));
		assert.equal(refused.code, 2, what);
		assert.match(refused.stderr, unknownAgent, what);
		const fresh = (await house.entries()).slice(before);
		assert.ok(fresh.some((entry) => entry.kind === 'session.refused' && entry.code === 'unknown_agent'), `${what} is on the log`);
	}
	// A file that others can read is no secret.
	fs.chmodSync(elsewhere, 0o644);
	const open = await house.run(house.mcpArgs('ops', 'odd', ['--token-file', elsewhere]));
	assert.equal(open.code, 2, JSON.stringify(open));
});

houseTest('a token is one policy\'s, and is not replaced by a slip of the pen', twoAgents, async (house) => {
	const first = (await house.ok(['agent', 'new', 'dev'])).stdout.match(/^wrote (\S+);/)[1];
	const second = house.path('home/second.yaml');
	house.write(twoAgents(house), second);
	const other = (await house.ok(['agent', 'new', 'dev', '--policy', second])).stdout.match(/^wrote (\S+);/)[1];
	assert.notEqual(first, other);
	const token = fs.readFileSync(first, 'utf8');
	assert.notEqual(token, fs.readFileSync(other, 'utf8'));
	assertGranted((await (await house.openRaw('dev', 'odd')).call('echo', {text: 'x'})).result);
	assertGranted((await (await house.openRaw('dev', 'odd', {extra: ['--policy', second]})).call('echo', {text: 'x'})).result);
	// Again, and again elsewhere: the first one stays in force.
	const elsewhere = house.path('home/dev.token');
	for (const extra of [[], ['--token-file', elsewhere]]) {
		const again = await house.run(['agent', 'new', 'dev', ...extra]);
		assert.equal(again.code, 1, JSON.stringify(again));
		assert.match(again.stderr, /^bawn: dev has a token .*--replace.*\n$/);
	}
	assert.equal(fs.readFileSync(first, 'utf8'), token);
	assert.ok(!fs.existsSync(elsewhere));
	// Nor is another file written over.
	fs.writeFileSync(elsewhere, 'something else');
	assert.match((await house.run(['agent', 'new', 'ops', '--token-file', elsewhere])).stderr, /is there already; with --replace/);
	assert.equal(fs.readFileSync(elsewhere, 'utf8'), 'something else');
	await house.ok(['agent', 'new', 'dev', '--replace', '--token-file', elsewhere]);
	assert.ok(!fs.existsSync(first), 'the void token is gone');
	await house.ok(['reload']);
	assert.equal((await house.run(house.mcpArgs('dev', 'odd'))).code, 2);
	assertGranted((await (await house.openRaw('dev', 'odd', {extra: ['--token-file', elsewhere]})).call('echo', {text: 'x'})).result);
	await house.ok(['shutdown', '--policy', second]);
});

houseTest('a single agent needs no token, and is still the only one', oddPolicy(), async (house) => {
	assertGranted((await (await house.openRaw('dev', 'odd')).call('echo', {text: 'x'})).result);
	const other = await house.run(house.mcpArgs('boss', 'odd'));
	assert.equal(other.code, 2);
	assert.match(other.stderr, unknownAgent);
});

houseTest('a server that is not there, or not for this agent', (house) => ({
	...twoAgents(house),
	servers: {odd: ownServer('odd.mjs'), other: ownServer('odd.mjs')},
}), async (house) => {
	await house.ok(['agent', 'new', 'dev']);
	for (const server of ['nowhere', 'other']) {
		const refused = await house.run(house.mcpArgs('dev', server));
		assert.equal(refused.code, 2, JSON.stringify(refused));
		assert.match(refused.stderr, oneLine);
	}
	assert.deepEqual((await house.status()).sessions, []);
});

houseTest('wrong usage: one line on stderr, exit 2, nothing started', oddPolicy(), async (house) => {
	for (const args of [['frobnicate'], ['mcp', '--nonsense'], ['mcp', '--agent'], ['mcp', 'surplus'], ['check', 'a', 'b'], ['audit'], ['audit', 'show'],
		['audit', 'show', 'x'], ['audit', 'show', '-1'], ['agent'], ['agent', 'new'], ['agent', 'new', '../up'], ['agent', 'new', ''], ['serve', 'x'], []]) {
		const done = await house.run(args);
		assert.equal(done.code, 2, `${args.join(' ')}: ${JSON.stringify(done)}`);
		assert.equal(done.stdout, '', args.join(' '));
		assert.match(done.stderr, oneLine, args.join(' '));
	}
	assert.equal((await house.run(['status'])).code, 1);
	assert.deepEqual(fs.readdirSync(house.path('run')), []);
});

houseTest('every verb has --help', oddPolicy(), async (house) => {
	for (const verb of [[], ['mcp'], ['serve'], ['reload'], ['shutdown'], ['status'], ['check'], ['trust'], ['agent'], ['audit']]) {
		const done = await house.run([...verb, '--help']);
		assert.equal(done.code, 0, JSON.stringify(done));
		assert.match(done.stdout, /bawn/);
	}
});

houseTest('no policy at all: it says where it looked', undefined, async (house) => {
	fs.rmSync(house.policy, {force: true});
	for (const args of [['check'], ['serve'], house.mcpArgs('dev', 'odd')]) {
		const done = await house.run(args, {cwd: house.path('project')});
		assert.equal(done.code, 2, JSON.stringify(done));
		assert.match(done.stderr, oneLine);
		assert.match(done.stderr, /bawn\.yaml/);
	}
});

houseTest('--policy names the file, from any folder', oddPolicy(), async (house) => {
	const file = house.path('elsewhere.yaml');
	fs.renameSync(house.policy, file);
	const client = await house.openRaw('dev', 'odd', {extra: ['--policy', '../elsewhere.yaml']});
	assertGranted((await client.call('echo', {text: 'x'})).result);
	assert.equal((await house.json(['status', '--policy', file])).sessions.length, 1);
	await house.ok(['shutdown', '--policy', file]);
});

// In /tmp, where the runtime folder is without XDG_RUNTIME_DIR, anybody may have been there first, with a socket that everybody can reach.
houseTest('a socket of another user gets neither a token nor the agent\'s words', undefined, async (house, t) => {
	if (!isRoot) {
		t.skip('takes two other users');
		return;
	}
	const open = fs.mkdtempSync(path.join(os.tmpdir(), 'bawn-open-'));
	const [stranger, victim] = [61234, 61235];
	const folder = (name, owner) => {
		fs.mkdirSync(path.join(open, name), {mode: 0o700});
		fs.chownSync(path.join(open, name), owner, owner);
		return path.join(open, name);
	};
	const run = folder('run', stranger);
	const env = (state) => ({...house.env, HOME: state, XDG_CONFIG_HOME: state, XDG_STATE_HOME: state, XDG_RUNTIME_DIR: run});
	fs.chmodSync(open, 0o755);
	fs.copyFileSync(bawn, path.join(open, 'bawn'));
	fs.writeFileSync(path.join(open, 'bawn.yaml'), 'version: 1\nservers: {s: {command: [/bin/true]}}\nagents: {dev: {ask: [s.t]}}\n');
	const args = (verb) => [verb, '--policy', path.join(open, 'bawn.yaml')];
	const serving = new RawClient(path.join(open, 'bawn'), args('serve'), {cwd: '/', env: env(folder('of-stranger', stranger)), uid: stranger, gid: stranger});
	try {
		await serving.untilStderr(/bawn: serving/);
		for (const name of fs.readdirSync(run, {recursive: true}))
			fs.chmodSync(path.join(run, name), 0o777);
		fs.chmodSync(run, 0o777);
		const home = folder('of-victim', victim);
		for (const [verb, says] of Object.entries({status: /belongs to another user/, mcp: /must be a folder of your own/})) {
			const asking = new RawClient(path.join(open, 'bawn'), args(verb), {cwd: '/', env: env(home), uid: victim, gid: victim});
			assert.equal((await asking.closed).code, 1);
			assert.match(asking.stderr, says);
		}
	} finally {
		serving.child.kill('SIGTERM');
		await serving.closed;
		fs.rmSync(open, {recursive: true, force: true});
	}
});

houseTest('a project\'s folder with a name that a terminal would obey', undefined, async (house) => {
	const project = house.folder('project', 'a\u001b[2J\u202eb');
	house.write('version: 1\nservers: {s: {command: [cat]}}\nagents: {dev: {ask: [s.t, s.*]}}\n', path.join(project, 'bawn.yaml'));
	for (const args of [['serve'], ['trust'], ['check'], ['mcp']]) {
		const done = await house.run(args, {cwd: project});
		assert.doesNotMatch(done.stdout + done.stderr, /[\u001b\u202e]/, `bawn ${args}`);
		assert.match(done.stdout + done.stderr, /\\x1b|^$/, `bawn ${args}`);
	}
	await house.run(['shutdown'], {cwd: project}); // what `bawn mcp` started
	const serving = await house.serve([], {cwd: project});
	assert.doesNotMatch(serving.stderr, /[\u001b\u202e]/);
	serving.child.kill('SIGTERM');
	await serving.closed;
});

houseTest('bawn status is answered although the judge dies over it', oddPolicy(), async (house) => {
	await house.serve();
	const judge = (await house.status()).processes.find(({name}) => name === 'judge');
	process.kill(judge.pid, 'SIGSTOP');
	const asked = house.run(['status', '--json']);
	await house.ok(['audit', 'list']); // another command from its start to its end: the question has long been asked by then
	process.kill(judge.pid, 'SIGKILL');
	const done = await asked;
	assert.equal(done.code, 0, done.stderr);
	assert.ok(JSON.parse(done.stdout).processes.length >= 5);
});
