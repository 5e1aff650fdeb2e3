import { Window } from "happy-dom";
import { act, createElement, type ReactNode, StrictMode, useState } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ExportJobs } from "../../src/client/index.ts";
import { ExportJobsProvider, useExport, useExports } from "../../src/client/react.ts";
import { deleted, idOf, newEvent, newJob, page, problem, Service, settle } from "./service.ts";

const window = new Window();
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });

const [jobStream, projectStream] = [/^GET \/api\/jobs\/[\w-]+\/events$/, /^GET \/api\/projects\/7\/events/];
const [jobRead, list] = [/^GET \/api\/jobs\/[\w-]+$/, /^GET \/api\/jobs\?/];

let service: Service;
let root: Root;
let container: HTMLElement;

beforeEach(() => {
  service = new Service();
  service.on(jobStream, service.stream).on(projectStream, service.stream);
  service.on(jobRead, ({ path }) => Response.json(newJob(Number(path.slice(-12)))));
  service.on(list, () => page(newJob(2), newJob(1)));
  container = document.createElement("div");
  root = createRoot(container);
});

afterEach(() => told(() => root.unmount()));

const told = (work: () => void) =>
  act(async () => {
    work();
    await settle();
  });
const render = (node: ReactNode) => told(() => root.render(node));
const inside = (client: ExportJobs, ...children: ReactNode[]) =>
  createElement(ExportJobsProvider, { client }, ...children);

function toText({ job, isLoading, error }: ReturnType<typeof useExport>): string {
  return `${job?.id.slice(-1)} ${job?.progress} ${isLoading} ${error?.message}`;
}

const One = ({ id }: { id: string }) => toText(useExport(id));
const Own = ({ id, client }: { id: string; client: ExportJobs }) => toText(useExport(client, id));

function All({ limit }: { limit: number }) {
  return useExports(7, { limit })
    .exports.map(({ id, progress }) => `${id.slice(-1)}: ${progress}`)
    .join(", ");
}

describe("the hooks", () => {
  it("show a job and a project by the provider's client, and end with the component", async () => {
    await render(
      inside(service.client(), createElement(One, { id: idOf(1) }), " | ", createElement(All, { limit: 2 })),
    );
    expect(container.textContent).toBe("1 10 false undefined | 2: 10, 1: 10");
    await told(() => service.streams.forEach(({ send }) => void send(newEvent(1, 5, { progress: 55 }))));
    expect(container.textContent).toBe("1 55 false undefined | 2: 10, 1: 55");
    service.on(list, () => page(newJob(3), newJob(2), newJob(1)));
    await told(() => service.streams[1]?.send(newEvent(3, 5, { progress: 1 })));
    expect(container.textContent).toContain("| 3: 1, 2: 10");
    service.on(list, () => page(newJob(2), newJob(1)));
    await told(() => service.streams[1]?.send(deleted(3)));
    expect(container.textContent).toContain("| 2: 10, 1: 55");
    const calls = service.calls.length;
    await render(null);
    expect(service.streams.map(({ isOpen }) => isOpen())).toEqual([false, false]);
    expect(service.calls.length).toBe(calls);
  });

  it("take one client for all that are made in renders", async () => {
    let again = () => {};
    const Page = () => {
      const [count, setCount] = useState(0);
      again = () => setCount(count + 1);
      const client = service.client();
      const given = createElement(Own, { id: idOf(1), client });
      return createElement("p", null, count, given, inside(client, createElement(One, { id: idOf(2) })));
    };
    await render(createElement(Page));
    for (let count = 0; count < 20; count++) {
      await told(() => again());
    }
    expect(container.textContent).toBe("201 10 false undefined2 10 false undefined");
    expect(service.calls.length).toBe(4);
  });

  it("follow another client when it is another", async () => {
    const other = new Service();
    other.on(jobStream, other.stream).on(jobRead, () => Response.json(newJob(1, { progress: 77 })));
    await render(createElement(Own, { id: idOf(1), client: service.client() }));
    const client = new (service.client().constructor as typeof ExportJobs)({
      url: "https://other.test",
      token: "ej_test_0",
      fetch: other.fetch,
    });
    await render(createElement(Own, { id: idOf(1), client }));
    expect(container.textContent).toBe("1 77 false undefined");
    expect(service.streams[0]?.isOpen()).toBe(false);
  });

  it("connect once in StrictMode", async () => {
    await render(createElement(StrictMode, null, inside(service.client(), createElement(One, { id: idOf(1) }))));
    expect(container.textContent).toBe("1 10 false undefined");
    expect([service.count(jobStream), service.count(jobRead)]).toEqual([1, 1]);
  });

  it("never show an old job under a new id", async () => {
    const shown: string[] = [];
    const Watched = ({ id }: { id: string | null }) => {
      const { job, isLoading } = useExport(service.client(), id);
      shown.push(`${id?.slice(-1)}: ${job?.id.slice(-1)} ${isLoading}`);
      return null;
    };
    await render(createElement(Watched, { id: idOf(1) }));
    await render(createElement(Watched, { id: idOf(2) }));
    await render(createElement(Watched, { id: null }));
    expect([...new Set(shown)]).toEqual([
      "1: undefined true",
      "1: 1 false",
      "2: undefined true",
      "2: 2 false",
      "undefined: undefined false",
    ]);
    expect(service.streams.map(({ isOpen }) => isOpen())).toEqual([false, false]);
  });

  it("tell what went wrong, and want a client", async () => {
    service.on(jobStream, () => problem(401, "unauthenticated"));
    await render(inside(service.client(), createElement(One, { id: idOf(1) })));
    expect(container.textContent).toContain("it is unauthenticated");
    await render(inside(service.client(), createElement(One, { id: "../uploads" })));
    expect(container.textContent).toContain('"../uploads" is not an id.');
    expect(() => renderToString(createElement(One, { id: idOf(1) }))).toThrow("ExportJobsProvider");
  });

  it("render on a server without a request, and go on in the browser", async () => {
    const Rendered = () => {
      const { job } = useExport(service.client(), idOf(1), { initial: newJob(1, { progress: 33 }) });
      const { exports, isLoading } = useExports(service.client(), 7);
      return `${job?.progress} ${exports.length} ${isLoading}`;
    };
    container = document.createElement("div");
    container.innerHTML = renderToString(createElement(Rendered));
    expect(container.textContent).toBe("33 0 true");
    expect(service.calls).toEqual([]);
    const complaints: unknown[] = [];
    const onRecoverableError = (error: unknown) => complaints.push(error);
    await told(() => {
      root = hydrateRoot(container, createElement(Rendered), { onRecoverableError });
    });
    await told(() => service.streams.forEach(({ send }) => void send(newEvent(1, 5, { progress: 55 }))));
    expect([container.textContent, complaints]).toEqual(["55 2 false", []]);
  });
});
