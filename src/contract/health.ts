import { z } from "zod";

export const Health = z.strictObject({ status: z.literal("ok") }).meta({ id: "Health" });
