import { z } from "zod";
import { inText } from "../contract/common.ts";
import { parseApiKey } from "./api-key.ts";
import type { SigningKeys } from "./signing.ts";

export const required = {
  error: (issue: { input: unknown }) => (issue.input === undefined ? "is missing" : undefined),
};

/** A setting may write its number in any way that is not empty. */
export const anyText = /\S/;

export function ms(fallback: number, min = 1) {
  return inText(z.int({ error: "must be a number of milliseconds" }).min(min), anyText).default(fallback);
}

export const withoutSlash = (url: string) => url.replace(/\/+$/, "");

export const ownUrl = z
  .url({ protocol: /^https?$/, error: required.error })
  .transform(withoutSlash)
  .refine((url) => new URL(url).origin === url, { error: "must be an origin like https://exports.example.com" });

/** Secrets go there, or trust comes from there. */
export const othersUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => /^(https:|http:\/\/(localhost|127\.0\.0\.1|\[::1\])[:/])/.test(`${url}/`), {
    error: "must be https, but on this machine",
  });

export const signingKeys = z.string(required).transform((list, context): SigningKeys => {
  const keys = list.split(",").map((entry) => /^([\w-]{1,32}):(.{16,})$/.exec(entry.trim()));
  const [first, ...others] = keys.flatMap((match) => {
    const [, kid, secret] = match ?? [];
    return kid !== undefined && secret !== undefined ? [{ kid, secret }] : [];
  });
  if (!first || others.length + 1 < keys.length) {
    context.addIssue("must be kid:secret[,kid:secret], secrets of 16 characters or more");
    return z.NEVER;
  }
  return [first, ...others];
});

/** A key, or `off`: null. */
export const apiKey = z.string(required).transform((text, context) => {
  const parsed = parseApiKey(text);
  if (!parsed && text !== "off") {
    context.addIssue("must be off, or ej_<keyid>_<secret> with a secret of 16 characters or more");
    return z.NEVER;
  }
  return parsed;
});

export const origins = z
  .string()
  .default("")
  .transform((list, context) => {
    const entries = list.split(",").flatMap((entry) => entry.trim() || []);
    const wrong = entries.find((entry) => !URL.canParse(entry) || new URL(entry).origin !== entry);
    if (wrong !== undefined) {
      context.addIssue("must be origins like https://app.example.com, parted by commas");
    }
    return new Set(entries);
  });

export const text = z.string().min(1).optional();
