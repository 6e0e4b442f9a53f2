/** Chat templates: the checkpoint's own Jinja template, or the one for Qwen2.5-VL written here. */
import { Template } from "@huggingface/jinja";
import { QwenVLError, reasonOf } from "../error.ts";

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

/** Renders what Qwen2.5-VL's published template renders; for checkpoints that bring none. */
export const DEFAULT_CHAT_TEMPLATE: string = `
{%- set count = namespace(image=0) -%}
{%- if messages[0].role != "system" -%}
  {{- "<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n" -}}
{%- endif -%}
{%- for message in messages -%}
  {{- "<|im_start|>" + message.role + "\\n" -}}
  {%- if message.content is string -%}
    {{- message.content -}}
  {%- else -%}
    {%- for part in message.content -%}
      {%- if part.type == "image" -%}
        {%- set count.image = count.image + 1 -%}
        {%- if add_vision_id -%}{{- "Picture " ~ count.image ~ ": " -}}{%- endif -%}
        {{- "<|vision_start|><|image_pad|><|vision_end|>" -}}
      {%- else -%}
        {{- part.text -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- "<|im_end|>\\n" -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}
`;

export class ChatTemplate {
  readonly #template: Template;
  readonly #file: string;

  /** @throws QwenVLError `template` where the source is not Jinja. */
  constructor(source: string = DEFAULT_CHAT_TEMPLATE, file = "chat template") {
    this.#file = file;
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new QwenVLError("template", `${file}: ${reasonOf(cause)}`, { cause });
    }
  }

  /** @throws QwenVLError `template` where rendering fails. */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): string {
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: options.addGenerationPrompt ?? false,
        add_vision_id: options.addVisionId ?? false,
      });
    } catch (cause) {
      throw new QwenVLError("template", `${this.#file}: ${reasonOf(cause)}`, { cause });
    }
  }
}
