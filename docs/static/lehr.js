// Code and tables that are wider than the page: the keyboard can scroll them.
addEventListener("load", () => {
  for (const wide of document.querySelectorAll("pre, .table-wrapper")) {
    if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;
  }
});

// The buttons that open the navigation are labels of hidden boxes: the keyboard can press them.
for (const label of document.querySelectorAll("label[for]:not(.overlay)")) {
  label.tabIndex = 0;
  label.setAttribute("role", "button");
  label.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    label.click();
  });
}
