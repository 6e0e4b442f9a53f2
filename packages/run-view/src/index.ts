// Training runs in a browser, while they train: a server on this machine. Imports no GPU code.
export { RunViewError, type RunViewErrorCode } from "./error.ts";
export type { ReplayedNumber } from "./pages/replayed.ts";
export type { Helpers } from "./server/app-parts.ts";
export { openViewer, type Viewer, type ViewerOptions } from "./server/open-viewer.ts";
