/**
 * Where the real servers of a test run are. `npm test` starts those that the chosen test files mention by one of these
 * names (scripts/services/settings.mjs) and hands the addresses over in the environment.
 *
 *   test('bulk rejections are retried', { skip: skipWithoutTightOpenSearch }, async () => {
 *     const url = tightOpenSearchUrl();
 */

/**
 * The reason why a test is skipped; false, where it runs. Only a user who asked for it gets skipped tests: without
 * the request a test runs, and fails for the lack of an address.
 */
function skipWithout(variable: string): string | false {
  const tolerated = process.env['EMBATCH_TEST_SKIP_SERVICES'] === '1';
  return process.env[variable] === undefined && tolerated ? `no server (${variable} is not set)` : false;
}

function address(variable: string): string {
  const url = process.env[variable];
  if (url === undefined)
    throw new Error(`${variable} is not set: run the tests by npm test, which starts servers`);
  return url;
}

export const skipWithoutS3 = skipWithout('EMBATCH_TEST_S3');
export const skipWithoutOpenSearch = skipWithout('EMBATCH_TEST_OPENSEARCH');
export const skipWithoutTightOpenSearch = skipWithout('EMBATCH_TEST_OPENSEARCH_TIGHT');

export const skipWithoutRay = skipWithout('EMBATCH_TEST_RAY');
export const skipWithoutKubernetes = skipWithout('EMBATCH_TEST_KUBECONFIG');

/** Also in AWS_ENDPOINT_URL_S3, with credentials and a region: the SDK and the built program find it by themselves. */
export const s3Url = (): string => address('EMBATCH_TEST_S3');

/** A node with room. Indexes are the tests' own: give them names that no other file uses, and delete them. */
export const openSearchUrl = (): string => address('EMBATCH_TEST_OPENSEARCH');

/** A node with one write thread, a queue of one, requests of at most 1 MB and half a megabyte under way. */
export const tightOpenSearchUrl = (): string => address('EMBATCH_TEST_OPENSEARCH_TIGHT');

/** The dashboard of a Ray cluster with 6 CPUs, whose jobs run on this machine. It wants {@link rayToken}. */
export const rayUrl = (): string => address('EMBATCH_TEST_RAY');
export const rayToken = (): string => address('EMBATCH_TEST_RAY_TOKEN');

/** Names an administrator of a control plane without nodes. */
export const kubeconfigFile = (): string => address('EMBATCH_TEST_KUBECONFIG');
