// First script of every page. It draws the charts. Vega interprets the expressions in charts and never runs them as code.
"use strict";
const given = JSON.parse(document.getElementById("charts").textContent);

function drawIn(place, chart, otherwise) {
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    ast: true,
    actions: false,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  };
  vegaEmbed(place, chart, options).catch(() => {
    place.textContent = otherwise;
  });
}
