// Renders what Qwen3-VL's published template renders of conversations without tools (docs/qwen3-vl.md "Chat template and tokens").
export const chatTemplate: string = `
{%- set count = namespace(image=0) -%}
{%- for message in messages -%}
  {%- if message.role != "system" or loop.first -%}
    {{- "<|im_start|>" + message.role + "\\n" -}}
    {%- if message.content is string -%}
      {{- message.content -}}
    {%- else -%}
      {%- for part in message.content -%}
        {%- if part.type != "image" -%}
          {{- part.text -}}
        {%- elif message.role == "user" -%}
          {%- set count.image = count.image + 1 -%}
          {%- if add_vision_id -%}{{- "Picture " ~ count.image ~ ": " -}}{%- endif -%}
          {{- "<|vision_start|><|image_pad|><|vision_end|>" -}}
        {%- endif -%}
      {%- endfor -%}
    {%- endif -%}
    {{- "<|im_end|>\\n" -}}
  {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- "<|im_start|>assistant\\n" -}}{%- endif -%}
`;
