// Reads a timeline as a front end would: each kind of entry has its own type, told by `kind`.
// Usage: node read_timeline.mts URL TOKEN CUSTOMER_ID
import process from "node:process";
import type { operations } from "./api.d.ts";

type Page = operations["list_timeline"]["responses"][200]["content"]["application/json"];
type Entry = Page["items"][number];

// Without a default: a kind that is not dealt with does not compile.
function told(entry: Entry): string {
  switch (entry.kind) {
    case "purchase":
      return `${entry.purchase_kind} ${entry.amount}`;
    case "interaction":
      return entry.subject;
    case "tier_change":
      return `${entry.previous_level ?? "new"} -> ${entry.level}`;
    case "consent":
      return `${entry.purpose} ${entry.state}`;
    case "merge":
      return entry.loser_ids.join();
  }
}

const [url = "", token = "", customer_id = ""] = process.argv.slice(2);
const answer = await fetch(`${url}/v1/customers/${customer_id}/timeline`, {
  headers: { Authorization: `Bearer ${token}` },
});
const page = (await answer.json()) as Page;
console.log(JSON.stringify(page.items.map(told)));
