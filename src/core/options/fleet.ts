import { duration, flag, integer, list, text, type Command, type OptionSpec } from '../option-kinds.js';
import { runs, submit, submitElsewhere } from './commands.js';

const sagemaker: readonly Command[] = ['submit sagemaker'];
const kubernetes: readonly Command[] = ['submit kubernetes'];
const awsBatch: readonly Command[] = ['submit aws-batch'];
const ray: readonly Command[] = ['submit ray'];

/** How N shards are started and followed. */
export const fleetOptions = {
  print: flag({
    group: 'Fleet',
    commands: submit,
    describe: 'Print exactly what would be sent to the engine, and send nothing.',
  }),
  wait: flag({
    group: 'Fleet',
    commands: submit,
    describe: 'Follow the fleet to its end, finalize the index, and exit as the fleet ended.',
  }),
  retries: integer({
    group: 'Fleet',
    commands: submit,
    min: 0,
    max: 9,
    default: 3,
    describe: 'How often a shard that failed is started again, where its exit code says that this may help.',
  }),
  timeout: duration({
    group: 'Fleet',
    commands: submit,
    min: 60_000,
    describe: 'Longest time that a shard may take; by default what the engine allows.',
  }),
  tolerateDeadLetters: flag({
    group: 'Fleet',
    commands: runs,
    describe:
      'Exit with 0 instead of 20 where only dead letters are left, for engines to which every other code is a failure; submit sets it where it is needed.',
  }),
  image: text({
    group: 'Fleet',
    commands: submitElsewhere,
    value: '<ref>',
    describe: 'Container image of embatch, by tag or digest.',
  }),
  cpu: text({
    group: 'Fleet',
    commands: ['submit kubernetes', 'submit aws-batch', 'submit ray'],
    value: '<n>',
    describe: 'CPUs of one shard, such as 4; more than half of those of a node leave one shard a node.',
  }),
  memory: text({
    group: 'Fleet',
    commands: ['submit kubernetes', 'submit aws-batch', 'submit ray'],
    value: '<size>',
    describe: 'Memory of one shard, such as 4GiB.',
  }),
  logs: text({
    group: 'Fleet',
    commands: ['submit local'],
    value: '<folder>',
    describe: 'Where each process writes its log; by default in the state, where that is a folder.',
  }),

  role: text({
    group: 'SageMaker',
    commands: [...sagemaker, ...awsBatch],
    value: '<arn>',
    describe: 'IAM role that the containers work with.',
  }),
  instanceType: text({
    group: 'SageMaker',
    commands: sagemaker,
    value: '<type>',
    default: 'ml.c7i.4xlarge',
    describe: 'Instance of each shard.',
  }),
  volumeGb: integer({
    group: 'SageMaker',
    commands: sagemaker,
    min: 1,
    max: 16_384,
    default: 30,
    describe: 'Disk of each instance in GB.',
  }),
  subnets: list({
    group: 'SageMaker',
    commands: sagemaker,
    value: '<id>',
    describe: 'Subnets of the VPC that the containers run in; repeatable.',
  }),
  securityGroups: list({
    group: 'SageMaker',
    commands: sagemaker,
    value: '<id>',
    describe: 'Security groups of the containers; repeatable.',
  }),
  tags: list({
    group: 'SageMaker',
    commands: [...sagemaker, ...awsBatch],
    value: '<key=value>',
    describe: 'Tags of the job; repeatable.',
  }),

  namespace: text({
    group: 'Kubernetes',
    commands: kubernetes,
    value: '<name>',
    describe: "Namespace of the job; by default that of the kubeconfig's context.",
  }),
  serviceAccount: text({
    group: 'Kubernetes',
    commands: kubernetes,
    value: '<name>',
    describe: 'Service account of the pods, such as one that carries an IAM role.',
  }),
  secrets: list({
    group: 'Kubernetes',
    commands: kubernetes,
    value: '<name>',
    describe: 'Secrets whose keys become variables of the pods, such as OPENSEARCH_PASSWORD; repeatable.',
  }),
  parallelism: integer({
    group: 'Kubernetes',
    commands: kubernetes,
    min: 1,
    describe: 'Pods that run at once; by default all shards.',
  }),
  schedule: text({
    group: 'Kubernetes',
    commands: kubernetes,
    value: '<cron>',
    describe: 'Make a CronJob that starts the shards by this schedule, such as "0 3 * * *".',
  }),

  queue: text({
    group: 'AWS Batch',
    commands: awsBatch,
    value: '<name>',
    describe: 'Job queue, by name or ARN.',
  }),
  jobDefinition: text({
    group: 'AWS Batch',
    commands: awsBatch,
    value: '<name>',
    describe: 'Job definition of the container, by name, name:revision or ARN.',
  }),

  address: text({
    group: 'Ray',
    commands: ray,
    value: '<url>',
    describe:
      'Address of the Ray dashboard, such as http://127.0.0.1:8265; by default RAY_API_SERVER_ADDRESS.',
  }),
  entrypoint: text({
    group: 'Ray',
    commands: ray,
    value: '<command>',
    default: 'embatch',
    describe:
      'What starts embatch on the nodes, for their shell, such as "node /opt/embatch/dist/cli/main.js".',
  }),

  watch: flag({
    group: 'Fleet',
    commands: ['status'],
    describe: 'Draw the table again every few seconds until every shard has ended.',
  }),
} satisfies Record<string, OptionSpec>;
