declare namespace Cloudflare {
  interface Env {
    TEST_MIGRATIONS: import("cloudflare:test").D1Migration[];
    TEST_CRONS: string[];
  }
  interface GlobalProps {
    mainModule: typeof import("../../src/index.ts");
  }
}

/** A file as its text. */
declare module "*.toml?raw" {
  const text: string;
  export default text;
}
