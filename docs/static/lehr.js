// Code and tables that are wider than the page: the keyboard can scroll them.
addEventListener("load", () => {
  for (const wide of document.querySelectorAll("pre, .table-wrapper")) {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  }
});

// What opens the navigation is a picture in the label of a hidden box: the keyboard can press it as a button.
const NAMES = { __navigation: "Pages", __toc: "On this page" };
for (const label of document.querySelectorAll("label[for]:not(.overlay)")) {
  const button = label.firstElementChild;
  if (!button) continue;
  const link = label.parentElement.querySelector("a");
  button.tabIndex = 0;
  button.setAttribute("role", "button");
  button.setAttribute("aria-label", NAMES[label.htmlFor] ?? `Pages of ${link ? link.textContent : "this part"}`);
  button.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    label.click();
  });
}
