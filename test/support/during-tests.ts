import { after, before } from 'node:test';

/**
 * Something that is made before the tests of a file or a `describe` and ended after them; not where they are skipped.
 * Can be named from the start, and used once a test runs.
 */
export function duringTests<Made extends object>(
  skip: string | false,
  make: () => Promise<Made>,
  end: (made: Made) => unknown,
): Made {
  let made: Made | undefined;
  if (skip === false) {
    before(async () => {
      made = await make();
    });
    after(async () => {
      if (made !== undefined) await end(made);
    });
  }
  return new Proxy({} as Made, {
    get(_, name) {
      if (made === undefined) throw new Error(`.${String(name)} is there only while a test runs`);
      return Reflect.get(made, name) as unknown;
    },
  });
}
