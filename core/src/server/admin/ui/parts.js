// Pieces that several views have.

import { token } from "./api.js";
import { h, say } from "./dom.js";
import { t } from "./words.js";

/** A text with a button that copies it. */
export function copyable(title, text) {
  const button = h("button", { type: "button", className: "quiet", onclick: copy }, t("copy"));
  const code = h("code", {}, text);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Where a page may not write there, by plain HTTP from elsewhere, the text is at least selected.
      getSelection().selectAllChildren(code);
      if (!document.execCommand("copy")) return;
    }
    say(button, t("copied"));
    setTimeout(() => say(button, t("copy")), 1500);
  }
  return h("div", { className: "copyable" }, h("span", { className: "title" }, title), h("pre", {}, code), button);
}

/** Asks a question; what was chosen, or `null`. */
export function ask(question, confirm, ...fields) {
  const dialog = h(
    "dialog",
    {},
    h(
      "form",
      { method: "dialog" },
      h("p", {}, question),
      fields,
      h(
        "div",
        { className: "buttons" },
        h("button", { value: "", className: "quiet", formNoValidate: true }, t("cancel")),
        h("button", { value: "yes", className: "danger" }, confirm),
      ),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Asks for the token until there is one. */
export function gate(complaint) {
  const input = h("input", { type: "password", autocomplete: "off", required: true, id: "token" });
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { className: "gate", oncancel: (event) => event.preventDefault() },
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            token.set(input.value.trim());
            dialog.remove();
            resolve();
          },
        },
        h("p", {}, t("tokenAsk")),
        complaint && h("p", { className: "complaint", role: "alert" }, complaint),
        h("label", { htmlFor: "token" }, t("token")),
        input,
        h("div", { className: "buttons" }, h("button", {}, t("enter"))),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
