// Reading and writing JSON, beside JSON.parse and JSON.stringify of the Node.js that runs this, over the kinds of lines that a gateway sees.

import {execFileSync} from 'node:child_process';
import path from 'node:path';
import {fileURLToPath} from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const bench = path.resolve(root, process.env.BUILD ?? 'build', 'bench', 'bench-json');
const sentence = 'The quick brown fox jumps over the lazy dog. ';

const result = (text) => ({jsonrpc: '2.0', id: 7, result: {content: [{type: 'text', text}], isError: false}});
const documents = {
	'a call': {jsonrpc: '2.0', id: 7, method: 'tools/call', params: {name: 'read_text_file', arguments: {path: '/work/notes/today.md', head: 20}}},
	'a result of 1 KiB': result(`${sentence}\n`.repeat(22)),
	'a result of 1 MiB': result(sentence.repeat(23000)),
	'source code, 1 MiB': result('\tif (!ok)\n\t\treturn fail("no \\ way");\n'.repeat(28000)),
	'Japanese, 1 MiB': result('日本語の文章です。'.repeat(39000)),
	'10,000 records': result(Array.from({length: 10000}, (_, i) => ({id: i, name: `user ${i}`, active: i % 2 === 0, tags: ['a', 'b'], score: i / 7}))),
};

/** The fastest of some rounds, in nanoseconds. */
function fastest(what) {
	let best = Infinity;
	for (let round = 0; round < 20; round++) {
		const start = process.hrtime.bigint();
		let times = 0, took;
		do {
			what();
			times++;
			took = Number(process.hrtime.bigint() - start);
		} while (took < 10e6);
		best = Math.min(best, took / times);
	}
	return best;
}

const megabytes = (bytes, ns) => `${(bytes * 1000 / ns).toFixed(0)} MB/s`;
const microseconds = (ns) => `${(ns / 1000).toFixed(ns < 100e3 ? 2 : 0)} us`;
const columns = [22, 10, 11, 11, 11, 11, 11, 11, 11];
const row = (cells) => console.log(cells.map((cell, i) => (i === 0 ? cell.padEnd(columns[i]) : cell.padStart(columns[i]))).join(''));

row(['', 'bytes', 'parse', '', 'node', 'write', 'node', 'pack+unpack', 'skim']);
for (const [name, document] of Object.entries(documents)) {
	const text = JSON.stringify(document);
	const bytes = Buffer.byteLength(text);
	const ours = JSON.parse(execFileSync(bench, {input: text}));
	// Node's bytes are decoded first, as a server must.
	const buffer = Buffer.from(text);
	const parsed = fastest(() => JSON.parse(buffer.toString('utf8')));
	const written = fastest(() => Buffer.from(JSON.stringify(document)));
	row([name, String(bytes), microseconds(ours.parse), megabytes(bytes, ours.parse), megabytes(bytes, parsed), megabytes(bytes, ours.write),
		megabytes(bytes, written), microseconds(ours.pack + ours.unpack), megabytes(bytes, ours.skim)]);
}
