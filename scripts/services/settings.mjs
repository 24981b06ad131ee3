/** The servers that tests may ask for: what each is started with, and how a test says that it needs it. */

/** What the packages and images are taken at. */
export const versions = {
  opensearch: '3.6.0',
  log4j: '2.25.3',
  guava: '33.2.1-jre',
  moto: '5.2.5',
  ray: '2.60.0',
  kubernetes: '1.35.4',
};

/**
 * `given`: the variable in which a user names a running server, if that can be. `tells`: the variable by which a test is told
 * its address. `evidence`: a test file, or a module that it imports, in which this occurs needs the server.
 */
export const services = {
  s3: {
    title: 'S3',
    given: 'EMBATCH_TEST_S3_URL',
    tells: 'EMBATCH_TEST_S3',
    evidence: /\b(EMBATCH_TEST_S3|AWS_ENDPOINT_URL_S3|s3Url|skipWithoutS3)\b/,
  },
  opensearch: {
    title: 'OpenSearch',
    given: 'EMBATCH_TEST_OPENSEARCH_URL',
    tells: 'EMBATCH_TEST_OPENSEARCH',
    evidence: /\b(EMBATCH_TEST_OPENSEARCH|openSearchUrl|skipWithoutOpenSearch)\b/,
    settings: { 'cluster.routing.allocation.disk.threshold_enabled': 'false' },
  },
  /** A node that is soon full: real 429 per item and per request, and real 413. */
  opensearchTight: {
    title: 'OpenSearch with tight limits',
    given: 'EMBATCH_TEST_OPENSEARCH_TIGHT_URL',
    tells: 'EMBATCH_TEST_OPENSEARCH_TIGHT',
    evidence: /\b(EMBATCH_TEST_OPENSEARCH_TIGHT|tightOpenSearchUrl|skipWithoutTightOpenSearch)\b/,
    settings: {
      'cluster.routing.allocation.disk.threshold_enabled': 'false',
      'thread_pool.write.size': '1',
      'thread_pool.write.queue_size': '1',
      'http.max_content_length': '1mb',
      // Below the limit of a request: some requests are small enough to be read and too large to be ever admitted.
      'indexing_pressure.memory.limit': '512kb',
    },
  },
  /** One node with 6 CPUs, which asks for a token. Its jobs run on this machine and see its files. */
  ray: {
    title: 'Ray',
    given: 'EMBATCH_TEST_RAY_URL',
    tells: 'EMBATCH_TEST_RAY',
    evidence: /\b(EMBATCH_TEST_RAY|rayUrl|skipWithoutRay)\b/,
  },
  /** A control plane without nodes: tests bring a kubelet of their own (test/kubernetes/support/mini-kubelet.ts). */
  kubernetes: {
    title: 'Kubernetes',
    tells: 'EMBATCH_TEST_KUBECONFIG',
    evidence: /\b(EMBATCH_TEST_KUBECONFIG|kubeconfigFile|skipWithoutKubernetes)\b/,
  },
};

/** Its server checks it, as all of Ray's own will from 2.61 on. */
export const rayToken = 'a-token-for-tests-of-at-least-32-characters';

/** Neither server checks them. */
export const s3Credentials = {
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test-secret',
  AWS_REGION: 'us-east-1',
};
