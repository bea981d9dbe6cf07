/** What a mistyped name was probably meant to be. */

const SHOWN_MAX = 20;

/** @returns a message that says so and lists what is known. @param what such as `active arm`. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  const shown = known.length > SHOWN_MAX ? `${known.slice(0, SHOWN_MAX).join(', ')}, ...` : known.join(', ');
  return `unknown ${what}${guess === null ? '' : `, did you mean ${guess}?`} (allowed: ${shown})`;
}

/** @returns the candidate with the fewest edits, at most two and fewer than half of the name; else `null`. */
export function nearest(name: string, candidates: readonly string[]): string | null {
  let best: string | null = null;
  let editsMax = Math.min(2, Math.floor((name.length - 1) / 2));
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > editsMax) continue;
    const edits = distance(name.toLowerCase(), candidate.toLowerCase());
    if (edits > editsMax) continue;
    best = candidate;
    editsMax = edits - 1;
  }
  return best;
}

/** Levenshtein's distance: insertions, deletions and replacements of one character. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
