import { Command, CommanderError, Option } from 'commander';
import { describeError, isEmbatchError } from '../core/errors.js';
import { exitCodeOf, exitCodes } from '../core/exit-codes.js';
import type { Command as CommandName, OptionSpec } from '../core/option-kinds.js';
import { kebabCase, variableName } from '../core/option-names.js';
import { optionEntries } from './resolve-options.js';

/** Parses the command line, runs one command and gives its exit code. Prints errors; never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.ok;
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreClosedPipe);
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return reportFailure(error, argv);
  }
}

function createProgram(onExitCode: (code: number) => void): Command {
  const program = new Command('embatch')
    .description('Turns an S3 prefix or a folder full of documents into a complete, searchable vector index.')
    .option('-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print help.')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .showSuggestionAfterError();
  program.addHelpText('after', topExamples);

  const run = addOptions(program.command('run'), 'run')
    .description('Embed the documents of a source into a sink.')
    .argument('[source]', 's3://bucket/prefix, a folder, or manifest:URI (the same as --source)')
    .addHelpText('after', runExamples)
    .action(async (source: string | undefined, flags: Record<string, unknown>) => {
      const { runCommand } = await import('./run-command.js');
      onExitCode(await runCommand(source, flags));
    });
  const retry = addOptions(program.command('retry'), 'retry')
    .description('Embed again what failed in earlier runs; takes the flags of the run.')
    .argument('[source]', 'the source of the run (the same as --source)')
    .addHelpText('after', retryExamples)
    .action(async (source: string | undefined, flags: Record<string, unknown>) => {
      const { retryCommand } = await import('./retry-command.js');
      onExitCode(await retryCommand(source, flags));
    });
  const verify = addOptions(program.command('verify'), 'verify')
    .description('Prove that the index holds what the source holds, object by object; exit code 25 if not.')
    .argument('[source]', 'the source of the run (the same as --source)')
    .addHelpText('after', verifyExamples)
    .action(async (source: string | undefined, flags: Record<string, unknown>) => {
      const { verifyCommand } = await import('./verify-command.js');
      onExitCode(await verifyCommand(source, flags));
    });
  const search = addOptions(program.command('search'), 'search')
    .description('Ask an index: embeds the question as the documents were, and prints what is nearest.')
    .argument('<question>', 'a question in your own words')
    .addHelpText('after', searchExamples)
    .action(async (question: string, flags: Record<string, unknown>) => {
      const { searchCommand } = await import('./search-command.js');
      onExitCode(await searchCommand(question, flags));
    });
  const models = createModelsCommand(program, onExitCode);
  for (const command of [run, retry, verify, search, models, ...models.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  return program;
}

const modelsCommands = {
  list: 'The models on this machine: bundled ones and those that were fetched.',
  pull: 'Fetch a model from the hub or from S3, verified, so that runs need no network for it.',
  inspect: 'Print what decides the vectors of a model, where each value comes from, and its fingerprint.',
  check: 'Compare the vectors of a model with reference vectors; exit code 22 where they differ.',
} as const;

function createModelsCommand(program: Command, onExitCode: (code: number) => void): Command {
  const models = program
    .command('models')
    .description('List, fetch, inspect and check models.')
    .helpCommand(false)
    .addHelpText('after', modelsExamples);
  for (const [name, description] of Object.entries(modelsCommands)) {
    const action = name as keyof typeof modelsCommands;
    const command = addOptions(models.command(name), `models ${action}`).description(description);
    if (action !== 'list') {
      command.argument(
        '[model]',
        'a bundled name, a folder, hf:org/name@revision or s3://… (the same as --model)',
      );
    }
    command.action(async (...given: unknown[]) => {
      const { modelsCommand } = await import('./models-command.js');
      const [model, flags] = action === 'list' ? [undefined, given[0]] : given;
      onExitCode(await modelsCommand(action, model as string | undefined, flags as Record<string, unknown>));
    });
  }
  return models;
}

/** A reader such as `head` may leave early; that is its right and no failure of ours. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
}

function addOptions(command: Command, name: CommandName): Command {
  for (const [key, spec] of optionEntries) {
    if (spec.commands.includes(name))
      for (const option of commanderOptions(key, spec)) command.addOption(option);
  }
  return command.addHelpOption(new Option('-h, --help', 'Print help.').helpGroup('Output:'));
}

/** Values stay as they were typed: resolve-options.ts validates what flags, variables and files give alike. */
function commanderOptions(name: string, spec: OptionSpec): Option[] {
  const flag = `--${kebabCase(name)}`;
  const help = `${spec.describe} ${origin(name, spec)}`;
  if (spec.kind === 'flag') {
    const twin = `--no-${kebabCase(name)}`;
    // The positive form comes first: declared alone, the negative one would count as given with every call.
    const positive = new Option(flag, help).helpGroup(`${spec.group}:`);
    const negative = new Option(twin, `Do not: ${lowerFirst(help)}`).helpGroup(`${spec.group}:`);
    return spec.default === true ? [positive.hideHelp(), negative] : [positive, negative.hideHelp()];
  }
  const option = new Option(`${flag} ${spec.value}`, help).helpGroup(`${spec.group}:`);
  if (spec.kind === 'list')
    option.argParser((value: string, given: string[] | undefined) => [...(given ?? []), value]);
  return [option];
}

