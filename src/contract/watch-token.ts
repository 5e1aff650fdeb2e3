import { z } from "zod";
import { Timestamp } from "./common.ts";

/** The body of `POST /api/jobs/:id/token`. */
export const NewWatchToken = z
  .strictObject({ expires_in_seconds: z.int().min(60).max(86_400).default(900) })
  .meta({ id: "NewWatchToken" });
/** As a caller writes it. */
export type NewWatchToken = z.input<typeof NewWatchToken>;

export const WatchToken = z
  .strictObject({
    client_token: z.string().meta({ description: "Reads and cancels this one job." }),
    expires_at: Timestamp,
  })
  .meta({ id: "WatchToken" });
export type WatchToken = z.infer<typeof WatchToken>;
