import { registerHooks } from "node:module";

// What the Worker's modules import of their runtime, for Node: to read them, not to run them.
const platform = "export class DurableObject {} export const env = {};";

registerHooks({
  resolve: (specifier, context, next) =>
    specifier === "cloudflare:workers"
      ? { url: `data:text/javascript,${encodeURIComponent(platform)}`, shortCircuit: true }
      : next(specifier, context),
});
