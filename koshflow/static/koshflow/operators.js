// Fetches the dashboard anew and puts its live part in the place of the old. Without it the page is as it was opened.
(() => {
  const box = document.getElementById("refresh");
  if (!box) return;
  box.parentElement.hidden = false;
  const address = new URL(location.href);
  address.searchParams.set("auto", "1"); // no use of the admin: whoever went away is signed out all the same
  const refresh = async () => {
    if (!box.checked || document.hidden) return;
    const live = document.getElementById("live");
    try {
      const answer = await fetch(address, { credentials: "same-origin" });
      if (answer.redirected) { location.reload(); return; } // signed out
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
      const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      live.replaceWith(fresh);
      if (focused) fresh.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    } catch (trouble) {
      document.getElementById("refresh-trouble").textContent = "These numbers are old: the server did not answer.";
    }
  };
  setInterval(refresh, Number(box.dataset.seconds) * 1000);
})();
