// What a server can do that has been taken over, seen from inside its sandbox and from outside.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import {facts, houseTest} from './lib/check.mjs';
import {assertGranted, eventually, family, isRoot, ownServer, processTable, survivors, textOf} from './lib/house.mjs';

const secret = 'the-secret-of-the-host';

function hostilePolicy(house, more = {}) {
	house.folder('workspace');
	house.folder('readonly');
	fs.writeFileSync(house.path('home/key'), secret, {mode: 0o600});
	fs.writeFileSync(house.path('readonly/file'), 'as it was');
	const server = ownServer('hostile.mjs', {workspace: house.path('workspace'), timeout: '20s', env: {NAMED: 'by the policy'}, ...more});
	server.files.push({host: house.path('readonly'), at: '/readonly', mode: 'ro'});
	return {
		version: 1,
		servers: {hostile: server},
		tools: facts('hostile', 'write'),
		agents: {dev: {allow: ['hostile.*']}},
	};
}

function hostileTest(name, body) {
	houseTest(name, hostilePolicy, async (house) => {
		house.env.HOST_SECRET = secret;
		const client = await house.openRaw('dev', 'hostile');
		await body(house, async (tool, args = {}) => (await client.call(tool, args)).result, client);
	});
}

/** The call ran, and came to nothing. */
function assertContained(result, pattern = /^error: /) {
	assert.equal(result._meta?.['bawn/code'], undefined, textOf(result));
	assert.match(textOf(result), pattern);
	assert.ok(!JSON.stringify(result).includes(secret), 'the secret came out');
}

hostileTest('no network: neither out nor to the host nor to listen for it', async (house, call) => {
	const service = net.createServer();
	let visitors = 0;
	service.on('connection', () => visitors++);
	await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
	assertContained(await call('tcp', {host: '127.0.0.1', port: String(service.address().port)}));
	assertContained(await call('tcp', {host: '192.0.2.1', port: '80'}));
	assertContained(await call('resolve', {name: 'example.com'}));
	assert.equal(visitors, 0);
	service.close();
});

hostileTest('no socket of the host, and none of Bawn\'s', async (house, call) => {
	let visitors = 0;
	// In the workspace the file itself is to be seen; a file view of its own would not keep the server from connecting.
	const services = await Promise.all([house.path('service'), house.path('workspace/service')].map((place) => new Promise((resolve) => {
		const service = net.createServer(() => visitors++).listen(place, () => resolve(service));
	})));
	for (const path of [house.path('service'), '/work/service'])
		assertContained(await call('unix', {path}));
	for (const socket of fs.readdirSync(house.path('run'), {recursive: true}))
		assertContained(await call('unix', {path: house.path('run', socket)}));
	assert.equal(visitors, 0);
	for (const service of services)
		service.close();
});

hostileTest('a file view of its own', async (house, call) => {
	for (const path of [house.path('home/key'), house.policy, '/etc/shadow', '/root/.profile', '/proc/1/root/etc/shadow', '/proc/kcore', '/dev/mem'])
		assertContained(await call('read', {path}));
	for (const path of [house.root, '/home', '/root', '/var/lib', '/sys/kernel', '/run/user'])
		assert.doesNotMatch(textOf(await call('list', {path})), /^got: .+/, path);
	for (const path of [house.path('home/new'), '/usr/bin/new', '/etc/new', '/opt/servers/new', '/readonly/new', '/readonly/file', '/new', '/proc/sys/kernel/hostname'])
		assertContained(await call('write', {path, text: 'changed'}));
	assert.equal(fs.readFileSync(house.path('readonly/file'), 'utf8'), 'as it was');
	assert.ok(!fs.existsSync(house.path('home/new')));
});

hostileTest('its /tmp is its own, its workspace is the host\'s', async (house, call) => {
	const mark = `/tmp/bawn-e2e-${process.pid}`;
	assertGranted(await call('write', {path: mark, text: 'x'}), 'written');
	assert.ok(!fs.existsSync(mark));
	assertGranted(await call('write', {path: '/work/new', text: 'from inside'}), 'written');
	assert.equal(fs.readFileSync(house.path('workspace/new'), 'utf8'), 'from inside');
	assert.equal(fs.statSync(house.path('workspace/new')).uid, process.getuid(), 'it belongs to the one who runs Bawn');
});

