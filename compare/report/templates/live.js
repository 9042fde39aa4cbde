"use strict";
const list = document.getElementById("sessions");
const count = document.getElementById("count");
const bar = document.getElementById("bar");
const events = new EventSource("/events");
events.onmessage = (event) => {
  const state = JSON.parse(event.data);
  if (state.finished) {
    events.close();
    location.reload();
    return;
  }
  count.textContent = `${state.done} of ${state.planned} sessions have ended.`;
  bar.max = state.planned;
  bar.value = state.done;
  list.replaceChildren(
    ...state.lines.toReversed().map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }),
  );
};