function origin(name: string, spec: OptionSpec): string {
  const fallback = spec.default === undefined || spec.kind === 'flag' || spec.kind === 'list';
  return fallback ? `[${variableName(name)}]` : `[${variableName(name)}, default ${shown(spec)}]`;
}

function shown(spec: OptionSpec): string {
  const value = spec.default;
  if (spec.kind === 'size') return `${Number(value) / 2 ** 20}MiB`;
  return spec.kind === 'duration' ? `${Number(value) / 1000}s` : String(value);
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function reportFailure(error: unknown, argv: readonly string[]): number {
  if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.ok;
  const usage = error instanceof CommanderError;
  const exitCode = usage ? exitCodes.usage : exitCodeOf(error);
  const message = usage ? usageMessage(error, argv) : describeError(error);
  if (argv.includes('--json')) {
    const code = usage ? 'USAGE' : isEmbatchError(error) ? error.code : 'BUG';
    process.stdout.write(`${JSON.stringify({ status: 'failed', exitCode, error: { code, message } })}\n`);
  }
  process.stderr.write(`embatch: ${message}\n`);
  const debug = argv.includes('--log-level=debug') || argv[argv.indexOf('--log-level') + 1] === 'debug';
  if (exitCode === exitCodes.bug || debug) {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? '') : ''}\n`);
  }
  return exitCode;
}

function usageMessage(error: CommanderError, argv: readonly string[]): string {
  const [first = '', second = ''] = argv.filter((word) => !word.startsWith('-'));
  if (error.code === 'commander.help') {
    return first === 'models'
      ? `name a command: models ${Object.keys(modelsCommands).join(', ')}. \`embatch models --help\` tells more.`
      : 'name a command: run, retry, verify, search or models. `embatch --help` tells more.';
  }
  const isModels = first === 'models' && second in modelsCommands;
  const command = isModels
    ? `models ${second}`
    : ['run', 'retry', 'verify', 'search', 'models'].find((name) => name === first);
  const what = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  return `${what}. See \`embatch ${command === undefined ? '' : `${command} `}--help\`.`;
}

const topExamples = `
Examples:
  embatch run ./docs                                       a folder into ./vectors (LanceDB)
  embatch search "how do I rotate the keys?"               ask it
  embatch run s3://bucket/docs --sink opensearch://host:9200/docs

Every option may also be set as EMBATCH_… or in a job file (--config). Exit codes: 0 done, 2 usage, 20 done with
dead letters, 21 source, 22 model, 23 sink, 24 state or lease, 25 verify found differences, 130/143 stopped.`;

const runExamples = `
Examples:
  embatch run ./docs --include '*.md'
  embatch run s3://bucket/docs --sink opensearch://search.example.com:9200/docs --shard 0 --shards 4
  embatch run s3://bucket/records --text-field body --id-field id --chunker none
  embatch run --config job.yaml --dry-run`;

const retryExamples = `
Examples:
  embatch retry ./docs                                     what failed in \`embatch run ./docs\`
  embatch retry s3://bucket/docs --max-document-bytes 64MiB --sink opensearch://host:9200/docs`;

const verifyExamples = `
Examples:
  embatch verify ./docs                                    after \`embatch run ./docs\`, with the same flags
  embatch verify s3://bucket/docs --sink opensearch://search.example.com:9200/docs --sample 100
  embatch verify ./docs --repair`;

const modelsExamples = `
Examples:
  embatch models pull hf:BAAI/bge-small-en-v1.5
  embatch models inspect ./my-model --dimensions 256
  embatch models check ./my-model --reference vectors.jsonl`;

const searchExamples = `
Examples:
  embatch search "what happens when a run is killed?"
  embatch search "refund policy" --sink opensearch://search.example.com:9200/docs --k 10 --json`;
