import { describedRoutes } from "../../src/app.ts";
import { textOfApi } from "../../src/http/operations/describe-api.ts";

console.info(textOfApi(describedRoutes, { publicBaseUrl: "https://exports.test" }));
