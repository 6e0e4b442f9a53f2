"""Reads rows that `iapo data convert` wrote, by datasets and pyarrow; and writes rows with pictures as JSON Lines and Parquet, by both."""

import io
import json
import pathlib
import sys

import datasets
import pyarrow
import pyarrow.parquet
from PIL import Image

given = json.load(sys.stdin)
folder = pathlib.Path(given["folder"])
datasets.config.HF_DATASETS_CACHE = folder / "cache"
rows = datasets.load_dataset("json", data_files=given["written"], split="train", cache_dir=str(folder / "cache"))
read = [{key: row[key] for key in ("id", "question") if key in row} for row in rows]
sizes = [Image.open(pathlib.Path(given["written"]).parent / row["image"]).size if isinstance(row.get("image"), str) else None for row in rows]


def png(path):
    image = Image.open(path)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


questions = [dict(id=f"q{i}", question=f"What is {i}?", answer=str(i), image=dict(bytes=png(given["picture"]), path=None)) for i in range(5)]
features = datasets.Features(id=datasets.Value("string"), question=datasets.Value("string"), answer=datasets.Value("string"), image=datasets.Image())
made = datasets.Dataset.from_list(questions, features=features)
made.to_parquet(folder / "datasets.parquet")
plain = [{**one, "image": one["image"]} for one in questions]
for name, options in dict(snappy={}, zstd=dict(compression="zstd"), gzip=dict(compression="gzip", data_page_version="2.0")).items():
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(plain), folder / f"pyarrow-{name}.parquet", **options)
print(json.dumps(dict(columns=rows.column_names, read=read, sizes=sizes, count=len(rows))))