hostileTest('links lead nowhere outside', async (house, call) => {
	fs.symlinkSync(house.path('home/key'), house.path('workspace/ready'));
	assertContained(await call('read', {path: '/work/ready'}));
	assertContained(await call('link', {target: house.path('home/key'), path: '/work/own'}));
	assertContained(await call('run', {command: `ln /readonly/file /work/hard`}), /^error: status/);
});

hostileTest('the environment is what the policy names', async (house, call) => {
	const found = JSON.parse(textOf(await call('environments')));
	for (const variables of Object.values(found)) {
		for (const variable of variables)
			assert.doesNotMatch(variable, /SECRET|XDG_|HOST|BAWN/);
	}
	assert.ok(Object.values(found).some((variables) => variables.includes('NAMED=by the policy')));
});

hostileTest('it sees no process but its own, and has no power over others', async (house, call) => {
	const seen = JSON.parse(textOf(await call('processes')));
	assert.ok(seen.length <= 4, JSON.stringify(seen));
	assertContained(await call('kill', {pid: String(process.pid)}));
	for (const command of ['unshare --user --map-root-user true', 'mount -t tmpfs none /tmp', 'chroot / true',
		'mknod /tmp/disk b 8 0', 'setpriv --reuid 0 true && setpriv --reuid 12345 true', 'su -c true', 'dmesg'])
		assertContained(await call('run', {command}), /^error: /);
});

hostileTest('no descriptor of Bawn\'s is left open in it', async (house, call) => {
	const open = JSON.parse(textOf(await call('descriptors')));
	for (const [fd, target] of Object.entries(open).filter(([fd]) => Number(fd) > 2))
		assert.match(target, /^(anon_inode:|pipe:|\/dev\/null|\/proc\/)/, `${fd} -> ${target}`);
});

hostileTest('no privilege, and no way to one', async (house, call) => {
	const status = textOf(await call('identity'));
	for (const line of [/^CapEff:\s0+$/m, /^CapPrm:\s0+$/m, /^CapBnd:\s0+$/m, /^CapAmb:\s0+$/m, /^NoNewPrivs:\s1$/m, /^Seccomp:\s2$/m])
		assert.match(status, line);
	const {sessions} = await house.status();
	const outside = fs.readFileSync(`/proc/${sessions[0].pid}/status`, 'utf8');
	const uids = outside.match(/^Uid:\s(.+)$/m)[1].split(/\s/).map(Number);
	for (const uid of uids)
		isRoot ? assert.ok(uid >= 65536, `kernel uid ${uid}`) : assert.equal(uid, process.getuid());
});

hostileTest('the whole tree dies with its session', async (house, call, client) => {
	await call('run', {command: 'setsid sh -c "trap \'\' TERM HUP; sleep 1000" >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 & true'});
	const {sessions} = await house.status();
	const tree = family(sessions[0].pid);
	assert.ok(tree.length >= 1 && processTable().has(sessions[0].pid));
	await client.kill();
	await eventually(() => survivors(tree).length === 0, 'the end of the tree');
});

houseTest('a workspace that is read-only', (house) => {
	const policy = hostilePolicy(house);
	policy.servers.hostile.workspace.mode = 'ro';
	fs.writeFileSync(house.path('workspace/file'), 'as it was');
	return policy;
}, async (house) => {
	const client = await house.openRaw('dev', 'hostile');
	assertGranted((await client.call('read', {path: '/work/file'})).result, 'got: as it was');
	assertContained((await client.call('write', {path: '/work/file', text: 'changed'})).result);
	assertContained((await client.call('run', {command: 'chmod 777 /work/file || mount -o remount,rw /work'})).result, /^error: /);
	assert.equal(fs.readFileSync(house.path('workspace/file'), 'utf8'), 'as it was');
});
