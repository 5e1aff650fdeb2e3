import { text } from "node:stream/consumers";
import { render } from "../renderer/render.ts";
import { TypedParams } from "../src/contract/types/index.ts";

/** Renders `input` of a folder by the job on its standard input: what the bench measures from outside. */
const [workDir = ""] = process.argv.slice(2);
const job = TypedParams.parse(JSON.parse(await text(process.stdin)));
await render(job, { inputFile: "input", workDir }, new AbortController().signal, () => {});
