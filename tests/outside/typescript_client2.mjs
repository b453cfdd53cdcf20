// The TypeScript SDK of both eras (@modelcontextprotocol/client 2.4).
// Usage: node typescript_client2.mjs legacy|auto PROJECT http://…/mcp | COMMAND [ARGUMENT …]
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { steps } from "./steps.mjs";

const [mode, project, command, ...args] = process.argv.slice(2);
if (!command) throw new Error("usage: node typescript_client2.mjs legacy|auto PROJECT URL | COMMAND [ARGUMENT …]");
const http = command.startsWith("http");

const client = new Client(
  { name: "typescript", version: "2" },
  { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode } },
);
const questions = [];
client.setRequestHandler("elicitation/create", ({ params }) => {
  questions.push(params.message);
  return { action: "accept", content: { decision: "approve" } };
});
await client.connect(
  http
    ? new StreamableHTTPClientTransport(new URL(command), { requestInit: { headers: { Authorization: `Bearer ${process.env.TOKEN}` } } })
    : new StdioClientTransport({ command, args, stderr: "inherit", env: process.env }),
);
const revision = client.getNegotiatedProtocolVersion();

await steps(
  {
    questions,
    call: (name, given, options) => client.callTool({ name, arguments: given }, options),
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
        client.setNotificationHandler("notifications/resources/updated", ({ params }) => resolve(params.uri)),
      );
      if (mode === "auto") await client.listen({ resourceSubscriptions: [uri] });
      else await client.subscribeResource({ uri });
      return { told };
    },
    about: () => `client 2.x, ${http ? "HTTP" : "stdio"}, ${revision}`,
    close: () => client.close(),
  },
  project,
);
