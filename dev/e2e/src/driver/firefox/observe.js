// Runs once in Firefox itself, not in a page. `window.chinwag.errors` gets failed requests and script errors of pages on this machine, and
// `window.chinwag.blocked` has patterns of addresses whose requests fail.

const state = { errors: [], blocked: [] };
window.chinwag = state;

const isOurs = (address) => /^http:\/\/(127\.0\.0\.1|localhost|chat\.test)[:/]/.test(address);
const note = (kind, text) => state.errors.push([kind, text]);

function observe(topic, seen) {
  const observer = (subject) => {
    const channel = subject.QueryInterface(Ci.nsIHttpChannel);
    if (isOurs(channel.URI.spec)) seen(channel, channel.URI.spec);
  };
  Services.obs.addObserver(observer, topic);
}

observe("http-on-modify-request", (channel, address) => {
  const fits = (pattern) => new RegExp(`^${pattern.split("*").map(RegExp.escape).join(".*")}$`).test(address);
  if (state.blocked.some(fits)) channel.cancel(Cr.NS_ERROR_CONNECTION_REFUSED);
});
observe("http-on-examine-response", (channel, address) => {
  if (channel.responseStatus >= 400) note("request", `${channel.responseStatus} ${address}`);
});
observe("http-on-stop-request", (channel, address) => {
  const failed = !Components.isSuccessCode(channel.status);
  // The page cancels with this code.
  if (failed && channel.status !== Cr.NS_BINDING_ABORTED) {
    note("request", `0x${channel.status.toString(16)} ${address}`);
  }
});
Services.console.registerListener({
  observe(message) {
    if (!(message instanceof Ci.nsIScriptError) || !isOurs(message.sourceName)) return;
    const isWarning = message.flags & Ci.nsIScriptError.warningFlag;
    if (!isWarning) note("console", `${message.category}: ${message.errorMessage}`);
  },
});
