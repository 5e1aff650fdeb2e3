import { join } from "node:path";
import { z } from "zod";
import { findPort, Service } from "../../local/processes.ts";
import type { Stack } from "../../local/stack.ts";
import type { Tools } from "./tools.ts";

export type Sent = Readonly<{
  body?: object | string;
  headers?: Readonly<Record<string, string>>;
  /** Something is wrong with it, and the service is to say so. */
  isWrong?: true;
}>;
export type Answer = Readonly<{ status: number; headers: Headers; text: string }>;

const Violation = z.looseObject({ title: z.string(), validation: z.unknown().optional() });

/** Prism before the service: an answer that the document does not have comes back as a complaint. */
export class Prism {
  readonly complaints: string[] = [];
  answers = 0;
  readonly #apiKey: string;
  readonly #services: readonly Service[];
  readonly #urls: Readonly<{ strict: string; lenient: string }>;

  private constructor(apiKey: string, services: readonly Service[], urls: { strict: string; lenient: string }) {
    this.#apiKey = apiKey;
    this.#services = services;
    this.#urls = urls;
  }

  static async start(stack: Stack, tools: Tools, dir: string, document: string): Promise<Prism> {
    const start = async (name: string, ...more: string[]) => {
      const port = await findPort();
      const args = ["proxy", document, stack.url, "--errors", "--multiprocess=false", "--port", String(port), ...more];
      const service = new Service("prism", join(tools, "prism"), args, join(dir, `${name}.log`), process.env);
      return { service, url: `http://127.0.0.1:${port}` };
    };
    const [strict, lenient] = [await start("strict"), await start("lenient", "--validate-request=false")];
    const proxy = new Prism(stack.apiKey, [strict.service, lenient.service], {
      strict: strict.url,
      lenient: lenient.url,
    });
    try {
      await Promise.all([strict, lenient].map(({ service, url }) => service.ready(`${url}/healthz`, 60_000)));
    } catch (error) {
      await proxy.stop();
      throw error;
    }
    return proxy;
  }

  /** @param url of the service, or a path of it */
  async send(method: string, url: string, { body, headers = {}, isWrong }: Sent = {}): Promise<Answer> {
    const { pathname, search } = new URL(url, this.#urls.strict);
    const usual = { authorization: `Bearer ${this.#apiKey}`, ...(body && { "content-type": "application/json" }) };
    // To Prism a parameter of a path is one segment.
    const path = pathname.replace(/(?<=^\/files\/.*)\//g, "%2F") + search;
    const response = await fetch((isWrong ? this.#urls.lenient : this.#urls.strict) + path, {
      ...{ method, headers: { ...usual, ...headers }, redirect: "manual", signal: AbortSignal.timeout(60_000) },
      ...(body && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    this.answers += 1;
    if (text.includes("stoplight.io/prism")) {
      const { title, validation } = Violation.parse(JSON.parse(text));
      this.complaints.push(`${method} ${pathname}: ${title} ${JSON.stringify(validation ?? "")}`);
    }
    return { status: response.status, headers: response.headers, text };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#services.map((service) => service.stop()));
  }
}
