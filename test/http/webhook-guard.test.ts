import { describe, expect, it } from "vitest";
import { WebhookDeliveryList, WebhookEndpoint } from "../../src/contract/webhook.ts";
import { api, createJob, expectProblem, post } from "../setup/job.ts";

describe("a webhook whose name leads inside", () => {
  it.each([
    ["https://inside.example.org/x", "the name leads to a private address"],
    ["https://both.example.org/x", "the name leads to a private address"],
    ["https://nowhere.example.org/x", "the name leads nowhere"],
  ])("%s is not sent: %s", async (url, error) => {
    const endpoint = WebhookEndpoint.parse(
      await (await post("/api/webhook-endpoints", { url, events: ["job.cancelled"] })).json(),
    );
    const { id } = await createJob();
    await api(`/api/jobs/${id}/cancel`, { method: "POST" });
    const path = `/api/webhook-endpoints/${endpoint.id}`;
    const deliveries = async () => WebhookDeliveryList.parse(await (await api(`${path}/deliveries`)).json()).data;
    let [first] = await deliveries();
    while (!first || first.tries.length === 0) {
      await scheduler.wait(20);
      [first] = await deliveries();
    }
    expect(first.tries[0]).toMatchObject({ status: null, error });
    await api(path, { method: "DELETE" });
  });

  it("is refused for a job too, by its spelling", async () => {
    const body = { project_id: 1, type: "framing", input_video_key: "input/default/x/y", params: {} };
    const params = { crop_keyframes: [{ time: 0, x: 0, y: 0, width: 9, height: 9 }] };
    const request = { ...body, params, webhook_url: "https://10.0.0.1/" };
    const problem = await expectProblem(await post("/api/jobs", request), 422, "webhook_target_forbidden");
    expect(problem.errors?.[0]?.pointer).toBe("/webhook_url");
  });
});
