import assert from 'node:assert/strict';

/** Every element is as near as single precision over a few layers allows, measured at the largest one. */
export function assertNear(
  actual: ArrayLike<number>,
  expected: readonly number[],
  name: string,
  tolerance = 2e-6,
): void {
  assert.equal(actual.length, expected.length, `${name}: width`);
  const scale = Math.max(1, ...expected.map(Math.abs));
  const difference = Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN))));
  assert.ok(difference <= tolerance * scale, `${name}: differs by ${difference}`);
}
