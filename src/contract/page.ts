import { z } from "zod";
import { inText } from "./common.ts";

/** What every list takes that comes page by page. */
export const pageFields = {
  limit: inText(z.int().min(1).max(100)).default(20),
  cursor: z.string().min(1).max(512).optional().meta({ description: "The `next_cursor` of the page before." }),
};

export const PageQuery = z.strictObject(pageFields);
export type PageQuery = z.infer<typeof PageQuery>;

/** Of a list that comes whole. */
export const NoQuery = z.strictObject({});
