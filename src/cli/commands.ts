import { writeCompletion } from "./completion.ts";
import { download } from "./download.ts";
import { cancel, get, list, remove, retry, tail, uploads, usage, watch } from "./jobs.ts";
import type { CommandTable } from "./run.ts";
import { submit } from "./submit.ts";

const target = "<job>";

/** Every command, once: the dispatch, the help and the completions read it here. */
export const commands: CommandTable = {
  submit: {
    target: "<file or input key>",
    options: [
      ...(["project", "type", "params", "user", "name", "metadata", "reuse", "max-retries", "start-within"] as const),
      ...(["max-run", "webhook-url", "webhook-events", "idempotency-key", "watch"] as const),
    ],
    help: "makes a job of a file; an upload that broke off goes on where it was",
    run: submit,
  },
  watch: { target, options: [], help: "follows a job to its end", run: watch },
  get: { target, options: ["watch"], help: "shows a job", run: get },
  list: {
    options: ["project", "user", "type", "status", "metadata", "created-after", "created-before", "limit"],
    help: "shows jobs, newest first",
    run: list,
  },
  cancel: { target, options: ["watch"], help: "ends a job", run: cancel },
  retry: { target, options: ["watch"], help: "tries a job again that failed or was cancelled", run: retry },
  delete: { target, options: [], help: "removes a job that is over, with its output", run: remove },
  download: { target, options: ["output"], help: "fetches the video; one that broke off goes on", run: download },
  tail: { options: ["project"], help: "follows all jobs of a project, until Ctrl-C", run: tail },
  usage: { options: ["from", "to", "project"], help: "shows what was used, by day and project", run: usage },
  uploads: { target: "<upload>", options: ["delete"], help: "shows an upload, or gives it up", run: uploads },
  completion: {
    target: "bash|zsh|fish",
    options: [],
    help: 'completes commands: eval "$(export-jobs completion bash)"',
    run: async ({ target: shell }) => writeCompletion(shell, commands),
  },
};
