// From the start of the command to the first answered call, with no family running, beside the same for the server itself and for mcp-proxy.
// What is left after taking off the server's own start is Bawn's part.

import {bawnCommand, benchHouse, echo, mcpProxyStdio, median, ping, table} from './lib.mjs';

const rounds = Number(process.env.BENCH_ROUNDS ?? 5) * 2;
const once = ['-n', '1', '-w', '0'];
const first = {directly: [], bawn: [], 'mcp-proxy, stdio': []};
const house = benchHouse('read');
try {
	for (let round = 0; round < rounds; round++) {
		first.directly.push((await ping([...once, echo])).first);
		first.bawn.push((await ping([...once, ...bawnCommand], house.env)).first);
		await house.ok(['shutdown']);
		first['mcp-proxy, stdio'].push((await ping([...once, ...mcpProxyStdio])).first);
	}
	console.log(`\nfrom the start to the first answered call, median of ${rounds}; milliseconds`);
	const direct = median(first.directly);
	table(['way', 'first answer', 'without the server\'s own'], Object.entries(first).map(([name, times]) =>
		[name, (median(times) / 1000).toFixed(1), ((median(times) - direct) / 1000).toFixed(1)]));
} finally {
	await house.close();
}
