// Parses AsyncAPI documents with the official parser, and prints what it says of each: node official.mjs MODULES FILE...
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, ...files] = process.argv.slice(2);
const { Parser } = createRequire(`${modules}/`)("@asyncapi/parser");
const parser = new Parser();
const WARNING = 1; // 0 is an error, 2 an information, such as that there is a later version of AsyncAPI.
let faults = 0;
for (const file of files) {
  const { document, diagnostics } = await parser.parse(readFileSync(file, "utf8"));
  const bad = diagnostics.filter((each) => each.severity <= WARNING);
  faults += bad.length + (document ? 0 : 1);
  console.log(`${file}: ${document ? "taken" : "refused"}, ${bad.length} errors and warnings`);
  for (const each of bad) console.log(`  ${each.path.join("/")}: ${each.message} (${each.code})`);
}
process.exit(faults ? 1 : 0);
