// Prints what @asyncapi/parser finds in a document, one line each: severity, place, message.
"use strict";

const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

new Parser().parse(readFileSync(process.argv[2], "utf8")).then(({ diagnostics }) => {
  for (const { severity, path, message } of diagnostics) {
    console.log(["error", "warning", "info", "hint"][severity], path.join("."), message);
  }
});
