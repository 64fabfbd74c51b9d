// mcp-proxy-stdio.mjs COMMAND [ARGUMENT...]: mcp-proxy's own `proxyServer` between its standard input and output and a server: the way
// that is most like Bawn's. Its command line serves HTTP only; that is measured as well.

import {proxyServer} from 'mcp-proxy';
import {Client} from '@modelcontextprotocol/client';
import {StdioClientTransport} from '@modelcontextprotocol/client/stdio';
import {Server} from '@modelcontextprotocol/server';
import {StdioServerTransport} from '@modelcontextprotocol/server/stdio';

const [command, ...args] = process.argv.slice(2);
const client = new Client({name: 'mcp-proxy', version: '1.0.0'});
await client.connect(new StdioClientTransport({command, args}));
const serverCapabilities = client.getServerCapabilities();
const server = new Server(client.getServerVersion(), {capabilities: serverCapabilities});
await proxyServer({client, server, serverCapabilities});
await server.connect(new StdioServerTransport());
process.stdin.on('end', () => process.exit(0));
