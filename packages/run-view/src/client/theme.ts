// Dark or light: as the system has it, until the button says otherwise.
/// <reference lib="dom" />

const key = "iapo-view-theme";

export function startTheme(): void {
  const root = document.documentElement;
  const kept = localStorage.getItem(key);
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  document.querySelector("#theme")?.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    localStorage.setItem(key, root.dataset.theme);
    document.dispatchEvent(new Event("themechange"));
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    document.dispatchEvent(new Event("themechange")),
  );
}

function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}
