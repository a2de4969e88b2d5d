// Signing in by a token, where nobody came by a link.
import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { farewell, send, viewer, why } from "../lib/http";

export const signInError = signal("");

export function SignIn() {
  const [token, setToken] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    signInError.value = "";
    try {
      const answer = await (await send("/api/sign-in", { method: "POST", body: { token } })).json();
      farewell.value = "";
      viewer.value = answer;
    } catch (error) {
      signInError.value = why(error);
    }
    setBusy(false);
  };
  return (
    <main class="signin">
      <form onSubmit={submit}>
        <div class="row">
          <img src="/icon.svg" width="36" height="36" alt="" />
          <div>
            <h1>Coracle</h1>
            <div class="dim">Sign in to see your cluster</div>
          </div>
        </div>
        <p>
          Easiest: run <code>coracle dashboard</code>. It opens a link that signs you in, once.
        </p>
        <label class="dim" for="token">
          Or paste a token, for example of a ServiceAccount
        </label>
        <textarea
          id="token"
          class="field mono"
          rows={4}
          value={token}
          spellcheck={false}
          autocomplete="off"
          placeholder="eyJhbGciOi…"
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        {farewell.value && !signInError.value && <div class="notice warn">Your session ended: {farewell.value}.</div>}
        {signInError.value && (
          <div class="notice bad" role="alert">
            {signInError.value}
          </div>
        )}
        <button class="button main-action" disabled={busy || !token.trim()}>
          {busy ? "Asking the apiserver…" : "Sign in"}
        </button>
        <code class="faint">kubectl create token NAME -n NAMESPACE</code>
      </form>
    </main>
  );
}
