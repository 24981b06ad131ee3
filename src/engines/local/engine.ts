import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { constants, hostname } from 'node:os';
import { join } from 'node:path';
import { EmbatchError, describeError } from '../../core/errors.js';
import type { Logger } from '../../core/interfaces.js';
import { isAlive } from '../../core/is-alive.js';
import type { Engine, EngineRequest, Fleet, FleetRef, FleetState, Phase } from '../engine.js';
import { commonPhase } from '../common-phase.js';
import { endingOf, type Ending } from '../restarts.js';

export interface LocalEngineOptions {
  /** The program and what comes before its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly logs: string;
  readonly retries: number;
  /** Worker threads of each process, where the job does not say. */
  readonly workersOf: (shards: number) => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Before the first restart; each further one waits twice as long. */
  readonly backOffMs?: number;
}

const BACK_OFF_MS = 1000;
const MAX_BACK_OFF_MS = 60_000;
const MAX_SHARDS = 1024;

interface Shard {
  readonly index: number;
  phase: Phase;
  exitCode: number | undefined;
  reason: string | undefined;
  child: ChildProcess | undefined;
  /** Ends the wait for a restart. */
  wake: () => void;
}

/** N processes on this machine, children of this one, which starts those again that fail. */
export class LocalEngine implements Engine {
  readonly name = 'local';
  readonly place = 'this machine';
  readonly maxShards = MAX_SHARDS;
  readonly format = 'json';
  readonly onlyZeroSucceeds = false;
  readonly #options: LocalEngineOptions;
  readonly #fleets = new Map<string, readonly Shard[]>();
  readonly #running: Promise<void>[] = [];
  #stopping = false;

  constructor(options: LocalEngineOptions) {
    this.#options = options;
  }

  refusesValue(value: string): string | undefined {
    return value.includes('\0') ? 'not without a NUL character' : undefined;
  }

  requests(fleet: Fleet): readonly EngineRequest[] {
    const [program, ...before] = this.#options.command;
    return Array.from({ length: fleet.shards }, (_, index) => ({
      call: undefined,
      body: {
        command: [program, ...before, ...fleet.arguments],
        environment: this.#environmentOf(fleet, index),
        log: this.#logOf(fleet.name, index),
      },
    }));
  }

  async submit(fleet: Fleet): Promise<string> {
    const folder = join(this.#options.logs, fleet.name);
    await mkdir(folder, { recursive: true }).catch((error: unknown) => {
      throw new EmbatchError('USAGE', `the logs cannot be written to ${folder}: ${describeError(error)}`, {
        cause: error,
      });
    });
    const shards = Array.from({ length: fleet.shards }, (_, index): Shard => ({
      index,
      phase: 'waiting',
      exitCode: undefined,
      reason: undefined,
      child: undefined,
      wake: () => undefined,
    }));
    this.#fleets.set(fleet.name, shards);
    for (const shard of shards) this.#running.push(this.#supervise(fleet, shard));
    return `${hostname()}/${process.pid}`;
  }

  state({ name, handle }: FleetRef): Promise<FleetState | undefined> {
    const shards = this.#fleets.get(name);
    if (shards !== undefined)
      return Promise.resolve({
        phase: commonPhase(shards.map(({ phase }) => phase)),
        reason: undefined,
        shards,
      });
    // Another process started it: as long as that one lives, it restarts what fails.
    const [host, pid] = handle?.split('/') ?? [];
    const isAlive = host === hostname() && isOtherProcess(Number(pid));
    return Promise.resolve(isAlive ? { phase: 'running', reason: undefined, shards: [] } : undefined);
  }

  stop({ name }: FleetRef): Promise<void> {
    this.#stopping = true;
    for (const { child, wake } of this.#fleets.get(name) ?? []) {
      child?.kill('SIGTERM');
      wake();
    }
    return Promise.resolve();
  }

  logsOf({ name }: FleetRef): string {
    return join(this.#options.logs, name);
  }

  /** Resolves when every process has ended. */
  async close(): Promise<void> {
    await Promise.all(this.#running);
  }

  #environmentOf(fleet: Fleet, index: number): Record<string, string> {
    return {
      EMBATCH_WORKERS: String(this.#options.workersOf(fleet.shards)),
      ...fleet.environment,
      EMBATCH_SHARD: String(index),
    };
  }

  #logOf(name: string, index: number): string {
    return join(this.#options.logs, name, `shard-${index}.log`);
  }

  /** Runs a shard, and again where that may help, until it has come to an end. */
  async #supervise(fleet: Fleet, shard: Shard): Promise<void> {
    const file = await open(this.#logOf(fleet.name, shard.index), 'a');
    for (let failures = 0; !this.#stopping;) {
      const exitCode = await this.#runOnce(fleet, shard, file);
      const ending = endingOf(exitCode);
      if (ending === 'retry') failures += 1;
      shard.exitCode = exitCode;
      shard.phase = this.#phaseAfter(ending, failures);
      if (shard.phase !== 'waiting') {
        const times = failures > 0 ? `, after ${failures} failures` : '';
        shard.reason = shard.phase === 'succeeded' ? undefined : `exit code ${exitCode}${times}`;
        // Wrong for one is wrong for all: the others would only find it out again.
        if (ending === 'hopeless') await this.stop({ ...fleet, handle: undefined });
        break;
      }
      await this.#backOff(shard, failures);
    }
    if (shard.phase === 'waiting') shard.phase = 'stopped';
    await file.close();
  }

  #phaseAfter(ending: Ending, failures: number): Phase {
    if (ending === 'done') return 'succeeded';
    if (this.#stopping) return 'stopped';
    return ending === 'hopeless' || failures > this.#options.retries ? 'failed' : 'waiting';
  }

  /** Waits before a restart; a stop ends the wait. */
  async #backOff(shard: Shard, failures: number): Promise<void> {
    const { log, backOffMs = BACK_OFF_MS } = this.#options;
    const ms = Math.min(MAX_BACK_OFF_MS, backOffMs * 2 ** Math.max(0, failures - 1));
    const { index, exitCode = 0 } = shard;
    log.warn(`shard ${index} ended with exit code ${exitCode}; it is started again in ${ms / 1000} s`);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      shard.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #runOnce(fleet: Fleet, shard: Shard, file: FileHandle): Promise<number> {
    const [program, ...before] = this.#options.command;
    const child = spawn(program, [...before, ...fleet.arguments], {
      env: { ...this.#options.environment, ...this.#environmentOf(fleet, shard.index) },
      // The file itself and no pipe: should this process be killed, the shard goes on and can still say so.
      stdio: ['ignore', file.fd, file.fd],
      // A Ctrl-C at the terminal goes to this process alone, which passes it on once.
      detached: true,
    });
    shard.child = child;
    shard.phase = 'running';
    try {
      const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
      return code ?? SIGNAL_BASE + (signal === null ? 0 : constants.signals[signal]);
    } catch (error) {
      await file.write(`${describeError(error)}\n`);
      return NOT_FOUND;
    } finally {
      shard.child = undefined;
    }
  }
}

/** How shells show death by a signal, and a program that is not there. */
const SIGNAL_BASE = 128;
const NOT_FOUND = 127;

const isOtherProcess = (pid: number): boolean => Number.isInteger(pid) && pid !== process.pid && isAlive(pid);
