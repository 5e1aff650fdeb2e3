import { describedRoutes } from "../../src/app.ts";
import { describeApi } from "../../src/http/operations/describe-api.ts";

console.info(JSON.stringify(describeApi(describedRoutes, { publicBaseUrl: "https://exports.test" })));
