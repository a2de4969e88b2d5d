// The build is committed and compared byte for byte, so nothing in it may depend on the machine or the day.
// `npm run dev` serves the sources and passes everything else to a running dashboard (CORACLE_DASHBOARD=HOST:PORT).
import { defineConfig } from "vite";

const server = `http://${process.env.CORACLE_DASHBOARD ?? "127.0.0.1:8443"}`;
const pass = { target: server, changeOrigin: true, ws: true, headers: { origin: server } };

export default defineConfig({
  esbuild: { jsx: "automatic", jsxImportSource: "preact", legalComments: "none" },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: { "/api": pass, "/k8s": pass } },
});
