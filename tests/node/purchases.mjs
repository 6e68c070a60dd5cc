// Take steps with RevenueCat's web client, as it is published, and print what it answered.
//
// On standard input: {"url", "key", "steps": [["configure", "u-1"], ["identifyUser", "u-2"], …]}. A step
// is a method of the client and its argument; `configure` without one uses an ID that the client makes, and
// `headers` answers the names of those that the client has set so far.
// On standard output: for each step a line {"answer" or "error", "requests": ["GET /v1/…", …]}.

import { subscribe } from "node:diagnostics_channel";
import { text } from "node:stream/consumers";

import { Purchases, PurchasesError } from "@revenuecat/purchases-js";

const { url, key, steps } = JSON.parse(await text(process.stdin));

// What leaves this process, seen from below the client.
let requests = [];
subscribe("undici:request:create", ({ request }) =>
  requests.push(`${request.method} ${request.origin}${request.path}`.replace(` ${url}`, " ")),
);

// What a browser would ask for; below the client there is more that the platform sets.
const headers = new Set();
const send = globalThis.fetch;
globalThis.fetch = (address, init) => {
  for (const name of new Headers(init.headers).keys()) headers.add(name);
  return send(address, init);
};

for (const [method, argument] of steps) {
  requests = [];
  console.log(JSON.stringify({ ...(await told(method, argument)), requests }, setsAsArrays));
}

async function told(method, argument) {
  try {
    return { answer: await (method === "configure" ? configure : call)(argument, method) };
  } catch (error) {
    if (!(error instanceof PurchasesError)) throw error;
    return { error: { errorCode: error.errorCode, ...error.extra } };
  }
}

function configure(appUserId = Purchases.generateRevenueCatAnonymousAppUserId()) {
  if (Purchases.isConfigured()) Purchases.getSharedInstance().close();
  // Events about its use would go to RevenueCat itself, wherever the proxy is.
  const flags = { collectAnalyticsEvents: false };
  const client = Purchases.configure({ apiKey: key, appUserId, httpConfig: { proxyURL: url }, flags });
  return { appUserId: client.getAppUserId(), isAnonymous: client.isAnonymous() };
}

function call(argument, method) {
  if (method === "headers") return [...headers].sort();
  const client = method in Purchases ? Purchases : Purchases.getSharedInstance();
  return client[method](argument);
}

function setsAsArrays(_name, value) {
  return value instanceof Set ? [...value] : value;
}
