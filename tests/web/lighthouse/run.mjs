/**
 * Scores of pages, as Lighthouse's mobile form gives them: a slow telephone on a slow network.
 *
 * One line of JSON comes in: {chromium, arguments, categories, enough, attempts, pages: [{name, address, cookie}]}.
 * One goes out for each page: {name, scores: {category: 0 to 100}, wanting: [[audit, its share of 1, what it says]]}.
 * A page that had not enough is looked at again, as often as `attempts`: what else a machine does can make a
 * page slower, but none faster. The best of each category counts.
 */
import { launch } from "chrome-launcher";
import lighthouse from "lighthouse";

let input = "";
for await (const piece of process.stdin) input += piece;
const { chromium, arguments: flags, categories, enough, attempts, pages } = JSON.parse(input);

async function looked(port, { name, address, cookie }) {
  const { lhr } = await lighthouse(address, {
    port,
    onlyCategories: categories,
    logLevel: "silent",
    ...(cookie && { extraHeaders: { Cookie: cookie }, disableStorageReset: true }),
  });
  const wanting = [];
  for (const { auditRefs } of Object.values(lhr.categories)) {
    for (const { id, weight } of auditRefs) {
      const { score, title, displayValue = "", details } = lhr.audits[id];
      if (score === null || score === 1 || weight === 0) continue;
      const places = (details?.items ?? []).slice(0, 3).map((item) => item.node?.snippet ?? item.url ?? "");
      wanting.push([id, score, [title, displayValue, ...places].filter(Boolean).join(" | ")]);
    }
  }
  if (lhr.runtimeError) wanting.push(["runtime", 0, lhr.runtimeError.message]);
  const scored = Object.entries(lhr.categories).map(([id, { score }]) => [id, Math.round((score ?? 0) * 100)]);
  return { name, scores: Object.fromEntries(scored), wanting };
}

const chrome = await launch({
  chromePath: chromium,
  chromeFlags: ["--headless=new", ...flags],
  logLevel: "silent",
});
try {
  for (const page of pages) {
    const found = await looked(chrome.port, page);
    for (let turn = 1; turn < attempts && Object.values(found.scores).some((score) => score < enough); turn += 1) {
      const { scores, wanting } = await looked(chrome.port, page);
      for (const id of categories) found.scores[id] = Math.max(found.scores[id], scores[id]);
      found.wanting = wanting;
    }
    console.log(JSON.stringify(found));
  }
} finally {
  chrome.kill();
}
