// Chat templates: the checkpoint's own Jinja template, or its family's.
import { Template } from "@huggingface/jinja";
import { QwenVLError, reasonOf } from "../error.ts";
import { withDeadline } from "./deadline.ts";
import { Recent } from "./recent.ts";

/** What a template is given of a message: Hugging Face's shape. */
export interface TemplateMessage {
  readonly role: string;
  readonly content: string | readonly ({ readonly type: "text"; readonly text: string } | { readonly type: "image" })[];
}

export interface RenderOptions {
  /** Ends with the opening of an assistant turn. */
  readonly addGenerationPrompt?: boolean;
  /** Numbers the images in the text: "Picture 1: ". */
  readonly addVisionId?: boolean;
}

/** A real one takes less than a millisecond. */
const DEADLINE = 2000;

/** Named special tokens that a template may write: `eos_token` and its like. */
export type TemplateTokens = Readonly<Record<string, string>>;

export class ChatTemplate {
  readonly #template: Template;
  readonly #file: string;
  readonly #tokens: TemplateTokens;
  /** Whether it writes the same at any time. */
  readonly #isTimeless: boolean;
  /** By what the template is given, as JSON. Each rendering is a script with a watchdog of its own, which takes longer than the rendering does. */
  readonly #rendered = new Recent((given) => this.#render(given));

  /** @throws QwenVLError `template` where the source is empty or not Jinja. */
  constructor(source: string, file = "chat template", tokens: TemplateTokens = {}) {
    this.#file = file;
    this.#tokens = tokens;
    this.#isTimeless = !source.includes("strftime_now");
    if (source.trim() === "") throw this.fault("it is empty; delete it, or copy it again");
    try {
      this.#template = withDeadline(DEADLINE, "template", file, () => new Template(source));
    } catch (cause) {
      throw this.fault(reasonOf(cause), cause);
    }
  }

  /** @throws QwenVLError `template` where rendering fails, or takes longer than two seconds. */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): string {
    const given = JSON.stringify({
      ...this.#tokens,
      messages,
      add_generation_prompt: options.addGenerationPrompt ?? false,
      add_vision_id: options.addVisionId ?? false,
    });
    return this.#isTimeless ? this.#rendered.get(given) : this.#render(given);
  }

  #render(given: string): string {
    const context = JSON.parse(given) as Record<string, unknown>;
    try {
      return withDeadline(DEADLINE, "template", this.#file, () => this.#template.render(context));
    } catch (cause) {
      throw this.fault(reasonOf(cause), cause);
    }
  }

  /** What is wrong with this template. */
  fault(message: string, cause?: unknown): QwenVLError {
    return cause instanceof QwenVLError ? cause : new QwenVLError("template", `${this.#file}: ${message}`, { cause });
  }
}
