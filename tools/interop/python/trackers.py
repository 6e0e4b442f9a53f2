"""Starts MLflow's and trackio's own servers in a folder, tells their addresses, and then what they, TensorBoard and Weights & Biases read of a run."""

import json
import os
import pathlib
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import zlib

out, sys.stdout = sys.stdout, sys.stderr
folder = pathlib.Path(sys.argv[1])
os.environ.update(TRACKIO_DIR=str(folder / "trackio"), MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", WANDB_MODE="offline", DO_NOT_TRACK="1")


def say(**values):
    print(json.dumps(values), file=out, flush=True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_mlflow():
    address = f"http://127.0.0.1:{free_port()}"
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1",
         "--host", "127.0.0.1", "--port", address.rsplit(":", 1)[1]],
        stdout=sys.stderr, cwd=folder,
    )  # fmt: skip
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5)
            return server, address
        except OSError:
            time.sleep(0.5)
    raise TimeoutError("MLflow's server does not answer")


def of_mlflow(address):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(address)
    experiment = client.get_experiment_by_name("iapo")
    runs = client.search_runs([experiment.experiment_id])
    histories = {
        name: [[point.step, point.value] for point in client.get_metric_history(runs[0].info.run_id, name)]
        for name in runs[0].data.metrics
    }
    return dict(runs=len(runs), status=runs[0].info.status, params=runs[0].data.params, metrics=histories)


def of_trackio():
    from trackio.sqlite_storage import SQLiteStorage

    runs = SQLiteStorage.get_runs("iapo")
    return dict(runs=runs, logs=SQLiteStorage.get_logs("iapo", runs[0]))


def of_wandb(directory):
    """The records by W&B's own messages; their framing is LevelDB's log."""
    from wandb.proto import wandb_internal_pb2 as messages

    (file,) = pathlib.Path(directory).glob("wandb/offline-run-*/*.wandb")
    data, at, parts, records = file.read_bytes(), 7, b"", []
    assert struct.unpack("<4sHB", data[:7]) == (b":W&B", 0xBEE1, 0)
    while at < len(data):
        left = 32768 - at % 32768
        if left <= 7:
            at += left
            continue
        checksum, length, kind = struct.unpack("<IHB", data[at : at + 7])
        piece = data[at + 7 : at + 7 + length]
        assert zlib.crc32(piece, zlib.crc32(bytes([kind]))) == checksum
        parts, at = parts + piece, at + 7 + length
        if kind in (1, 4):
            records.append(messages.Record.FromString(parts))
            parts = b""
    kinds = [record.WhichOneof("record_type") for record in records]
    run = next(record.run for record in records if record.WhichOneof("record_type") == "run")
    history = [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.WhichOneof("record_type") == "history"
    ]
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    return dict(kinds=kinds, project=run.project, name=run.display_name, config=config, history=history)


def of_tensorboard(directory):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(directory)
    read.Reload()
    return {tag: [[point.step, point.value] for point in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


server, mlflow_address = start_mlflow()
try:
    import trackio

    app, local, _share, full = trackio.show(open_browser=False, block_thread=False)
    say(mlflow=mlflow_address, trackio=full or local)
    directory = json.loads(sys.stdin.readline())
    say(mlflow=of_mlflow(mlflow_address), trackio=of_trackio(), wandb=of_wandb(directory), tensorboard=of_tensorboard(directory))
finally:
    server.terminate()
    server.wait()
os._exit(0)  # trackio's server has threads that stay
