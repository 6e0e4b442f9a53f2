// A worker that does not end when it is asked to; it says when it is there.
process.on("SIGTERM", () => {});
setInterval(() => {}, 1000);
console.error("stubborn");
