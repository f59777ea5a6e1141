// Draws the charts, switches views, sorts tables and saves them as CSV. The page sends nothing.
function draw(name, choice) {
  const chart = document.querySelector(`.chart[data-figure="${name}"]`);
  drawIn(chart, given.figures[name][choice], given.words.not_drawn);
  for (const table of document.querySelectorAll(`.choice[data-figure="${name}"]`)) {
    table.hidden = Number(table.dataset.choice) !== choice;
  }
}

for (const name of Object.keys(given.figures)) draw(name, 0);

for (const chooser of document.querySelectorAll("select[data-figure]")) {
  chooser.selectedIndex = 0;
  chooser.addEventListener("change", () => draw(chooser.dataset.figure, Number(chooser.value)));
}

function sort(head) {
  const table = head.closest("table");
  const heads = [...head.parentElement.children];
  const column = heads.indexOf(head);
  const numbers = table.tBodies[0].rows[0]?.cells[column].classList.contains("number");
  const up = head.ariaSort ? head.ariaSort === "descending" : !numbers;
  for (const other of heads) other.removeAttribute("aria-sort");
  head.ariaSort = up ? "ascending" : "descending";
  const key = (row) => row.cells[column].dataset.key;
  const order = numbers ? (a, b) => key(a) - key(b) : (a, b) => key(a).localeCompare(key(b), undefined, { numeric: true });
  const rows = [...table.tBodies[0].rows].sort((a, b) => (up ? order(a, b) : order(b, a)));
  table.tBodies[0].append(...rows);
}

for (const button of document.querySelectorAll(".sorts thead button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}

// A spreadsheet reads a cell that begins with one of these as a formula.
const formula = /^[\s'=+\-@＝＋－＠﹦﹢﹣﹫−]/;

function cell(element) {
  const value = element.classList.contains("number") ? element.dataset.key : element.textContent;
  const text = formula.test(value) && Number.isNaN(Number(value)) ? `'${value}` : value;
  return `"${text.replaceAll('"', '""')}"`;
}

function save(table) {
  const lines = [...table.rows].map((row) => [...row.cells].map(cell).join(","));
  const file = new Blob(["\ufeff", lines.join("\r\n"), "\r\n"], { type: "text/csv;charset=utf-8" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = `${table.dataset.name}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

for (const button of document.querySelectorAll("button.csv")) {
  button.addEventListener("click", () => save(button.parentElement.previousElementSibling.querySelector("table")));
}
