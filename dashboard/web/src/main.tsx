// The beginning: sign in, learn which kinds there are, connect the live view, show the page of the URL.
import { render } from "preact";
import { connect, disconnect } from "./lib/live";
import { discover, kinds } from "./lib/kinds";
import { send, sleep, viewer, why } from "./lib/http";
import "./lib/prefs";
import "./styles.css";
import { Shell } from "./parts/shell";
import { SignIn, signInError } from "./parts/signin";
import { Toasts } from "./parts/ui";

/** A link of `coracle dashboard` carries its code where no server sees it. It is used once and leaves the URL. */
async function useCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) return;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    viewer.value = await (await send("/api/sign-in", { method: "POST", body: { code } })).json();
  } catch (error) {
    signInError.value = why(error);
  }
}

async function start() {
  await useCode();
  if (!viewer.value) {
    try {
      viewer.value = await (await send("/api/me")).json();
    } catch {
      viewer.value = null;
    }
  }
}

/** Everything that needs a viewer; again for each. */
viewer.subscribe(async (who) => {
  if (!who) return disconnect();
  connect();
  while (viewer.peek() === who && !kinds.peek().length) {
    await discover();
    await sleep(kinds.peek().length ? 0 : 1000);
  }
});

function App() {
  if (viewer.value === undefined) return null;
  return (
    <>
      {viewer.value ? <Shell /> : <SignIn />}
      <Toasts />
    </>
  );
}

render(<App />, document.getElementById("app")!);
void start();
