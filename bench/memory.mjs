// The memory of the idle family (PSS: what is shared is divided among those who share it), and with one session, beside the peers.
// The family's processes are not dumpable, so only root may look.

import {bawnCommand, benchHouse, memoryOf, startHttpPeers, stop, table} from './lib.mjs';
import {RawClient} from '../tests/e2e/lib/raw.mjs';

const house = benchHouse('read');
const peers = await startHttpPeers();
try {
	await house.serve();
	const measured = async () => (await house.status()).processes.map(({name, pid}) => [name, memoryOf(pid)]);
	const idle = await measured();
	if (idle.some(([, kib]) => kib === undefined)) {
		console.log('only root may measure the memory of the family');
	} else {
		const client = new RawClient(bawnCommand[0], bawnCommand.slice(1), {env: house.env});
		await client.initialize();
		await client.call('echo', {text: 'x', bytes: 0});
		const busy = await measured();
		await client.end();
		const sum = (rows) => rows.reduce((total, [, kib]) => total + kib, 0);
		console.log('\nproportional memory, KiB');
		table(['process', 'idle', 'with a session'], [
			...busy.map(([name, kib], i) => [name, idle.find(([other], j) => other === name && j === i)?.[1] ?? '', kib]),
			['bawn, all', sum(idle), sum(busy)],
			...peers.map(({name, child}) => [name, memoryOf(child.pid), '']),
		]);
	}
} finally {
	for (const {child} of peers)
		await stop(child);
	await house.close();
}
