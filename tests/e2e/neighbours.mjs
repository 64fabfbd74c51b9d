// What one session does, be it its agent or its server, neither ends nor starves another one, and is on the record as what it is.

import assert from 'node:assert/strict';
import {houseTest, oddPolicy} from './lib/check.mjs';
import {assertGranted, assertRefused} from './lib/house.mjs';

/** Nobody of the family was restarted, none is said to have broken its rules, and the other session still gets its answers. */
async function assertUndisturbed(house, other) {
	assertGranted((await other.call('echo', {text: 'undisturbed'})).result, '^undisturbed$');
	for (const {name, restarts} of (await house.status()).processes)
		assert.equal(restarts, 0, `${name} was restarted`);
	assert.deepEqual((await house.entries()).filter(({kind}) => /^process\.(misbehaved|exit)$/.test(kind)), []);
}

houseTest('an argument\'s name that has to be cut in the reason of a refusal', oddPolicy(), async (house) => {
	const other = await house.openRaw('dev', 'odd');
	const client = await house.openRaw('dev', 'odd');
	for (const start of ['', 'x', 'xx', 'xxx']) {
		const name = start + '\u00e9'.repeat(150);
		const entry = assertRefused((await client.call('integers', {[name]: 'no integer'})).result, 'bad_arguments', 'arguments');
		assert.match((await house.entry(entry)).why, /\u00e9\.\.\.$/);
	}
	await assertUndisturbed(house, other);
});
