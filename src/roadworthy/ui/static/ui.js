// The only script of the pages: the light/dark switch, renewal of live parts, focus on an answer.
// Loaded in <head> without defer, so that the page never flashes the other theme. Every page works
// without it.
(() => {
  const root = document.documentElement, key = "roadworthy-theme";
  const apply = (choice) => choice === "auto" ? root.removeAttribute("data-theme") : root.setAttribute("data-theme", choice);
  const stored = () => { try { return localStorage.getItem(key) || "auto"; } catch { return "auto"; } };
  apply(stored());

  const themeSwitch = () => {
    for (const select of document.querySelectorAll("[data-theme-switch]")) {
      select.value = stored();
      select.addEventListener("change", () => {
        apply(select.value);
        try { localStorage.setItem(key, select.value); } catch { /* private window: lasts as long as the page */ }
        document.dispatchEvent(new Event("themechange"));
      });
    }
  };

  // Parts marked data-live are taken from a fresh copy of the page; what a person is using stays.
  const renewal = () => {
    const main = document.querySelector("[data-renew]");
    if (!main) return;
    const seconds = Number(main.dataset.renew);
    const word = document.querySelector("[data-renewal]");
    const say = (stale) => {
      word.className = stale ? "pill warn" : "";
      word.textContent = stale ? "not renewed since" : `, renewed every ${seconds}\u00a0s`;
    };
    const renew = async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(location.pathname + location.search, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(seconds * 1000) });
        if (!answer.ok) throw new Error(String(answer.status));
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const next = fresh.getElementById(part.id), used = document.activeElement;
          if (!next || next.innerHTML === part.innerHTML) continue;
          const held = part.contains(used) ? used.id : "";
          if (part.contains(used) && !held) continue;
          part.replaceChildren(...next.childNodes);
          if (held) document.getElementById(held)?.focus({ preventScroll: true });
        }
        say(false);
      } catch { say(true); }
    };
    say(false);
    setInterval(renew, seconds * 1000);
    document.addEventListener("visibilitychange", renew);
  };

  document.addEventListener("DOMContentLoaded", () => {
    themeSwitch();
    renewal();
    document.querySelector("[data-focus]")?.focus();
  });
})();
