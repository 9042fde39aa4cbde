// Puts a chart over the picture of each figure that has one.  Without it, or if it fails, the
// picture stays; the tables have the numbers either way.
const specs = JSON.parse(document.getElementById("charts").textContent);
const tip = document.createElement("div");
tip.className = "tip";
tip.setAttribute("role", "status");
tip.hidden = true;
document.querySelector("main").append(tip);

function show(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - box.width - 4))}px`;
  tip.style.top = `${y + 12 + box.height < innerHeight ? y + 12 : Math.max(4, y - 12 - box.height)}px`;
}

function hide() {
  tip.hidden = true;
}

// The arrow keys step through the values, for those who have no pointer.
function step(chart, event) {
  if (event.key === "Escape") hide();
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const values = [...chart.querySelectorAll('[aria-roledescription="value"]')];
  if (!by || values.length === 0) return;
  event.preventDefault();
  const now = chart.dataset.at === undefined ? (by > 0 ? -1 : 0) : Number(chart.dataset.at);
  const at = (now + by + values.length) % values.length;
  chart.dataset.at = at;
  const box = values[at].getBoundingClientRect();
  show(values[at].getAttribute("aria-label"), box.right, box.bottom);
}

async function draw(figure) {
  const chart = document.createElement("div");
  chart.className = "chart";
  figure.prepend(chart);
  try {
    const view = new View(parse(specs[figure.dataset.chart], {}, { ast: true }), {
      container: chart,
      expr: expressionInterpreter,
      hover: true,
      renderer: "svg",
      tooltip: (_, event, __, text) => (text ? show(text, event.clientX, event.clientY) : hide()),
    });
    await view.runAsync();
  } catch (error) {
    chart.remove();
    throw error;
  }
  chart.tabIndex = 0;
  chart.addEventListener("keydown", (event) => step(chart, event));
  chart.addEventListener("blur", hide);
  figure.classList.add("drawn");
}

document.querySelectorAll("figure[data-chart]").forEach(draw);
