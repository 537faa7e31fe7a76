// Prints what the official AsyncAPI parser says of the document named on the command line.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const text = readFileSync(process.argv[2], "utf8");
const { document, diagnostics } = await new Parser().parse(text);
const told = diagnostics.map(({ severity, code, message, path }) => ({
  severity,
  code,
  message,
  path: path.join("/"),
}));
const operations = document ? document.operations().all().length : 0;
console.log(JSON.stringify({ valid: document !== undefined, operations, diagnostics: told }));
