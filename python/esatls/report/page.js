"use strict";
// Sorts, searches and pages the long tables. Without it they stand whole.
for (const table of document.querySelectorAll("table.full")) {
  const body = table.tBodies[0], rows = [...body.rows], size = 50;
  let order = rows, found = rows, at = 0, text;
  const make = (name, words) => {
    const element = document.createElement(name);
    if (words) element.textContent = words;
    return element;
  };
  const bar = make("div"), search = make("input"), back = make("button", "Previous"), on = make("button", "Next"), told = make("span");
  bar.className = "tools";
  search.type = "search";
  search.placeholder = "Search";
  search.setAttribute("aria-label", "Search: " + table.caption.textContent);
  told.setAttribute("role", "status");
  back.type = on.type = "button";
  bar.append(search, told, back, on);
  table.closest(".scroll").before(bar);
  bar.hidden = rows.length <= 10;
  const draw = () => {
    const from = at * size, to = Math.min(from + size, found.length);
    body.replaceChildren(...found.slice(from, to)); // not hidden: thousands of hidden rows take a browser seconds
    told.textContent = found.length > size ? `${from + 1} to ${to} of ${found.length}` : `${found.length} of ${rows.length}`;
    back.disabled = !at;
    on.disabled = to >= found.length;
    back.hidden = on.hidden = found.length <= size;
  };
  const pick = () => {
    const words = search.value.toLowerCase().trim();
    text = text || new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
    found = order.filter(row => text.get(row).includes(words));
    at = 0;
    draw();
  };
  search.addEventListener("input", pick);
  back.addEventListener("click", () => { at--; draw(); });
  on.addEventListener("click", () => { at++; draw(); });
  const value = cell => {
    const words = cell.textContent.trim(), plain = Number(words.replace(/[,%\s]/g, ""));
    return words === "" || words === "\u2013" ? -1 : Number.isNaN(plain) ? words.toLowerCase() : plain;
  };
  [...table.tHead.rows[table.tHead.rows.length - 1].cells].forEach((head, place) => {
    const button = make("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : head.className !== "text";
      for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map(rows.map(row => [row, value(row.cells[place])]));
      const compare = (one, other) => typeof one === typeof other ? (one < other ? -1 : one > other ? 1 : 0) : typeof one === "number" ? -1 : 1;
      order = [...rows].sort((one, other) => (down ? -1 : 1) * compare(keys.get(one), keys.get(other)));
      pick();
    });
  });
  addEventListener("beforeprint", () => body.replaceChildren(...order));
  addEventListener("afterprint", draw);
  draw();
}
