// Before anything is drawn: light or dark, as this browser chose last, or as its system is.
{
  let chosen = null;
  try {
    chosen = localStorage.getItem("orderstream.theme");
  } catch { /* it may not remember */ }
  const isLight = matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = chosen ?? (isLight ? "light" : "dark");
}
