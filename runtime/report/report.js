// One slider a sweep: of the points below only the chosen one is shown. Without a script all are there, folded.
for (const box of document.querySelectorAll(".sweep")) {
  const axes = JSON.parse(box.dataset.axes); // [[name, values], ...], the last running fastest
  const points = [...box.querySelectorAll(".point")];
  const cells = [...box.querySelectorAll(".cell")];
  const panel = box.querySelector(".sliders");
  const sliders = axes.map(([name, values]) => {
    const label = document.createElement("label");
    const output = document.createElement("output");
    const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: values.length - 1 });
    slider.step = 1;
    slider.value = 0;
    slider.addEventListener("input", () => show());
    label.append(name, slider, output);
    panel.append(label);
    return { slider, output, values };
  });
  const number = () => sliders.reduce((at, { slider, values }) => at * values.length + Number(slider.value), 0);
  const show = () => {
    const chosen = number();
    points.forEach((point, k) => {
      point.hidden = k !== chosen;
      point.open = k === chosen;
    });
    cells.forEach((cell) => cell.classList.toggle("chosen", Number(cell.dataset.point) === chosen));
    sliders.forEach(({ slider, output, values }) => {
      output.textContent = values[slider.value];
      slider.setAttribute("aria-valuetext", values[slider.value]);
    });
  };
  const choose = (point) => {
    for (const { slider, values } of [...sliders].reverse()) {
      slider.value = point % values.length;
      point = Math.floor(point / values.length);
    }
    show();
  };
  cells.forEach((cell) => cell.addEventListener("click", () => choose(Number(cell.dataset.point))));
  box.classList.add("live");
  choose(Number(box.dataset.start));
}
