import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

export const executablePath = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
export const isChromiumThere = existsSync(executablePath);
export const noChromium = `there is no Chromium at ${executablePath} (CHROMIUM_PATH names another).`;

const args = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function launchChromium(): Promise<Browser> {
  return chromium.launch({ executablePath, args });
}
