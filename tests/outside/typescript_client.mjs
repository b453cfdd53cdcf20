// Five steps with the TypeScript SDK's client (@modelcontextprotocol/sdk 1.32), which none of our code shares.
// Usage: node typescript_client.mjs COMMAND [ARGUMENT …]   (starts the server so; see README.md beside this file)
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import assert from "node:assert/strict";

const [command, ...args] = process.argv.slice(2);
assert(command, "usage: node typescript_client.mjs COMMAND [ARGUMENT …]");

const client = new Client({ name: "typescript", version: "1" }, { capabilities: { elicitation: {} } });
const questions = [];
client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
  questions.push(params.message);
  return { action: "accept", content: { decision: "approve" } };
});
const changed = new Promise((resolve) =>
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => resolve(params.uri)),
);

async function tool(name, args) {
  const result = await client.callTool({ name, arguments: args }); // checks structuredContent against outputSchema
  console.log(`\n> ${name} ${JSON.stringify(args)}\n${result.content[0].text}`);
  assert(!result.isError, result.content[0].text);
  return result.structuredContent;
}

await client.connect(new StdioClientTransport({ command, args, stderr: "inherit", env: process.env }));
console.log(`connected to ${client.getServerVersion().name} ${client.getServerVersion().version}`);

const { tools } = await client.listTools();
console.log(tools.map((each) => each.name).join(", "));
assert.equal(tools.length, 8);

await client.subscribeResource({ uri: "llmgenie://context/tasks" });
const open = await tool("get_available_actions", { context: "review" });
assert(open.actions.some((action) => action.name === "create_task"));
const switched = await tool("run_action", { action: "log_mode_switch", params: { mode: "review", reason: "five steps" } });
assert.equal(switched.result.mode, "review");
const created = await tool("run_action", { action: "create_task", params: { title: "From TypeScript" } });
const read = await tool("get_context_data", { key: `tasks/${created.result.id}` });
assert.equal(read.value.title, "From TypeScript");
const decision = await tool("enforce_policy", { policy: "branch_protection", action: "merge", params: { branch: "main" } });
assert.equal(decision.effect, "deny");

assert.equal(await changed, "llmgenie://context/tasks");
const asked = await tool("run_action", {
  action: "request_approval",
  params: { action: "file.delete", params: { path: "old.txt" } },
});
assert.equal(asked.result.approval.status, "granted");
assert.equal(questions.length, 1);
await client.close();
console.log("\nall steps passed");
