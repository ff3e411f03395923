/** Settings with scripts: copying what is shown once, the faulty line of a text, dialogs of older browsers. */

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!(button instanceof HTMLButtonElement) || !navigator.clipboard) continue;
  const field = document.getElementById(button.dataset["copy"] ?? "");
  if (!(field instanceof HTMLInputElement)) continue;
  const label = button.textContent ?? "";
  button.hidden = false;
  field.addEventListener("focus", () => field.select());
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = button.dataset["copied"] ?? label;
    } catch {
      // The browser would not: what is selected can still be copied by hand.
      field.focus();
    }
  });
}

// A page that answered a form shows a secret: a reload must not send the form again, but go where it led.
const once = document.querySelector("[data-onward]");
if (once instanceof HTMLElement) history.replaceState(null, "", once.dataset["onward"]);

const faulty = document.querySelector("textarea[data-line]");
if (faulty instanceof HTMLTextAreaElement) select(faulty, Number(faulty.dataset["line"]));

/**
 * Select line `number`, from 1, and bring it into view.
 * @param {HTMLTextAreaElement} text
 * @param {number} number
 */
function select(text, number) {
  const lines = text.value.split("\n");
  const begins = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus({ preventScroll: true });
  text.setSelectionRange(begins, begins + (lines[number - 1]?.length ?? 0));
  text.scrollTop = (number / lines.length) * text.scrollHeight - text.clientHeight / 2;
}

// Browsers of before 2025 know no `command`.
if (!("commandForElement" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button[commandfor]") : null;
    const dialog = document.getElementById(button?.getAttribute("commandfor") ?? "");
    if (!(dialog instanceof HTMLDialogElement)) return;
    if (button?.getAttribute("command") === "close") dialog.close();
    else dialog.showModal();
  });
}
