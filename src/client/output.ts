import type { OutputLink } from "../contract/upload.ts";
import type { RequestOptions, Transport } from "./transport.ts";

/** The finished videos. */
export class Output {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** A signed link to the finished video, good for an hour. */
  async url(id: string, { signal }: RequestOptions = {}): Promise<string> {
    return (await this.#transport.json<OutputLink>(`/api/jobs/${id}/output?redirect=false`, { signal })).url;
  }

  /** The finished video. */
  async download(id: string, options: RequestOptions = {}): Promise<Response> {
    const url = await this.url(id, options);
    const response = await fetch(url, options.signal ? { signal: options.signal } : {});
    if (!response.ok) {
      throw new Error(`The video could not be had: HTTP ${response.status}.`);
    }
    return response;
  }
}
