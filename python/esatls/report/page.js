"use strict";
// Sorts, searches and pages the long tables. Without it they stand whole.
document.documentElement.className = "paged"; // the style hides all but the first body of each, before any of the rest is laid out
addEventListener("DOMContentLoaded", () => document.querySelectorAll("table.full").forEach(table => {
  const [body, rest] = table.tBodies, size = body.rows.length, count = size + (rest ? rest.rows.length : 0);
  let rows, order, found, at = 0, text;
  const take = () => { // when they are asked for: thousands take a moment
    if (rows) return;
    rows = order = found = [...table.tBodies].flatMap(one => [...one.rows]);
    if (rest) rest.remove();
  };
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
  bar.hidden = count <= 10;
  const tell = length => {
    const from = at * size, to = Math.min(from + size, length);
    told.textContent = length > size ? `${from + 1} to ${to} of ${length}` : `${length} of ${count}`;
    back.disabled = !at;
    on.disabled = to >= length;
    back.hidden = on.hidden = length <= size;
  };
  const draw = () => {
    body.replaceChildren(...found.slice(at * size, (at + 1) * size));
    tell(found.length);
  };
  const pick = () => {
    take();
    const words = search.value.toLowerCase().trim();
    text = text || new Map(rows.map(row => [row, row.textContent.toLowerCase()]));
    found = order.filter(row => text.get(row).includes(words));
    at = 0;
    draw();
  };
  search.addEventListener("input", pick);
  back.addEventListener("click", () => { take(); at--; draw(); });
  on.addEventListener("click", () => { take(); at++; draw(); });
  const value = cell => { // without its marks, such as "weak"
    const words = [...cell.childNodes].map(part => part.nodeName === "B" ? "" : part.textContent).join("").trim(), plain = Number(words.replace(/[,%\s]/g, ""));
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
      take();
      const keys = new Map(rows.map(row => [row, value(row.cells[place])]));
      const compare = (one, other) => typeof one === typeof other ? (one < other ? -1 : one > other ? 1 : 0) : typeof one === "number" ? -1 : 1;
      order = [...rows].sort((one, other) => (down ? -1 : 1) * compare(keys.get(one), keys.get(other)));
      pick();
    });
  });
  addEventListener("beforeprint", () => { if (rows) body.replaceChildren(...order); });
  addEventListener("afterprint", () => { if (rows) draw(); });
  tell(count);
}));
