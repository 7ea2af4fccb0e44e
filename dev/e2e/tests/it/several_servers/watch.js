// Notes on a page when each message came, and how long the connection strip was shown. Times are milliseconds since the epoch, so that
// those of two pages can be compared.

const watch = (window.watch = { came: {}, strip: 0 });
let since = null;

watch.look = () => {
  const now = performance.timeOrigin + performance.now();
  for (const article of document.querySelectorAll("[role=log] article")) {
    const text = article.textContent.match(/message \d+ of (Ada|Grace)/)?.[0];
    if (text) watch.came[text] ??= now;
  }
  const isShown = [...document.querySelectorAll("[role=status]")].some((status) => status.checkVisibility() && status.innerText.trim());
  if (isShown) since ??= now;
  if (since !== null) watch.strip = Math.max(watch.strip, now - since);
  if (!isShown) since = null;
};

new MutationObserver(watch.look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
watch.look();
