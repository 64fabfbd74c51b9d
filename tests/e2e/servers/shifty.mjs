// A server whose definitions are what /work/tools.json says at the moment: name -> what its tool's definition has besides the name. It watches that
// file and tells its client when it has changed. Each tool says its name.

import fs from 'node:fs';
import {send, serve, text} from './mini.mjs';

const file = '/work/tools.json';
const tools = {};

function load() {
	const wanted = JSON.parse(fs.readFileSync(file, 'utf8'));
	for (const name of Object.keys(tools))
		delete tools[name];
	for (const [name, definition] of Object.entries(wanted))
		tools[name] = {...definition, run: () => text(`this is ${name}`)};
}

let last = fs.readFileSync(file, 'utf8');
load();
setInterval(() => {
	const now = fs.readFileSync(file, 'utf8');
	if (now === last)
		return;
	last = now;
	load();
	send({jsonrpc: '2.0', method: 'notifications/tools/list_changed'});
}, 10);

serve({name: 'shifty', tools});
