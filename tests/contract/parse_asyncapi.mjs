// Parses an AsyncAPI document with the parser that other people's tools use. Arguments: folder of node_modules, document.
// Prints every diagnostic; exit code 1 if there is one, or no document.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [modules, file] = process.argv.slice(2);
const { Parser } = createRequire(`${modules}/`)("@asyncapi/parser");
const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"));
for (const { code, message, path } of diagnostics) console.log(`${code} ${path.join(".")}: ${message}`);
if (document) console.log(`AsyncAPI ${document.version()}, ${document.channels().length} channels`);
process.exitCode = document && diagnostics.length === 0 ? 0 : 1;
