// Watches and logs: many over one WebSocket, for a browser has six other connections to a server, all tabs together.
import { Failure } from "./http";

interface Stream {
  to: WebSocket;
  lines: string[];
  failure: Failure | null;
  isOver: boolean;
  wake: () => void;
}
const streams = new Map<number, Stream>();
let socket: WebSocket | null = null;
let last = 0;

function connect(): WebSocket {
  if (socket && socket.readyState <= WebSocket.OPEN) return socket;
  const made = new WebSocket(location.origin.replace(/^http/, "ws") + "/api/streams");
  made.onmessage = ({ data }) => {
    const text = data as string;
    const end = text.indexOf("\n");
    const stream = streams.get(Number(text.slice(1, end)));
    if (!stream) return;
    const rest = text.slice(end + 1);
    if (text[0] === "L") stream.lines.push(...rest.split("\n"));
    else {
      stream.isOver = true;
      const at = rest.indexOf("\n");
      const code = Number(rest.slice(0, at));
      if (code) stream.failure = refusal(code, rest.slice(at + 1));
    }
    stream.wake();
  };
  made.onclose = () => {
    for (const stream of streams.values()) {
      if (stream.to !== made) continue;
      stream.isOver = true;
      stream.failure = new Failure(0, "the dashboard's server does not answer");
      stream.wake();
    }
  };
  return (socket = made);
}

/** The next viewer has a connection of their own. */
export function hangUp() {
  socket?.close();
  socket = null;
}

function refusal(code: number, body: string): Failure {
  try {
    const status = JSON.parse(body);
    return new Failure(code, status.message, status.reason, status.details);
  } catch {
    return new Failure(code, body || `answered ${code}`);
  }
}

/** The lines of a streamed answer of the Kubernetes API, until it ends or is aborted. */
export async function* lines(path: string, { accept = "application/json", signal }: { accept?: string; signal?: AbortSignal }): AsyncGenerator<string> {
  if (signal?.aborted) return;
  const id = ++last;
  const to = connect();
  const stream: Stream = { to, lines: [], failure: null, isOver: false, wake: () => {} };
  streams.set(id, stream);
  const ask = () => to.send(JSON.stringify({ open: { id, path, accept } }));
  if (to.readyState === WebSocket.OPEN) ask();
  else to.addEventListener("open", ask, { once: true });
  const abort = () => stream.wake();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      const ready = stream.lines;
      stream.lines = [];
      yield* ready;
      if (signal?.aborted) return;
      if (stream.lines.length) continue;
      if (stream.failure) throw stream.failure;
      if (stream.isOver) return;
      await new Promise<void>((resolve) => (stream.wake = resolve));
    }
  } finally {
    streams.delete(id);
    signal?.removeEventListener("abort", abort);
    to.removeEventListener("open", ask);
    if (to.readyState === WebSocket.OPEN && !stream.isOver) to.send(JSON.stringify({ close: id }));
  }
}
