export { type ExportState, LiveJob } from "./live-job.ts";
export { type ExportsState, LiveList, type LiveListOptions } from "./live-list.ts";
