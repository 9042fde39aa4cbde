"use strict";
const list = document.getElementById("sessions");
const count = document.getElementById("count");
const bar = document.getElementById("bar");
const events = new EventSource("/events");
events.onmessage = (event) => {
  const state = JSON.parse(event.data);
  if (state.report) {
    events.close();
    location.reload();
    return;
  }
  const ended = `${state.done} of ${state.planned} sessions have ended.`;
  count.textContent = state.finished ? `${ended} The report is being written.` : ended;
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
