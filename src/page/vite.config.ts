import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";
import { describeApi } from "../document/describe-api.ts";

const page = import.meta.dirname;

/** The API's document is a file among those of the page: no request for it reaches the Worker. */
const openapi: Plugin = {
  name: "openapi",
  generateBundle() {
    this.emitFile({ type: "asset", fileName: "openapi.json", source: JSON.stringify(describeApi()) });
  },
};

export default defineConfig({
  root: page,
  logLevel: "warn",
  plugins: [openapi],
  build: {
    outDir: join(page, "..", "..", "dist", "page"),
    emptyOutDir: true,
    rolldownOptions: { input: [join(page, "index.html"), join(page, "docs.html")] },
    chunkSizeWarningLimit: 2_000,
  },
});
