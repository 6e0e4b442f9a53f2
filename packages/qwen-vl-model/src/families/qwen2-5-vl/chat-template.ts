// Renders what Qwen2.5-VL's published template renders (docs/qwen2.5-vl.md "Chat template and tokens").
export const chatTemplate: string = `
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
