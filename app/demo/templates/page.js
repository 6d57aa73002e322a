// Asks every second whether there is more to see, and swaps the parts in; what the reader opened or closed stays so.
const parts = document.getElementById("parts");

async function text(path) {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
}

async function look() {
  try {
    const { version } = await (await text("/demo/version")).json();
    if (version !== parts.dataset.version) {
      const html = await (await text("/demo/parts")).text();
      const kept = Object.fromEntries([...parts.querySelectorAll("[data-keep]")].map((one) => [one.dataset.keep, one.open]));
      parts.innerHTML = html;
      for (const one of parts.querySelectorAll("[data-keep]")) {
        if (one.dataset.keep in kept) one.open = kept[one.dataset.keep];
      }
      parts.dataset.version = version;
    }
    document.body.classList.remove("away");
    setTimeout(look, 1000);
  } catch {
    document.body.classList.add("away");
    const state = parts.querySelector(".state");
    if (state) state.textContent = "The demo has ended; this is how it stood.";
    setTimeout(look, 5000);
  }
}

setTimeout(look, 1000);
