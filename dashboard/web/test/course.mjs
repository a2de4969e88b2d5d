// Drives the dashboard in a real browser against a real cluster, as a person would, and keeps pictures of every page.
//
//   node test/course.mjs CORACLE DATA_DIR OUT_DIR
//
// CORACLE is the binary, DATA_DIR that of a running cluster, OUT_DIR where pictures go. Chromium is the system's.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const [coracle, dataDir, out] = process.argv.slice(2);
const run = (...args) => execFileSync(coracle, [...args, "--data-dir", dataDir], { encoding: "utf8" }).trim();
mkdirSync(out, { recursive: true });

const link = run("dashboard", "--url");
const base = new URL(link).origin;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
const context = await browser.newContext({ viewport: { width: 1360, height: 850 } });
const page = await context.newPage();
const complaints = [];
page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
page.on("console", (message) => {
  // Answers that are no 2xx are written there by the browser, and are what some steps want to see.
  if (message.type() === "error" && !message.text().startsWith("Failed to load resource") && !message.text().includes("WebSocket connection"))
    complaints.push(`console: ${message.text()}`);
});

const began = Date.now();
async function step(name, act) {
  const from = Date.now();
  try {
    await act();
  } catch (error) {
    await page.screenshot({ path: `${out}/failed.png` }).catch(() => {});
    console.error(`FAILED ${name}: ${error.message}\n(see ${out}/failed.png)`);
    await browser.close();
    process.exit(1);
  }
  console.log(`ok ${name} (${Date.now() - from} ms)`);
}
const waitFor = (selector, options = {}) => page.locator(selector).first().waitFor({ timeout: 20_000, ...options });
const to = (path) => page.evaluate((path) => (history.pushState(null, "", path), dispatchEvent(new PopStateEvent("popstate"))), path);
const button = (name) => page.getByRole("button", { name, exact: true });
const picture = async (name) => {
  for (const theme of ["dark usual", "light usual"]) {
    await page.getByLabel("Theme").selectOption(theme);
    await page.waitForFunction((theme) => document.documentElement.dataset.theme === theme, theme.split(" ")[0]);
    await page.screenshot({ path: `${out}/${name}-${theme.split(" ")[0]}.png` });
  }
  await page.getByLabel("Theme").selectOption("dark usual");
};
async function create(example) {
  await page.locator("header").getByRole("button", { name: "+ Create" }).click();
  await page.getByLabel("Example").selectOption({ label: example });
  await page.getByRole("dialog").getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("dialog").waitFor({ state: "detached", timeout: 20_000 });
}
/** Changes the open object's YAML by a replacement, reviews the difference and applies it. */
async function edit(from, to) {
  await page.getByRole("tab", { name: "YAML" }).click();
  await button("Edit").click();
  const box = page.getByLabel("YAML");
  const text = await box.inputValue();
  if (!text.includes(from)) throw new Error(`${from} is not in the YAML`);
  await box.fill(text.replace(from, to));
  await button("Review changes").click();
  // Whatever is still under way may have changed the status since: then the edit goes on top, as a person would do it.
  const keep = page.getByRole("button", { name: /Keep my edit/ });
  await keep.or(page.locator(".diff .add")).first().waitFor();
  if (await keep.isVisible()) {
    await keep.click();
    await button("Review changes").click();
  }
  await waitFor(".diff .add");
}

await step("a link signs in once, and its code leaves the URL", async () => {
  await page.goto(link);
  await waitFor("[data-link=live]");
  if (page.url().includes("code=")) throw new Error(page.url());
  const second = await browser.newPage();
  await second.goto(link);
  await second.getByRole("alert").filter({ hasText: "used already" }).waitFor({ timeout: 10_000 });
  await second.screenshot({ path: `${out}/sign-in-dark.png` });
  await second.close();
});

await step("pods are seen to appear", async () => {
  await create("Deployment");
  await to("/");
  await waitFor('[data-pods="3"][data-ready="3"]');
});

await step("one that is deleted is replaced", async () => {
  await to("/kinds/v1/pods?ns=default");
  await waitFor('[data-count="3"]');
  const names = await page.locator(".td-row").evaluateAll((rows) => rows.map((row) => row.dataset.name));
  await page.locator(`.td-row[data-name="${names[0]}"]`).click();
  await page.locator(".drawer").getByRole("button", { name: "Delete" }).click();
  await button("Undo").click();
  await page.locator(".drawer").getByRole("button", { name: "Delete" }).click();
  await page.locator(".drawer .notice", { hasText: "This object is gone" }).waitFor({ timeout: 30_000 });
  await waitFor('[data-count="3"]');
  const after = await page.locator(".td-row").evaluateAll((rows) => rows.map((row) => row.dataset.name));
  if (after.includes(names[0]) || after.length !== 3) throw new Error(`${names} became ${after}`);
});

await step("scaled up and down by buttons", async () => {
  await to("/");
  await page.getByLabel("One more of web").click();
  await waitFor('[data-pods="4"][data-ready="4"]');
  await page.getByLabel("One less of web").click();
  await waitFor('[data-pods="3"][data-ready="3"]');
});

await step("YAML is edited, reviewed and applied", async () => {
  await to("/?o=apps/v1/deployments/default/web");
  await edit("  replicas: 3", "  replicas: 5");
  await page.screenshot({ path: `${out}/review-dark.png` });
  await button("Apply").click();
  await waitFor('[data-pods="5"][data-ready="5"]');
});

await step("YAML that does not parse, and a refusal, keep the edit", async () => {
  await button("Edit").click();
  const box = page.getByLabel("YAML");
  await box.fill("a: [");
  await button("Review changes").click();
  await waitFor(".drawer .notice.bad");
  if ((await box.inputValue()) !== "a: [") throw new Error("the edit was lost");
  await button("Discard").click();
});

