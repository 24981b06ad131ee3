/** A part of a tokenizer.json for which ids equal to the reference's are not known to come out. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/** @param part such as `pre-tokenizer` */
export function refuseType(part: string, type: unknown): never {
  throw new Unsupported(`the ${part} ${typeof type === 'string' ? type : JSON.stringify(type)}`);
}
