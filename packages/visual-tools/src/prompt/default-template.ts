// The tool prompt in our own words. What all questions share comes first, so that its part of a prompt can be computed once.
import { parseTemplate, type ToolTemplate } from "./template.ts";

export const defaultTemplate: ToolTemplate = parseTemplate(`[[context]]
You answer a question about a table or a chart. Before you answer you may edit the picture once, to see the part that counts.
To edit it, write one Python block. In it, image_1 is the picture, columns_bbox and rows_bbox hold the boxes of its columns and
rows by name, and these functions are ready:
[[tools]]
[[context]]
Take names from the lists that come with the question, spelled as they are. The result of one function may go into another.
End the block with display(...) of the picture you want to see, and write nothing after it: you are then shown that picture.
Where the picture is clear as it is, write no block. Close every answer with a line: FINAL ANSWER: and the answer;
where there are several, write || between them.
[[example]]
Example, an edit of a table with columns ["Year", "Team", "Goals"]:
\`\`\`python
edited = focus_on_columns_with_highlight(image_1, ["Year", "Goals"], columns_bbox)
display(edited)
\`\`\`
[[example]]
Example, no edit needed:
The title states the year 2019.
FINAL ANSWER: 2019
[[image]]
[[query]]
Question: {question}
Columns: {columns}
Rows: {rows}
[[observation]]
This is the picture as your program edited it. Now answer the question.
[[unchanged]]
Your program marked nothing: no box that it was given is called {names}. Answer the question from the picture you have.
[[failure]]
Your program gave no picture: {reason}. Answer the question from the picture you have.
`);
