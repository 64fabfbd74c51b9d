// What the tests of this folder share: a test with a house of its own, and the policies that most of them use.

import {test} from 'node:test';
import {House, ownServer} from './house.mjs';

/** No test may take longer; none should come near it. */
const limit = 60000;

/** A test with a family of its own. `policy` is an object, or makes one from the house (which has the folders by then). */
export function houseTest(name, policy, body, {limit: timeout = limit} = {}) {
	test(name, {timeout}, async (t) => {
		const house = new House();
		try {
			if (policy !== undefined)
				house.write(typeof policy === 'function' ? policy(house) : policy);
			await body(house, t);
		} finally {
			await house.close();
		}
	});
}

const tools = {
	odd: ['echo', 'mark', 'anything', 'integers', 'starts', 'rendezvous', 'progress', 'false_progress', 'never', 'cancellations', 'crash', 'abort', 'close', 'flood',
		'other_id', 'twice', 'garbage', 'two_readings', 'deep', 'large', 'endless', 'not_a_result', 'rpc_error', 'asks_client', 'changes_tools', 'redescribe',
		'new_tool', 'strange', 'spin'],
	hostile: ['tcp', 'unix', 'listen', 'resolve', 'read', 'list', 'write', 'link', 'kill', 'environments', 'processes', 'descriptors', 'identity', 'run'],
};

/** The same effect for each tool of one of tests/e2e/servers. */
export function facts(server, effect) {
	return Object.fromEntries(tools[server].map((tool) => [`${server}.${tool}`, {effect}]));
}

/** One agent that may call everything of the odd server; its facts say `read`, so that nothing waits for the disk. */
export function oddPolicy({args = [], timeout = '20s', allow = ['odd.*'], ...rest} = {}) {
	return (house) => ({
		version: 1,
		servers: {odd: ownServer('odd.mjs', {args, timeout, workspace: house.folder('workspace')})},
		tools: facts('odd', 'read'),
		agents: {dev: {allow}},
		...rest,
	});
}
