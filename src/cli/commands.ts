import { Command, Option } from 'commander';
import type { Command as CommandName, OptionSpec } from '../core/option-kinds.js';
import { kebabCase, variableName } from '../core/option-names.js';
import { engineNames, type EngineName } from '../engines/engine.js';
import * as help from './help-texts.js';
import { optionEntries } from './resolve-options.js';

type Flags = Record<string, unknown>;

/** A command of the first row. What does the work is imported when it is called. */
interface JobCommand {
  readonly name: CommandName;
  readonly description: string;
  readonly argument?: readonly [name: string, description: string];
  readonly examples: string;
  readonly action: (argument: string | undefined, flags: Flags) => Promise<number>;
}

const sourceOfRun = ['[source]', 'the source of the run (the same as --source)'] as const;

const jobCommands: readonly JobCommand[] = [
  {
    name: 'run',
    description: 'Embed the documents of a source into a sink.',
    argument: ['[source]', 's3://bucket/prefix, a folder, or manifest:URI (the same as --source)'],
    examples: help.runExamples,
    action: async (source, flags) => (await import('./run-command.js')).runCommand(source, flags),
  },
  {
    name: 'retry',
    description: 'Embed again what failed in earlier runs; takes the flags of the run.',
    argument: sourceOfRun,
    examples: help.retryExamples,
    action: async (source, flags) => (await import('./retry-command.js')).retryCommand(source, flags),
  },
  {
    name: 'verify',
    description: 'Prove that the index holds what the source holds, object by object; exit code 25 if not.',
    argument: sourceOfRun,
    examples: help.verifyExamples,
    action: async (source, flags) => (await import('./verify-command.js')).verifyCommand(source, flags),
  },
  {
    name: 'plan',
    description:
      'Say what a run would take: tokens, hours, money, index size, and what will hurt. Writes nothing.',
    argument: sourceOfRun,
    examples: help.planExamples,
    action: async (source, flags) => (await import('./plan-command.js')).planCommand(source, flags),
  },
  {
    name: 'status',
    description: 'Show every shard of a job, from any machine, by its state alone.',
    examples: help.statusExamples,
    action: async (_, flags) => (await import('./status-command.js')).statusCommand(flags),
  },
  {
    name: 'finalize',
    description: 'Close the index when the last shard has ended; `submit --wait` does so by itself.',
    examples: help.finalizeExamples,
    action: async (_, flags) => (await import('./finalize-command.js')).finalizeCommand(flags),
  },
  {
    name: 'search',
    description: 'Ask an index: embeds the question as the documents were, and prints what is nearest.',
    argument: ['<question>', 'a question in your own words'],
    examples: help.searchExamples,
    action: async (question = '', flags) =>
      (await import('./search-command.js')).searchCommand(question, flags),
  },
];

const submitCommands: Readonly<Record<EngineName, string>> = {
  local: 'Start N shards as processes on this machine.',
  sagemaker: 'Start N shards as one SageMaker Processing job.',
  kubernetes: 'Start N shards as an Indexed Job, or by a CronJob (--schedule).',
  'aws-batch': 'Start N shards as an array job of AWS Batch.',
  ray: 'Start N shards as jobs of a Ray cluster.',
};

const modelsCommands = {
  list: 'The models on this machine: bundled ones and those that were fetched.',
  pull: 'Fetch a model from the hub or from S3, verified, so that runs need no network for it.',
  inspect: 'Print what decides the vectors of a model, where each value comes from, and its fingerprint.',
  check: 'Compare the vectors of a model with reference vectors; exit code 22 where they differ.',
} as const;

/** Commands that are groups of others, by name. */
export const groups: Readonly<Record<string, readonly string[]>> = {
  submit: engineNames,
  models: Object.keys(modelsCommands),
};
export const topCommands: readonly string[] = [
  ...jobCommands.map(({ name }) => name),
  ...Object.keys(groups),
];

/** The command line as commander knows it. Errors are thrown, nothing is printed but help and version. */
export function createProgram(onExitCode: (code: number) => void): Command {
  const program = new Command('embatch')
    .description('Turns an S3 prefix or a folder full of documents into a complete, searchable vector index.')
    .option('-V, --version', 'Print the version.')
    .helpOption('-h, --help', 'Print help.')
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .showSuggestionAfterError();
  program.addHelpText('after', help.topExamples);
  for (const { name, description, argument, examples, action } of jobCommands) {
    const command = addOptions(program.command(name), name).description(description);
    if (argument !== undefined) command.argument(...argument);
    command.addHelpText('after', examples).action(async (...given: unknown[]) => {
      const [value, flags] = argument === undefined ? [undefined, given[0]] : given;
      onExitCode(await action(value as string | undefined, flags as Flags));
    });
  }
  addSubmit(program, onExitCode);
  addModels(program, onExitCode);
  for (const command of program.commands.flatMap((top) => [top, ...top.commands])) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  return program;
}

function addSubmit(program: Command, onExitCode: (code: number) => void): void {
  const submit = program
    .command('submit')
    .description('Start a job as N shards on an engine: local, SageMaker, Kubernetes, AWS Batch or Ray.')
    .helpCommand(false)
    .addHelpText('after', help.submitExamples);
  for (const engine of engineNames) {
    addOptions(submit.command(engine), `submit ${engine}`)
      .description(submitCommands[engine])
      .argument('[source]', 's3://bucket/prefix, a folder, or manifest:URI (the same as --source)')
      .action(async (source: string | undefined, flags: Flags) => {
        const { submitCommand } = await import('./submit-command.js');
        onExitCode(await submitCommand(engine, source, flags));
      });
  }
}

function addModels(program: Command, onExitCode: (code: number) => void): void {
  const models = program
    .command('models')
    .description('List, fetch, inspect and check models.')
    .helpCommand(false)
    .addHelpText('after', help.modelsExamples);
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
      onExitCode(await modelsCommand(action, model as string | undefined, flags as Flags));
    });
  }
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
