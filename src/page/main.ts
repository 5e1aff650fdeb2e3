import type { ExportJobs } from "../client/index.ts";
import { showCreate } from "./create.ts";
import { field, h, messageOf } from "./dom.ts";
import { showJob } from "./job.ts";
import { showJobs } from "./jobs.ts";
import { newClient, readToken, signIn, signOut } from "./session.ts";
import { showUsage } from "./usage.ts";

/** Fills the page's main part; what it goes on doing ends with the signal. */
export type View = (main: HTMLElement, client: ExportJobs, signal: AbortSignal) => void;

const main = document.getElementById("main") ?? document.body;
const views = document.getElementById("views");
const signOutButton = document.getElementById("sign-out");
let running = new AbortController();

function toView(hash: string): View {
  const [, name, id = ""] = hash.split("/");
  switch (name) {
    case "new":
      return showCreate;
    case "usage":
      return showUsage;
    case "job":
      return (part, client, signal) => showJob(part, client, signal, id);
    default:
      return showJobs;
  }
}

function showSignIn(): void {
  const input = h("input", { type: "password", name: "key", autocomplete: "off", required: true, size: 40 });
  const said = h("p", { role: "alert", class: "bad" });
  const submit = async (event: Event) => {
    event.preventDefault();
    try {
      for await (const _job of newClient(input.value.trim()).jobs.list({ pageSize: 1 })) {
        break;
      }
      signIn(input.value.trim());
      show();
    } catch (error) {
      said.textContent = messageOf(error);
    }
  };
  const button = h("button", { class: "primary" }, "Sign in");
  const form = h("form", { onsubmit: submit, class: "row" }, field("API key or token", input), button);
  main.replaceChildren(h("h2", {}, "Sign in"), form, said);
  input.focus();
}

function show(): void {
  running.abort();
  running = new AbortController();
  const token = readToken();
  for (const part of [views, signOutButton]) {
    part?.toggleAttribute("hidden", token === null);
  }
  if (token === null) {
    showSignIn();
    return;
  }
  for (const link of views?.querySelectorAll("a") ?? []) {
    const isHere = link.hash === (location.hash || "#/jobs");
    isHere ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  main.replaceChildren();
  toView(location.hash)(main, newClient(token), running.signal);
  main.focus();
}

signOutButton?.addEventListener("click", () => {
  signOut();
  show();
});
addEventListener("hashchange", show);
show();
