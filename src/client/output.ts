import type { OutputLink } from "../contract/upload.ts";
import { jobPath } from "./paths.ts";
import type { RequestOptions, Transport } from "./transport.ts";

/** The finished videos. */
export class Output {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A signed link to the finished video, good for an hour. */
  async url(id: string, options: RequestOptions = {}): Promise<string> {
    return (await this.#transport.json<OutputLink>(jobPath(id, "/output?redirect=false"), options)).url;
  }

  /** The finished video. */
  async download(id: string, options: RequestOptions = {}): Promise<Response> {
    return this.#transport.file(await this.url(id, options), options);
  }
}
