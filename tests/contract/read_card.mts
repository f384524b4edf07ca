// Reads a card as a front end would: with nothing but the types made from docs/openapi.json.
// Usage: node read_card.mts URL TOKEN CUSTOMER_ID
import process from "node:process";
import type { components, operations } from "./api.d.ts";

type ReadCard = operations["get_customer"];
type Path = ReadCard["parameters"]["path"];
type Card = ReadCard["responses"][200]["content"]["application/json"];
type Problem = components["schemas"]["Problem"];
type Tier = components["schemas"]["LabelledCode"];

async function readCard(url: string, token: string, path: Path): Promise<Card> {
  const answer = await fetch(`${url}/v1/customers/${path.customer_id}`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  if (!answer.ok) {
    const problem = (await answer.json()) as Problem;
    throw new Error(`${problem.status} ${problem.type}: ${problem.detail}`);
  }
  return (await answer.json()) as Card;
}

const [url = "", token = "", customer_id = ""] = process.argv.slice(2);
const card = await readCard(url, token, { customer_id });
const tier: Tier | null = card.tier;
const members: string[] = card.identities
  .filter((identity) => identity.kind === "member_number")
  .map((identity) => identity.value);
console.log(JSON.stringify({ name: card.name, tier: tier?.code, members, version: card.version }));
