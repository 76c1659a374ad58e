// Builds the pages: TypeScript and CSS from src/ into static files with hashed names, each with
// its brotli and gzip copy, and the index.html that names them.
//
//   npm ci && npm run build            (tsc --noEmit checks the types: npm run check)

import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static");
const PLACE = "/"; // where the server offers `static`
const COMPRESS_FROM = 256; // bytes: below, the headers weigh more

const hashOf = (bytes) => createHash("sha256").update(bytes).digest("hex").slice(0, 10);

const json = async (...path) => JSON.parse(await readFile(join(here, "src", ...path), "utf8"));

/** A file for each language; what the box says as a sentence is found by its words. */
async function catalogues() {
  const made = {};
  const said = await json("said.json");
  for (const name of await readdir(join(here, "src", "lang"))) {
    const language = basename(name, ".json");
    const all = Object.entries(await json("lang", name));
    const entries = all.filter(([key]) => !key.startsWith("report."));
    const text = JSON.stringify(
      Object.fromEntries(entries.map(([key, words]) => [key in said ? `= ${said[key]}` : key, words])),
    );
    const file = `lang-${language}-${hashOf(text)}.json`;
    await writeFile(join(out, file), text);
    made[language] = PLACE + file;
    if (language !== "en") await reports(language, all);
  }
  return made;
}

/** What the server prints in a language, by its English words: for words.py, not for the pages. */
async function reports(language, entries) {
  const printed = await json("report.json");
  const theirs = entries.filter(([key]) => key in printed);
  const text = JSON.stringify(
    Object.fromEntries(theirs.map(([key, words]) => [`# ${printed[key]}`, words])),
  );
  await writeFile(join(out, `report-${language}-${hashOf(text)}.json`), text);
}

/** Whatever comes later is told to import what the first visit has loaded: so the bundler keeps all
 *  of that in one file, where it would cut it into one for each set of pages that share a part. */
const firstInOne = {
  name: "first-in-one",
  setup(made) {
    const later = new Set();
    made.onResolve({ filter: /^\.\.?\// }, async ({ path, kind, importer, resolveDir }) => {
      if (kind !== "dynamic-import") return undefined;
      const found = await made.resolve(path, { kind: "import-statement", importer, resolveDir });
      later.add(found.path);
      return found;
    });
    made.onLoad({ filter: /\.tsx?$/ }, async ({ path }) => {
      if (!later.has(path)) return undefined;
      const main = await readFile(join(here, "src", "main.tsx"), "utf8");
      const first = [...main.matchAll(/^import (?!type).* from "\.\/([^"]+)";$/gm)];
      const imports = first.map(([, name]) => `import ${JSON.stringify(join(here, "src", name))};`);
      const contents = imports.join("") + (await readFile(path, "utf8"));
      return { contents, loader: path.endsWith("x") ? "tsx" : "ts" };
    });
  },
};

async function bundle(languages) {
  return build({
    absWorkingDir: here,
    entryPoints: { app: "src/main.tsx", style: "src/style/style.css" },
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["chrome111", "firefox114", "safari16.4"],
    minify: true,
    charset: "utf8",
    legalComments: "linked",
    metafile: true,
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    publicPath: PLACE,
    define: { CATALOGUES: JSON.stringify(JSON.stringify(languages)) },
    jsx: "automatic",
    jsxImportSource: "preact",
    plugins: [firstInOne],
  });
}

/** Output files by entry, and those that the application needs at once. */
function named(meta) {
  const found = { app: "", style: "", shared: [] };
  for (const [path, output] of Object.entries(meta.outputs)) {
    const file = basename(path);
    if (output.entryPoint === "src/main.tsx") {
      found.app = file;
      const now = output.imports.filter((one) => one.kind === "import-statement");
      found.shared = now.map((one) => basename(one.path));
    }
    if (output.entryPoint === "src/style/style.css") found.style = file;
  }
  return found;
}

function page({ app, style, shared }, icon) {
  const preloads = shared.map((file) => `<link rel="modulepreload" href="${PLACE}${file}">`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<meta name="description" content="LinkRay: load balancing for EV chargers">
<title>LinkRay</title>
<link rel="icon" href="${PLACE}${icon}" type="image/svg+xml">
<link rel="stylesheet" href="${PLACE}${style}">
<link rel="stylesheet" href="${PLACE}brand.css">
${[...preloads, `<script type="module" src="${PLACE}${app}"></script>`].join("\n")}
</head>
<body>
<noscript><main class="gate"><h1>LinkRay</h1><p>This page needs JavaScript. <a href="/plain">How it stands, stop all and the log go without.</a></p></main></noscript>
</body>
</html>
`;
}

function copies(bytes) {
  const brotli = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  return { br: brotli, gz: gzipSync(bytes, { level: 9 }) };
}

async function compress() {
  let [raw, small] = [0, 0];
  for (const name of await readdir(out)) {
    const bytes = await readFile(join(out, name));
    raw += bytes.length;
    if (bytes.length < COMPRESS_FROM) continue;
    const { br, gz } = copies(bytes);
    await writeFile(join(out, `${name}.br`), br);
    await writeFile(join(out, `${name}.gz`), gz);
    small += br.length;
    console.log(
      [name.padEnd(34), String(bytes.length).padStart(7), "B", String(br.length).padStart(6), "br"]
        .join(" "),
    );
  }
  console.log(
    `${"in all".padEnd(34)} ${String(raw).padStart(7)} B ${String(small).padStart(6)} br`,
  );
}

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
const icon = await readFile(join(here, "src", "icon.svg"));
const iconName = `icon-${hashOf(icon)}.svg`;
await writeFile(join(out, iconName), icon);
const { metafile } = await bundle(await catalogues());
await writeFile(join(out, "index.html"), page(named(metafile), iconName));
await compress();
