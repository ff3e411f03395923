/** The chart's line of words: the day under the pointer or the focus, else all of them. */

const readout = document.getElementById("readout");
const chart = document.querySelector(".chart svg");
if (readout && chart) {
  const whole = readout.textContent;
  /** @param {Event} event */
  const tell = (event) => {
    const bar = event.target instanceof Element ? event.target.closest(".bar") : null;
    readout.textContent = bar?.getAttribute("aria-label") ?? whole;
  };
  chart.addEventListener("pointerover", tell);
  chart.addEventListener("focusin", tell);
  for (const ended of ["pointerleave", "focusout"]) {
    chart.addEventListener(ended, () => {
      readout.textContent = whole;
    });
  }
}
