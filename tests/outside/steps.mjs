// What every client does here, whichever SDK it is made of; called with a thin adapter of it.
//
// adapter: { call(name, arguments, options), listTools(), listResources(), listTemplates(), read(uri), listPrompts(),
//   prompt(name, arguments), complete(uri, name, value), about(), questions, watch(uri), close() }
// options: { onprogress(report), signal }
import assert from "node:assert/strict";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const PATIENCE = 30_000;

/** Wait until `found` gives something, or fail. */
async function until(what, found) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await pause(20)) {
    const value = await found();
    if (value) return value;
  }
  throw new Error(`${what}: did not come`);
}

/**
 * All steps. `project` is a checkout whose command `test` prints a line and then runs until a file `go` is there.
 * Over HTTP ROLE names the role of the token: only a person's own may answer the dialogue.
 */
export async function steps(adapter, project) {
  const passed = [];
  async function step(name, work) {
    await work();
    passed.push(name);
  }
  async function tool(name, args, options) {
    const result = await adapter.call(name, args, options); // the SDK holds it to the tool's outputSchema
    assert(!result.isError, result.content[0].text);
    return result.structuredContent;
  }
  const act = (action, params = {}, more = {}, options) => tool("run_action", { action, params, ...more }, options);
  let session;

  await step("tools/list", async () => {
    const names = (await adapter.listTools()).map((each) => each.name);
    assert.equal(names.length, 8);
    assert(names.includes("run_action"));
  });
  await step("resources", async () => {
    const uris = (await adapter.listResources()).map((each) => each.uri);
    assert(uris.includes("llmgenie://state"));
    const templates = (await adapter.listTemplates()).map((each) => each.uriTemplate);
    assert(templates.includes("llmgenie://policies/{name}"));
    assert.match((await adapter.read("llmgenie://guides/refusals"))[0].text, /refus/i);
    assert.match((await adapter.read("llmgenie://policies/branch_protection"))[0].text, /no-direct-push/);
    await assert.rejects(adapter.read("llmgenie://policies/no-such-policy"), /no-such-policy/);
  });
  await step("completion", async () => {
    assert.deepEqual(await adapter.complete("llmgenie://policies/{name}", "name", "branch"), ["branch_protection"]);
  });
  await step("prompts", async () => {
    const names = (await adapter.listPrompts()).map((each) => each.name).sort();
    assert.deepEqual(names, ["release", "review", "start_session"]);
    assert.match((await adapter.prompt("review", { branch: "feature/y" })).messages[0].content.text, /feature\/y/);
  });
  await step("calls", async () => {
    const open = await tool("get_available_actions", { context: "review" });
    assert(open.actions.some((action) => action.name === "create_task"));
    assert.equal((await act("log_mode_switch", { mode: "review", reason: "steps" })).result.mode, "review");
    const created = await act("create_task", { title: "From TypeScript" });
    const read = await tool("get_context_data", { key: `tasks/${created.result.id}` });
    assert.equal(read.value.title, "From TypeScript");
    session = (await act("start_session", { mode: "code" })).session;
  });
  await step("refusal", async () => {
    const decision = await tool("enforce_policy", { policy: "branch_protection", action: "merge", params: { branch: "main" } });
    assert.equal(decision.effect, "deny");
    const refused = await adapter.call("run_action", { action: "merge", params: { branch: "main" }, session });
    assert.equal(refused.structuredContent.status, "denied");
    assert.match(refused.content[0].text, /next|start_review/i);
    const unknown = await adapter.call("run_action", { action: "no_such_action" });
    assert(unknown.isError);
  });
  await step("change told", async () => {
    const { told } = await adapter.watch("llmgenie://context/tasks");
    await act("create_task", { title: "Watched" });
    assert.equal(await told, "llmgenie://context/tasks");
  });
  await step("approval by form", async () => {
    const asked = await act("request_approval", { action: "file.delete", params: { path: "old.txt" } });
    const mayAnswer = process.env.ROLE !== "agent";
    assert.equal(asked.result.approval.status, mayAnswer ? "granted" : "pending");
    assert.equal(adapter.questions.length, mayAnswer ? 1 : 0);
  });
  await step("progress", async () => {
    const reports = [];
    const done = await act("run_tests", {}, { session }, {
      onprogress: (report) => {
        reports.push(report);
        writeFileSync(join(project, "go"), "");
      },
    });
    assert(done.result.passed);
    assert(reports.length >= 1);
    rmSync(join(project, "go"));
  });
  await step("cancel", async () => {
    const stop = new AbortController();
    const running = act("run_tests", {}, { session }, { onprogress: () => stop.abort("enough"), signal: stop.signal });
    await assert.rejects(running);
    await until("the end of the run", async () => {
      const runs = (await tool("get_context_data", { key: "runs" })).items;
      assert(!runs.some((run) => run.status === "ok" && run.id === runs.at(-1).id && existsSync(join(project, "go"))));
      return runs.some((run) => run.status === "cancelled");
    });
  });
  await adapter.close();
  console.log(`${adapter.about()}: ${passed.join(", ")}`);
}
