/** Machines that many begin with, for a first idea of the money. */
export interface Instance {
  readonly name: string;
  readonly vCpus: number;
  /** On demand, Linux, us-east-1. */
  readonly dollarsPerHour: number;
}

/**
 * Of when the prices below are, roughly: they were not checked against Amazon's own list, and they change, as do discounts. See
 * https://aws.amazon.com/ec2/pricing/on-demand/.
 */
export const PRICES_OF = '2025-06';

export const instances: readonly Instance[] = [
  { name: 'c7i.xlarge', vCpus: 4, dollarsPerHour: 0.1785 },
  { name: 'c7i.4xlarge', vCpus: 16, dollarsPerHour: 0.714 },
  { name: 'c7g.4xlarge', vCpus: 16, dollarsPerHour: 0.58 },
  { name: 'm7i.4xlarge', vCpus: 16, dollarsPerHour: 0.8064 },
];
