/* What is shown, to take along: copied, or as a file that the browser makes by itself. */

const FILES = {
  txt: { type: "text/plain", write: (rows) => rows.map((row) => `${row.address}\n`).join("") },
  csv: { type: "text/csv", write: writeCsv },
  json: { type: "application/json", write: writeJson },
};

function taken(row) {
  const { address, protocol, latency_ms, last_check, targets, exit, anonymity } = row;
  return { address, protocol, latency_ms, last_check, targets, exit: exit ?? null, anonymity: anonymity ?? null };
}

function writeJson(rows) {
  return `${JSON.stringify(rows.map(taken), null, 1)}\n`;
}

/* RFC 4180. A cell that a spreadsheet would run as a formula is made text. */
function cell(value) {
  const text = String(value ?? "");
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

function writeCsv(rows) {
  const names = ["address", "protocol", "latency_ms", "last_check", "targets", "exit", "anonymity"];
  const line = (row) => names.map((name) => cell(Array.isArray(row[name]) ? row[name].join(" ") : row[name])).join(",");
  return [names.join(","), ...rows.map(line)].map((text) => `${text}\r\n`).join("");
}

function saveAs(form) {
  const file = new Blob([FILES[form].write(table.shown)], { type: FILES[form].type });
  const link = make("a", "", { href: URL.createObjectURL(file), download: `proxies.${form}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/* The clipboard of a page that came over plain HTTP from another host is the old one only. */
async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = make("textarea", "", { readonly: "", class: "unseen", "aria-hidden": "true" });
    area.value = text;
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    focused?.focus();
    return isCopied;
  }
}

async function copyText(text, button) {
  const words = (button.dataset.words ??= button.textContent);
  button.textContent = (await writeClipboard(text)) ? "Copied" : "Not allowed";
  setTimeout(() => (button.textContent = words), 1500);
}

function startSave() {
  byId("copy").addEventListener("click", () => copyText(FILES.txt.write(table.shown), byId("copy")));
  for (const button of document.querySelectorAll("[data-save]")) {
    button.setAttribute("aria-label", `Download as ${button.dataset.save}`);
    button.addEventListener("click", () => saveAs(button.dataset.save));
  }
}
