import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

// Imports go one way: cli → job → these → core (docs/design.md §2). The layers of this row never import each other.
const layers = ['source', 'shard', 'document', 'chunk', 'embed', 'sinks', 'ledger', 'engines', 'search'];

/** @param {{ regex: string, message: string }[]} patterns matched against what `import` and `import()` name */
function noImports(patterns) {
  return {
    'no-restricted-imports': ['error', { patterns }],
    'no-restricted-syntax': [
      'error',
      ...patterns.map(({ regex, message }) => ({
        selector: `ImportExpression > Literal[value=/${regex.replaceAll('/', '\\/')}/]`,
        message,
      })),
    ],
  };
}

const throughRelativePaths = {
  regex: '^(#embatch|embatch)(/|$)',
  message: 'Inside src, import by relative path.',
};

/** A layer may climb out of its folder only into the folders of `allowed`. */
function onlyDownwards(layer, allowed) {
  const forbidden = ['cli', 'job', ...layers, 'core'].filter(
    (name) => name !== layer && !allowed.includes(name),
  );
  return {
    regex: `^(\\.\\./)+(${forbidden.join('|')})/`,
    message: `Imports go one way (docs/design.md §2): ${layer} may import ${allowed.join(', ') || 'nothing of ours'}.`,
  };
}

const layerRule = (layer, allowed) => ({
  name: `embatch/layer-${layer}`,
  files: [`src/${layer}/**/*.ts`],
  rules: noImports([throughRelativePaths, onlyDownwards(layer, allowed)]),
});

// One folder a sink. It may use what lies directly in sinks/, never another sink's folder, and none of those
// files may know a sink. `depth` is the number of folders between sinks/ and the file.
const sinkRule = (depth) => ({
  name: `embatch/sink-depth-${String(depth)}`,
  files: [`src/sinks/${'*/'.repeat(depth)}*.ts`],
  rules: noImports([
    throughRelativePaths,
    onlyDownwards('sinks', ['core']),
    {
      regex: depth === 0 ? '^\\./[^/]+/' : `^(\\.\\./){${String(depth)}}(?!\\.\\./)[^/]+/`,
      message: 'A sink knows its own folder, what lies directly in sinks/, and core; no other sink.',
    },
  ]),
});

export default defineConfig(
  globalIgnores(['dist/', 'build/', 'models/', 'vectors/', '.embatch/', 'test/data/', 'coverage/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' } },
  {
    name: 'embatch/all',
    rules: {
      'array-callback-return': 'error',
      eqeqeq: 'error',
      'no-async-promise-executor': 'error',
      'no-case-declarations': 'error',
      'no-cond-assign': 'error',
      'no-constant-binary-expression': 'error',
      'no-constant-condition': ['error', { checkLoops: 'allExceptWhileTrue' }],
      'no-constructor-return': 'error',
      'no-duplicate-case': 'error',
      'no-dupe-else-if': 'error',
      'no-empty': 'error',
      'no-empty-pattern': 'error',
      'no-extend-native': 'error',
      'no-fallthrough': 'error',
      'no-irregular-whitespace': 'error',
      'no-lonely-if': 'error',
      'no-loss-of-precision': 'error',
      'no-misleading-character-class': 'error',
      'no-param-reassign': 'error',
      'no-prototype-builtins': 'error',
      'no-regex-spaces': 'error',
      'no-self-assign': 'error',
      'no-self-compare': 'error',
      'no-sequences': 'error',
      'no-sparse-arrays': 'error',
      'no-unmodified-loop-condition': 'error',
      'no-unneeded-ternary': 'error',
      'no-unreachable-loop': 'error',
      'no-unsafe-finally': 'error',
      'no-unused-private-class-members': 'error',
      'no-useless-catch': 'error',
      'no-useless-computed-key': 'error',
      'no-useless-concat': 'error',
      'no-useless-rename': 'error',
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'prefer-object-has-own': 'error',
      'preserve-caught-error': 'error',
      radix: 'error',
      'require-yield': 'error',
      yoda: 'error',
    },
  },
  {
    name: 'embatch/typescript',
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-exports': 'error',
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/require-array-sort-compare': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true, requireDefaultForNonUnion: true },
      ],
      // A number in a message is what a reader expects to see.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An arrow function whose value nobody takes is the shortest way to write a callback.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // process.env is a dictionary, and its names are not ours.
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      // An index signature names its key, a Record does not.
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      // It asks for `!`, which no-non-null-assertion forbids.
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      // An implementation of an async interface may have nothing to wait for.
      '@typescript-eslint/require-await': 'off',
    },
  },
  {
    name: 'embatch/product',
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'no-restricted-exports': [
        'error',
        { restrictDefaultExports: { direct: true, named: true, namedFrom: true } },
      ],
      'no-restricted-imports': ['error', { patterns: [throughRelativePaths] }],
    },
  },
  {
    name: 'embatch/worker',
    files: ['src/job/worker.ts'],
    // Piscina calls the default export of the file that it is given.
    rules: { 'no-restricted-exports': 'off' },
  },
  {
    name: 'embatch/exit-codes',
    files: ['src/**/*.ts'],
    ignores: ['src/cli/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'exit',
          message: 'Throw an EmbatchError: only src/cli ends the process.',
        },
        {
          object: 'process',
          property: 'exitCode',
          message: 'Throw an EmbatchError: only src/cli sets exit codes.',
        },
      ],
    },
  },
  layerRule('core', []),
  layers.map((layer) => layerRule(layer, ['core'])),
  [0, 1, 2, 3].map(sinkRule),
  layerRule('job', [...layers, 'core']),
  {
    name: 'embatch/tests',
    files: ['test/**/*.ts'],
    rules: {
      // node:test keeps the promises of its tests itself.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {
              from: 'package',
              package: 'node:test',
              name: ['after', 'afterEach', 'before', 'beforeEach', 'describe', 'it', 'suite', 'test'],
            },
          ],
        },
      ],
    },
  },
  {
    name: 'embatch/kubernetes-tests',
    files: ['test/kubernetes/**/*.ts', 'test/unit/engines/kubernetes/**/*.ts'],
    // The models of the Kubernetes client are classes in name only: it takes and returns plain objects.
    rules: {
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
    },
  },
  {
    name: 'embatch/scripts',
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.strict, tseslint.configs.stylistic],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'AbortController',
          'AbortSignal',
          'Buffer',
          'URL',
          'clearInterval',
          'clearTimeout',
          'console',
          'fetch',
          'performance',
          'process',
          'setImmediate',
          'setInterval',
          'setTimeout',
          'structuredClone',
        ].map((name) => [name, 'readonly']),
      ),
    },
    rules: { 'no-undef': 'error' },
  },
);
