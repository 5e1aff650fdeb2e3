import type { DocumentVersion, ProjectDocument, StoredDocument } from "../contract/document.ts";
import { type List, listPages } from "./page.ts";
import { documentPath, projectPath, toQuery } from "./paths.ts";
import { type ClientOptions, type RequestOptions, Transport } from "./transport.ts";

export type { DocumentVersion, ProjectDocument, StoredDocument };

/** A version of a document with what it says. */
export type ReadDocument<Value> = { version: number; value: Value };

/** The versioned JSON documents of projects that a token opens. */
export class Documents {
  readonly #transport: Transport;

  constructor(options: ClientOptions) {
    this.#transport = new Transport(options);
  }

  /** By name, each with its newest version. */
  list(projectId: number, options: RequestOptions = {}): List<ProjectDocument> {
    return listPages(this.#transport, () => projectPath(projectId, "/documents"), options);
  }

  /** The newest version, or another. */
  async get<Value = unknown>(
    projectId: number,
    name: string,
    options: RequestOptions & { version?: number } = {},
  ): Promise<ReadDocument<Value>> {
    const path = documentPath(projectId, name) + toQuery({ version: options.version });
    return this.#transport.read(path, options, async (response) => ({
      version: Number(response.headers.get("etag")?.match(/\d+/)),
      value: await response.json(),
    }));
  }

  /**
   * Writes the version behind the one that was read, the first one behind null. @throws ExportJobsError 412 when another
   * came first; of a line that breaks nobody knows, so it is not tried again
   */
  async put(
    projectId: number,
    name: string,
    value: unknown,
    after: number | null,
    options: RequestOptions = {},
  ): Promise<StoredDocument> {
    const headers: Record<string, string> = after === null ? { "if-none-match": "*" } : { "if-match": `"${after}"` };
    return this.#transport.json(documentPath(projectId, name), options, {
      method: "PUT",
      body: value,
      headers,
      isSafe: false,
    });
  }

  /** Newest first. */
  versions(projectId: number, name: string, options: RequestOptions = {}): List<DocumentVersion> {
    return listPages(this.#transport, () => documentPath(projectId, name, "/versions"), options);
  }
}
