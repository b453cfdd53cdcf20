// The TypeScript SDK of the handshake era (@modelcontextprotocol/sdk 1.32), which none of our code shares.
// Usage: node typescript_client.mjs PROJECT http://…/mcp | COMMAND [ARGUMENT …]
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema, ElicitRequestSchema, ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { steps } from "./steps.mjs";

const [project, command, ...args] = process.argv.slice(2);
if (!command) throw new Error("usage: node typescript_client.mjs PROJECT URL | COMMAND [ARGUMENT …]");
const http = command.startsWith("http");

const client = new Client({ name: "typescript", version: "1" }, { capabilities: { elicitation: {} } });
const questions = [];
client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
  questions.push(params.message);
  return { action: "accept", content: { decision: "approve" } };
});
const transport = http
  ? new StreamableHTTPClientTransport(new URL(command), { requestInit: { headers: { Authorization: `Bearer ${process.env.TOKEN}` } } })
  : new StdioClientTransport({ command, args, stderr: "inherit", env: process.env });
await client.connect(transport);

await steps(
  {
    questions,
    call: (name, given, options) => client.callTool({ name, arguments: given }, CallToolResultSchema, options),
    listTools: async () => (await client.listTools()).tools,
    listResources: async () => (await client.listResources()).resources,
    listTemplates: async () => (await client.listResourceTemplates()).resourceTemplates,
    read: async (uri) => (await client.readResource({ uri })).contents,
    listPrompts: async () => (await client.listPrompts()).prompts,
    prompt: (name, given) => client.getPrompt({ name, arguments: given }),
    complete: async (uri, name, value) =>
      (await client.complete({ ref: { type: "ref/resource", uri }, argument: { name, value } })).completion.values,
    watch: async (uri) => {
      const told = new Promise((resolve) =>
        client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri)),
      );
      await client.subscribeResource({ uri });
      return { told };
    },
    about: () => `sdk 1.x, ${http ? "HTTP" : "stdio"}, ${transport.protocolVersion ?? transport._protocolVersion ?? "handshake"}`,
    close: () => client.close(),
  },
  project,
);
