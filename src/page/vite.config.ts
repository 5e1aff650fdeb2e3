import { join } from "node:path";
import { defineConfig } from "vite";

const page = import.meta.dirname;

export default defineConfig({
  root: page,
  logLevel: "warn",
  build: {
    outDir: join(page, "..", "..", "dist", "page"),
    emptyOutDir: true,
    rolldownOptions: { input: [join(page, "index.html"), join(page, "docs.html")] },
    chunkSizeWarningLimit: 2_000,
  },
});
