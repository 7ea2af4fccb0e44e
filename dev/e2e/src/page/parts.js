// Finds parts of a page by role and accessible name, as a screen reader does.

const ROLES = {
  A: (element) => (element.hasAttribute("href") ? "link" : ""),
  ARTICLE: "article",
  ASIDE: "complementary",
  BUTTON: "button",
  DIALOG: "dialog",
  FIELDSET: "group",
  FORM: (element) => (label(element) ? "form" : ""),
  H1: "heading",
  H2: "heading",
  H3: "heading",
  HEADER: "banner",
  INPUT: (element) =>
    ({ checkbox: "checkbox", radio: "radio", button: "button", submit: "button", search: "searchbox" })[element.type] ||
    "textbox",
  LI: "listitem",
  MAIN: "main",
  NAV: "navigation",
  OL: "list",
  OUTPUT: "status",
  SELECT: "combobox",
  SECTION: (element) => (label(element) ? "region" : ""),
  SUMMARY: "button",
  TEXTAREA: "textbox",
  TIME: "time",
  UL: "list",
};

const NAMED_BY_CONTENT = new Set(["button", "link", "heading", "option", "tab", "listitem"]);

function role(element) {
  const own = (element.getAttribute("role") || "").trim().split(/\s+/)[0];
  const implied = ROLES[element.tagName] || "";
  return own || (typeof implied === "function" ? implied(element) : implied);
}

const tidy = (text) => text.replace(/\s+/g, " ").trim();

// The text of an element in the accessibility tree.
function content(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.getAttribute("aria-hidden") === "true" || !node.checkVisibility({ visibilityProperty: true })) return "";
  const own = node.getAttribute("aria-label") || node.getAttribute("alt");
  if (own) return own;
  const inner = [...node.childNodes].map(content).join("");
  return getComputedStyle(node).display.startsWith("inline") ? inner : ` ${inner} `;
}

function label(element) {
  const by = element.getAttribute("aria-labelledby");
  if (by) return tidy(by.split(/\s+/).map((id) => document.getElementById(id)?.textContent || "").join(" "));
  return tidy(element.getAttribute("aria-label") || "");
}

function name(element) {
  const labelled = label(element);
  if (labelled) return labelled;
  if (element.labels?.length) return tidy([...element.labels].map(content).join(" "));
  if (element.tagName === "FIELDSET") return tidy(element.querySelector("legend")?.textContent || "");
  const text = NAMED_BY_CONTENT.has(role(element)) ? tidy(content(element)) : "";
  return text || tidy(element.getAttribute("title") || element.getAttribute("placeholder") || "");
}

function isThere(element) {
  return element.checkVisibility({ visibilityProperty: true }) && !element.closest('[aria-hidden="true"], [inert]');
}

function fits(element, step) {
  if (role(element) !== step.role || !isThere(element)) return false;
  if (step.name === null) return true;
  return step.prefix ? name(element).startsWith(step.name) : name(element) === step.name;
}

// All parts that match the last step within those of the steps before, in the order of the page.
function find(steps) {
  let places = [document];
  for (const step of steps) {
    const found = new Set();
    for (const place of places) {
      for (const element of place.querySelectorAll("*")) if (fits(element, step)) found.add(element);
    }
    places = [...found];
  }
  return places;
}

// The names of all parts with the role of the last step, for error messages.
function namesOf(steps) {
  const last = steps[steps.length - 1];
  return find([...steps.slice(0, -1), { role: last.role, name: null }]).map(name);
}

// The messages on the screen, in the order of the page.
function messages() {
  const articles = find([{ role: "log", name: null }, { role: "article", name: null }]);
  return articles.map((article) => ({
    name: name(article),
    text: tidy([...article.childNodes].map(content).join("")),
    top: article.getBoundingClientRect().top,
  }));
}
