// Reads deliveries from a file as the npm packages do, each {headers, body, secret?}, and prints
// what they found. A delivery with a secret must verify, and must not when a byte is changed.
import { readFileSync } from "node:fs";
import { HTTP } from "cloudevents";
import { Webhook } from "standardwebhooks";

const deliveries = JSON.parse(readFileSync(process.argv[2], "utf8"));
const read = deliveries.map(({ headers, body, secret }) => {
  const found = {};
  if (secret) {
    const webhook = new Webhook(secret);
    found.verified = webhook.verify(body, headers).id;
    try {
      webhook.verify(body + " ", headers);
      found.forged = true;
    } catch {
      found.forged = false;
    }
  }
  const event = HTTP.toEvent({ headers, body });
  event.validate();
  return { ...found, event: event.toJSON() };
});
console.log(JSON.stringify(read));
