// What emulate 0.12.2 lacks of GitHub, added as it loads (`node --import`). Each fix names the behaviour it restores.
// The version is locked, and a fix whose place is not found exactly once stops the start: nothing is skipped silently.
import { registerHooks } from "node:module";

// GitHub's timestamps have whole seconds (githubkit parses expires_at with %S Z and fails on ".123Z").
const iso = Date.prototype.toISOString;
Date.prototype.toISOString = function () {
  return iso.call(this).replace(/\.\d{3}Z$/, "Z");
};

// X-GitHub-Delivery is a GUID (the emulator sends Date.now(), which two events can share).
const send = globalThis.fetch;
globalThis.fetch = (url, init) => {
  if (init?.headers?.["X-GitHub-Delivery"]) {
    init = { ...init, headers: { ...init.headers, "X-GitHub-Delivery": crypto.randomUUID() } };
  }
  return send(url, init);
};

const FIXES = [
  {
    // pull_request payloads carry `number`. A push to a branch moves the head of its open pull requests and sends pull_request.synchronize.
    after: "webhooks.dispatch = async (event, action, payload, owner, repo) => {",
    insert: `
      if (event === "pull_request") payload = { number: payload.pull_request.number, ...payload };
      if (event === "push") {
        const pushed = gh.repos.findOneBy("full_name", payload.repository.full_name);
        for (const pr of gh.pullRequests.all()) {
          if (pr.state !== "open" || pr.head_repo_id !== pushed?.id || "refs/heads/" + pr.head_ref !== payload.ref) continue;
          gh.pullRequests.update(pr.id, { head_sha: payload.after });
          const base = gh.repos.get(pr.base_repo_id);
          void webhooks.dispatch("pull_request", "synchronize", {
            action: "synchronize", number: pr.number, before: payload.before, after: payload.after,
            pull_request: formatPullRequest(gh.pullRequests.get(pr.id), gh, baseUrl),
            repository: formatRepo(base, gh, baseUrl), sender: payload.sender,
          }, base.full_name.split("/")[0], base.name);
        }
      }`,
  },
  {
    // pulls/N/files lists what differs between the head and where it left the base.
    replace: "const stubNames = Array.from({ length: n }, (_, i) => `file${i + 1}.ts`);",
    with: `
    const blobsAt = (repoId, sha) => {
      const commit = findCommitBySha(gh, repoId, sha);
      return commit ? flattenTree(gh, repoId, commit.tree_sha).blobs : new Map();
    };
    const headBlobs = blobsAt(pr.head_repo_id, pr.head_sha);
    const baseBlobs = blobsAt(pr.base_repo_id, pr.base_sha);
    const stubNames = [...new Set([...baseBlobs.keys(), ...headBlobs.keys()])]
      .filter((path) => baseBlobs.get(path)?.sha !== headBlobs.get(path)?.sha).sort();
    const changeOf = (path) => !baseBlobs.has(path) ? "added" : !headBlobs.has(path) ? "removed" : "modified";`,
  },
  {
    replace: "filename,\n        status: \"modified\",",
    with: "filename,\n        status: changeOf(filename),",
  },
  {
    // commits/SHA/pulls: the pull requests whose head it is (GitHub answers nothing for a fork's head).
    // installation/repositories: what the App may see.
    after: "const ctx = { app, store, webhooks, baseUrl, tokenMap };\n",
    insert: `
    app.get("/repos/:owner/:repo/commits/:sha/pulls", (c) => {
      const repo = lookupRepo(gh, c.req.param("owner"), c.req.param("repo"));
      if (!repo) throw notFound();
      assertRepoPermission(gh, c.get("authUser"), repo, "pull_requests");
      return c.json(gh.pullRequests.findBy("repo_id", repo.id)
        .filter((pr) => pr.head_repo_id === repo.id && pr.head_sha === c.req.param("sha"))
        .map((pr) => formatPullRequest(pr, gh, baseUrl)));
    });
    app.get("/installation/repositories", (c) => {
      const installation = c.get("authUser")?.installation;
      if (!installation) throw notFound();
      const repos = gh.repos.all().filter((repo) => canAccessRepo(gh, c.get("authUser"), repo)
        && repo.owner_id === installation.accountId && repo.owner_type === installation.accountType);
      const { page, per_page } = parsePagination(c);
      setLinkHeader(c, repos.length, page, per_page);
      return c.json({ total_count: repos.length, repository_selection: installation.repositorySelection,
        repositories: repos.slice((page - 1) * per_page, page * per_page).map((repo) => formatRepo(repo, gh, baseUrl)) });
    });`,
  },
  {
    // A workflow run names the open pull requests whose head it ran on.
    replace: "pull_requests: [],\n    created_at: run.created_at,",
    with: `
    pull_requests: gh.pullRequests.findBy("repo_id", repo.id)
      .filter((pr) => pr.state === "open" && pr.head_repo_id === repo.id && pr.head_sha === run.head_sha)
      .map((pr) => ({ id: pr.id, number: pr.number, head: { ref: pr.head_ref, sha: pr.head_sha }, base: { ref: pr.base_ref, sha: pr.base_sha } })),
    created_at: run.created_at,`,
  },
  {
    // A workflow run names the repository of its head; nobody forks here.
    replace: "repository: formatRepo(repo, gh, baseUrl),\n    head_commit: {\n      id: run.head_sha,",
    with: "repository: formatRepo(repo, gh, baseUrl),\n    head_repository: formatRepo(repo, gh, baseUrl),\n    head_commit: {\n      id: run.head_sha,",
  },
  {
    // Nothing here runs workflows, so tests say what ran: PUT creates or changes a run and sends workflow_run.
    after: "const ctx = { app, store, webhooks, baseUrl, tokenMap };\n",
    insert: `
    app.put("/_tests/workflow-runs", async (c) => {
      const { owner, repo: name, actor, ...run } = await c.req.json();
      const repo = lookupRepo(gh, owner, name);
      const user = gh.users.findOneBy("login", actor);
      if (!repo || !user) throw notFound();
      const fields = { ...run, repo_id: repo.id, actor_id: user.id, run_started_at: new Date().toISOString(), node_id: "WFR_" + run.id };
      if (gh.workflowRuns.get(run.id)) gh.workflowRuns.update(run.id, fields);
      else gh.workflowRuns.insert(fields);
      const shown = formatWorkflowRun(gh.workflowRuns.get(run.id), repo, gh, baseUrl);
      const action = run.status === "completed" ? "completed" : run.status === "in_progress" ? "in_progress" : "requested";
      void webhooks.dispatch("workflow_run", action,
        { action, workflow_run: shown, workflow: null, repository: formatRepo(repo, gh, baseUrl), sender: formatUser(user, baseUrl) }, owner, name);
      return c.json(shown);
    });`,
  },
  {
    // A check run names the app that owns it; only apps create check runs, and the seed has one app.
    replace: "    app: null,\n    pull_requests: []",
    with: "    app: ((a) => a ? { id: a.app_id, slug: a.slug, name: a.name } : null)(gh.apps.all()[0]),\n    pull_requests: []",
  },
];

function once(source, text) {
  const count = source.split(text).length - 1;
  if (count !== 1) throw new Error(`preload.mjs: found ${count} times instead of once: ${text}`);
}

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.includes("/emulate/dist/")) return loaded;
    let source = String(loaded.source);
    if (!source.includes('"github.check_runs"')) return loaded;
    for (const fix of FIXES) {
      once(source, fix.after ?? fix.replace);
      source = fix.after
        ? source.replace(fix.after, () => fix.after + fix.insert)
        : source.replace(fix.replace, () => fix.with);
    }
    return { ...loaded, source };
  },
});

// The parent holds our stdin: when it goes, however it goes, so do we.
process.stdin.on("end", () => process.exit(0)).resume();
