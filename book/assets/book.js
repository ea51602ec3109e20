/** What the pages need besides their style sheet: paper, and what is wider than the column. */

/** On paper nothing can be unfolded and nothing is dark. After printing, the page is as it was. */
function preparePaper() {
  const root = document.documentElement;
  let theme;
  let folded;
  addEventListener("beforeprint", () => {
    theme = root.dataset.theme;
    root.dataset.theme = "light";
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    root.dataset.theme = theme;
    for (const details of folded) details.open = false;
  });
}

/** What is too wide scrolls in its box, which the keyboard can then reach; a formula in the text may break instead. */
function fit() {
  for (const box of document.querySelectorAll("div.math mjx-container, .bd-article pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
  const inText = [...document.querySelectorAll(".bd-article span.math")];
  for (const formula of inText) formula.classList.remove("too-wide");
  const tooWide = inText.filter((formula) => {
    const column = formula.closest("p, li, td, th, dd, dt, figcaption, h1, h2, h3, h4");
    return column && formula.offsetWidth > column.clientWidth;
  });
  for (const formula of tooWide) formula.classList.add("too-wide");
}

preparePaper();
addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  // Whatever changes the column's size, a fold that opens among it: measure again.
  const article = document.querySelector(".bd-article"); // the search page has none
  if (article) new ResizeObserver(() => requestAnimationFrame(fit)).observe(article);
});
