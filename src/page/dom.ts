import { describeError } from "../client/errors.ts";

type Child = Node | string | null;
type Attributes = Readonly<Record<string, string | number | boolean | ((event: Event) => unknown) | null>>;

/** Makes an element: functions become listeners, `true` an empty attribute, false and null none. Text is never HTML. */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") {
      element.addEventListener(name.slice(2), value);
    } else if (value !== null && value !== false) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function field(text: string, control: HTMLElement): HTMLLabelElement {
  return h("label", {}, text, control);
}

export function choice(
  options: readonly (readonly [value: string, text: string])[],
  selected: string,
): HTMLSelectElement {
  const select = h("select", {}, ...options.map(([value, text]) => h("option", { value }, text)));
  select.value = selected;
  return select;
}

export function numberInput(value: number, extra: Attributes = {}): HTMLInputElement {
  const input = h("input", { type: "number", step: "any", min: 0, ...extra });
  input.value = String(value);
  return input;
}

export function formatTime(iso: string | null): string {
  return iso === null ? "–" : new Date(iso).toLocaleString();
}

export function formatBytes(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** How long until an instant, in words. */
export function formatEta(iso: string | null): string {
  if (iso === null) {
    return "";
  }
  const seconds = Math.max(0, Math.round((Date.parse(iso) - Date.now()) / 1000));
  return seconds < 90 ? `about ${seconds} s left` : `about ${Math.round(seconds / 60)} min left`;
}

const plainErrors: Readonly<Record<string, string>> = {
  input_not_found: "The video was not found any more.",
  invalid_params: "The renderer refused these settings.",
  handler_failed: "Rendering failed.",
  handler_timeout: "Rendering took too long.",
  queue_timeout: "No GPU became free in time.",
  provider_unavailable: "The GPU service could not be reached.",
  provider_rejected: "The GPU service refused the job: its key or endpoint is wrong.",
  output_missing: "Rendering ended without a file.",
  deadline_exceeded: "The job did not begin in the time it was given.",
  cancelled_by_provider: "The GPU service cancelled the job.",
};

export function inPlainWords(code: string): string {
  return plainErrors[code] ?? "The export failed.";
}

/** Whether something was ended on purpose, like a request of a view that is left. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

/** What went wrong, in words; none for what was ended on purpose. */
export function messageOf(error: unknown): string {
  return isAbort(error) ? "" : describeError(error);
}
