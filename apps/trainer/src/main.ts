#!/usr/bin/env node
// The binary. Its first act, in syntax that old versions know: to say which Node it needs. Nothing is imported before.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);

if (major > 24 || (major === 24 && minor >= 11) || (major === 22 && minor >= 18)) {
  // Nothing is begun before all is loaded, which takes a second.
  const interrupted = () => {
    console.error("interrupted");
    process.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupted);
  await import("./start.ts");
} else {
  console.error(
    `iapo: this is Node ${process.versions.node}; iapo needs 22.18 or newer of 22, or 24.11 or newer: https://nodejs.org/en/download`,
  );
  process.exitCode = 1;
}
