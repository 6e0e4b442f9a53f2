// A real HTTP server that speaks as an OpenAI-compatible endpoint does, as well or as badly as a test wants.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface ChatRequest {
  readonly model: string;
  readonly temperature: number;
  readonly seed: number;
  readonly messages: readonly {
    readonly role: string;
    readonly content: string | readonly { readonly type: string; text?: string; image_url?: { url: string } }[];
  }[];
}

export type Handler = (request: ChatRequest, response: ServerResponse, raw: IncomingMessage) => void;

/** Its base address. */
export async function serve(handler: Handler): Promise<string> {
  const server = createServer(async (raw, response) => {
    let body = "";
    for await (const chunk of raw) body += chunk;
    handler(JSON.parse(body) as ChatRequest, response, raw);
  });
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

export function reply(response: ServerResponse, content: string): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ choices: [{ message: { role: "assistant", content } }] }));
}

/** Writes as its seed says: no call, a call on either axis of the first name in the question, then one of ten answers. */
export const scripted: Handler = ({ seed, messages }, response) => {
  const query = textOf(messages[0]!.content);
  if (messages.length > 1) return reply(response, `FINAL ANSWER: ${10 * (seed % 10)}`);
  if (seed % 10 === 0) return reply(response, "FINAL ANSWER: yes");
  const names = JSON.parse(/^\[.*\]$/m.exec(query)?.[0] ?? '["?"]') as string[];
  const axis = seed % 3 === 0 ? "columns" : "rows";
  reply(
    response,
    `\`\`\`python\ndisplay(focus_on_${axis}_with_mask(image_1, [${JSON.stringify(names[0])}], ${axis}_bbox))\n\`\`\`\n`,
  );
};

export function textOf(content: ChatRequest["messages"][number]["content"]): string {
  return typeof content === "string" ? content : content.map(({ text }) => text ?? "").join("");
}
