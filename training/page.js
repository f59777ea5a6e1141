// Draws each chart of the page where its place is. Expressions are interpreted, never evaluated as code.
"use strict";
const charts = JSON.parse(document.getElementById("charts").textContent);
const options = {
  mode: "vega-lite",
  renderer: "svg",
  ast: true,
  actions: false,
  defaultStyle: false,
  tooltip: { disableDefaultStyle: true },
};
for (const [name, chart] of Object.entries(charts)) {
  const place = document.getElementById(name);
  vegaEmbed(place, chart, options).catch(() => {
    place.textContent = "This chart could not be drawn here; the table below it says the same.";
  });
}
