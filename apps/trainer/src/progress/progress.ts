// How a run is followed: on a terminal's screen, as plain lines, or as JSON, one object a line.
import type { Alarm, Metrics } from "@iapo/grpo";
import type { CliIo } from "../io.ts";
import { Meter, type MeterOptions, type Reading } from "./meter.ts";
import { Screen } from "./screen.ts";
import { alarmLine, screenLines, stepLine } from "./words.ts";

export interface Progress {
  phase(name: string): void;
  /** The steps begin; so many were done by an earlier process. */
  begin(done: number): void;
  step(index: number, metrics: Metrics): void;
  alarm(alarm: Alarm): void;
  /** Something that is said once. */
  note(text: string): void;
  close(): void;
}

export interface ProgressOptions extends MeterOptions {
  readonly title: string;
  readonly json: boolean;
}

/** How a reading is shown. */
interface View {
  phase(reading: Reading): void;
  step(reading: Reading): void;
  alarm(alarm: Alarm): void;
  note(text: string): void;
  close(): void;
}

export function createProgress(io: CliIo, options: ProgressOptions): Progress {
  const meter = new Meter(options);
  const view = viewOf(io, meter, options);
  return {
    phase(name) {
      meter.phase(name);
      view.phase(meter.read());
    },
    begin: (done) => meter.begin(done),
    step(index, metrics) {
      meter.step(index, metrics);
      view.step(meter.read());
    },
    alarm(alarm) {
      meter.alarm(alarm);
      view.alarm(alarm);
    },
    note: (text) => view.note(text),
    close: () => view.close(),
  };
}

function viewOf(io: CliIo, meter: Meter, { title, json }: ProgressOptions): View {
  if (json) return jsonView(io);
  return io.terminal ? screenView(io.terminal, meter, title) : lineView(io, title);
}

function jsonView({ out }: CliIo): View {
  const say = (event: string, content: object): void => out(JSON.stringify({ event, ...content }));
  return {
    phase: ({ phase, step }) => say("phase", { phase, step }),
    step: ({ phase: _, rewards: __, alarms: ___, ...reading }) => say("step", reading),
    alarm: (alarm) => say("alarm", alarm),
    note: (text) => say("note", { text }),
    close: () => {},
  };
}

function lineView({ note }: CliIo, title: string): View {
  let begun = false;
  return {
    phase() {
      if (!begun) note(title);
      begun = true;
    },
    step: (reading) => note(stepLine(reading)),
    alarm: (alarm) => note(alarmLine(alarm)),
    note,
    close: () => {},
  };
}

const REDRAWN_EVERY = 1000;

function screenView(terminal: NonNullable<CliIo["terminal"]>, meter: Meter, title: string): View {
  const screen = new Screen(terminal, () => screenLines(title, meter.read(), terminal.columns));
  const timer = setInterval(() => screen.draw(), REDRAWN_EVERY).unref();
  return {
    phase: () => screen.draw(),
    step: () => screen.draw(),
    alarm: (alarm) => screen.print(alarmLine(alarm)),
    note: (text) => screen.print(text),
    close() {
      clearInterval(timer);
      screen.close();
    },
  };
}
