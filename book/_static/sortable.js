// Tables of numbers, with a head of one row and four rows or more, sort by a column when its head is pressed; the order of
// other tables is their argument. Cells of more than a few words are marked as prose, those of a number alone as numbers.
// Tables that scroll can be reached and scrolled from the keyboard.
(() => {
  const number = (text) => {
    const match = text.replaceAll(",", "").match(/^\s*[-−+]?\d+(\.\d+)?/);
    return match ? parseFloat(match[0].replace("−", "-")) : null;
  };
  const compare = (a, b) => {
    const [x, y] = [number(a), number(b)];
    return x !== null && y !== null ? x - y : a.localeCompare(b);
  };
  const sort = (table, column, head) => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    table.querySelectorAll("thead th").forEach((one) => one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const text = (row) => row.cells[column].textContent;
    const rows = [...table.tBodies[0].rows].sort((a, b) => compare(text(a), text(b)) * (falling ? -1 : 1));
    table.tBodies[0].append(...rows);
  };
  const counts = (rows, columns) => {
    const numbers = (column) => rows.filter((row) => number(row.cells[column]?.textContent ?? "") !== null).length;
    return Array.from({ length: columns }, (_, column) => numbers(column)).some((many) => many > rows.length / 2);
  };
  const make = (table) => {
    const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
    const even = [...(table.tBodies[0]?.rows ?? [])].every((row) => row.cells.length === heads.length);
    const joined = table.querySelector("[rowspan]:not([rowspan='1']), [colspan]:not([colspan='1'])");
    if (table.tHead?.rows.length !== 1 || table.tBodies[0].rows.length < 4 || !even || joined) return;
    if (!counts([...table.tBodies[0].rows], heads.length)) return;
    heads.forEach((head, column) => {
      if (!head.textContent.trim() || head.querySelector("a, button")) return;
      const button = document.createElement("button");
      button.className = "sort";
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, column, head));
      head.append(button);
    });
  };
  const mark = (cell) => {
    const text = cell.textContent.trim();
    cell.classList.toggle("prose", text.length > 60);
    cell.classList.toggle("number", /^([-−+]?[\d.,]+ ?%?|NaN)$/.test(text));
  };
  const reach = (wide) => {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  };
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".bd-article td").forEach(mark);
    document.querySelectorAll(".bd-article table").forEach((table) => { make(table); reach(table); });
  });
})();
