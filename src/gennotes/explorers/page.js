/**
 * The page host: gives an explorer what anywidget would give it, on a page without a kernel.
 *
 * @typedef {{ render: (context: { model: Model, el: HTMLElement }) => void }} Explorer
 * @typedef {ReturnType<typeof pageModel>} Model
 */

/**
 * Starts an explorer inside of the element with the given id, and hides its poster once it stands; the poster stays for
 * the page on paper.
 * @param {Explorer} explorer
 * @param {string} id
 */
export function mount(explorer, id) {
  const host = document.getElementById(id);
  const traits = JSON.parse(host.querySelector("script[type='application/json']").textContent);
  const el = document.createElement("div");
  host.append(el);
  explorer.render({ model: pageModel(traits), el });
  host.querySelector(".gn-poster").style.display = "none";
}

/** The traits of a widget, with the part of anywidget's model that an explorer uses; nothing is saved anywhere. */
function pageModel(traits) {
  const listeners = new Map();
  return {
    get: (name) => traits[name],
    set(name, value) {
      traits[name] = value;
      for (const listener of listeners.get(`change:${name}`) ?? []) listener();
    },
    save_changes() {},
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    off(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((other) => other !== listener));
    },
  };
}
