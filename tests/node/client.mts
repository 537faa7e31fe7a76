// A client as a stranger writes it: types by openapi-typescript, calls by openapi-fetch.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const [url, id, secret, type] = process.argv.slice(2);
const anonymous = createClient<paths>({ baseUrl: url });

const form = new URLSearchParams({
  grant_type: "client_credentials",
  client_id: id,
  client_secret: secret,
});
const issued = await anonymous.POST("/oauth/token", {
  body: { grant_type: "client_credentials" },
  bodySerializer: () => form,
  headers: { "content-type": "application/x-www-form-urlencoded" },
});
if (!issued.data) throw new Error(String(issued.error?.error));

const bus = createClient<paths>({
  baseUrl: url,
  headers: { authorization: `Bearer ${issued.data.access_token}` },
});
const params = { path: { name: "typescript" } };
const subscription = await bus.PUT("/v1/subscriptions/{name}", {
  params,
  body: { types: [type], delivery: "pull", ordered: false },
});
if (!subscription.data) throw new Error(subscription.error?.detail);

const event: components["schemas"]["CloudEvent"] = {
  specversion: "1.0",
  id: crypto.randomUUID(),
  source: "/uji",
  type,
  data: { n: 1 },
};
const published = await bus.POST("/v1/events", {
  body: event,
  headers: { "content-type": "application/cloudevents+json" },
});
if (!published.data) throw new Error("refused");

const received = await bus.POST("/v1/subscriptions/{name}/receive", {
  params,
  body: { max: 1, wait: 10 },
});
const first: components["schemas"]["ReceivedEvent"] | undefined = received.data?.events[0];
if (!first) throw new Error("nothing received");
const settled = await bus.POST("/v1/subscriptions/{name}/acknowledge", {
  params,
  body: { tokens: [first.token] },
});

const refused = await bus.GET("/v1/subscriptions/{name}", {
  params: { path: { name: "tidak-ada" } },
});
const problem: components["schemas"]["Problem"] | undefined = refused.error;

console.log(
  JSON.stringify({
    state: subscription.data.state,
    receipt: "id" in published.data ? published.data.id : undefined,
    sent: event.id,
    received: first.event.id,
    settled: settled.data?.results,
    problem,
  }),
);
