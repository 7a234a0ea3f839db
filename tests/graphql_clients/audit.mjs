// The rules of GraphQL over HTTP, asked of a running server: one line for each that it does not keep.
import { serverAudits } from "graphql-http";

const [url] = process.argv.slice(2);
const audits = serverAudits({ url, fetchFn: fetch });
console.log(`${audits.length} audits`);
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status !== "ok") {
    console.log(`${result.status} ${audit.id} ${audit.name}: ${result.reason}`);
  }
}