await step("a conflict is shown and resolved", async () => {
  await button("Edit").click();
  const box = page.getByLabel("YAML");
  const text = await box.inputValue();
  await box.fill(text.replace("  replicas: 5", "  replicas: 4"));
  const other = await context.newPage();
  await other.goto(`${base}/?o=apps/v1/deployments/default/web`);
  await other.getByLabel("Replicas").fill("6");
  await other.getByRole("button", { name: "Scale", exact: true }).click();
  await other.locator('[data-ready="6"]').first().waitFor({ timeout: 20_000 });
  await other.close();
  await button("Review changes").click();
  await page.getByRole("button", { name: /Keep my edit/ }).click();
  await button("Review changes").click();
  await button("Apply").click();
  await waitFor('[data-pods="4"][data-ready="4"]');
});

await step("a log is followed", async () => {
  await create("Pod that crashes");
  await to("/?o=v1/pods/default/crash&tab=logs");
  await page.locator(".log", { hasText: "about to fail" }).waitFor({ timeout: 20_000 });
  await picture("logs");
});

await step("a rollout is watched and undone", async () => {
  await create("Deployment and Service");
  await to("/?o=apps/v1/deployments/default/bootcamp");
  await page.getByRole("tab", { name: "Rollout" }).click();
  await waitFor('[data-settled="true"]', { timeout: 40_000 });
  await edit("jocatalin/kubernetes-bootcamp:v1", "jocatalin/kubernetes-bootcamp:v2");
  await button("Apply").click();
  await page.getByRole("tab", { name: "Rollout" }).click();
  await waitFor('[data-revision="2"]');
  await page.screenshot({ path: `${out}/rollout-under-way.png` });
  await waitFor('[data-settled="true"]', { timeout: 40_000 });
  await picture("rollout");
  await page.getByRole("button", { name: "Undo to this" }).click();
  await waitFor('[data-revision="3"]');
  await waitFor('[data-settled="true"]', { timeout: 40_000 });
  await page.locator('[data-revision="3"]', { hasText: "bootcamp:v1" }).waitFor();
});

await step("pages and their pictures", async () => {
  await create("StatefulSet");
  await create("DaemonSet");
  await create("Job");
  await to("/");
  await page.waitForFunction(() => document.querySelectorAll("[data-workload]").length >= 4);
  await page.locator('[data-workload="db"]', { hasText: "3 / 3" }).waitFor({ timeout: 20_000 });
  await page.mouse.move(680, 300);
  await picture("live");
  await to("/?color=owner");
  await picture("live-by-workload");
  await to("/kinds/v1/pods");
  await waitFor(".td-row");
  await picture("pods");
  await page.locator(".td-row").first().click();
  await waitFor(".drawer .plain");
  await picture("pod");
  await page.getByRole("tab", { name: "Events" }).click();
  await waitFor(".drawer .plain");
  await picture("events");
  await page.keyboard.press("Escape");
  for (const [id, name] of [["v1/nodes", "nodes"], ["apps/v1/deployments", "deployments"], ["v1/services", "services"], ["v1/events", "cluster-events"], ["v1/persistentvolumeclaims", "claims"]]) {
    await to("/kinds/" + id);
    await waitFor(".table");
    await page.waitForTimeout(300);
    await picture(name);
  }
  await to("/kinds/v1/pods?q=app%3Dweb");
  await waitFor('[data-count="4"]');
  await to("/?o=v1/nodes/-/node-1");
  await waitFor(".drawer .plain");
  await picture("node");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByLabel("Search").fill("boot");
  await page.getByRole("dialog").getByRole("option").first().waitFor();
  await page.screenshot({ path: `${out}/palette-dark.png` });
  await page.keyboard.press("Escape");
  await page.locator("header").getByRole("button", { name: "+ Create" }).click();
  await waitFor(".dialog textarea");
  await page.screenshot({ path: `${out}/create-dark.png` });
  await page.keyboard.press("Escape");
});

await step("the apiserver is frozen, then killed: the page freezes, says so, and goes on", async () => {
  await to("/");
  run("stop", "apiserver");
  await waitFor("[data-link=frozen]");
  await page.locator(".banner", { hasText: "the apiserver does not answer" }).waitFor();
  await page.waitForTimeout(1500);
  await page.screenshot({ path: `${out}/frozen-dark.png` });
  run("cont", "apiserver");
  await waitFor("[data-link=live]");
  run("kill", "apiserver");
  // What is asked in this moment is refused, and said to be; a person would look and ask again.
  await page.waitForFunction(() => fetch("/k8s/api/v1/nodes").then((answer) => answer.ok), null, { polling: 200, timeout: 20_000 });
  await waitFor("[data-link=live]");
  await page.getByLabel("One more of web").click();
  await page.locator('[data-workload="web"]', { hasText: "5 / 5" }).waitFor({ timeout: 20_000 });
});

await step("another origin is refused", async () => {
  const refused = await fetch(base + "/api/sign-in", { method: "POST", headers: { origin: "http://evil.example" }, body: "{}" });
  if (refused.status !== 403) throw new Error(`answered ${refused.status}`);
  const nobody = await fetch(base + "/k8s/api/v1/pods");
  if (nobody.status !== 401) throw new Error(`answered ${nobody.status}`);
});

await step("nothing was thrown on the way", async () => {
  if (complaints.length) throw new Error(complaints.join("\n"));
});
console.log(`all done in ${((Date.now() - began) / 1000).toFixed(1)} s`);
await browser.close();
