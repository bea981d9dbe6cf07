/** Tables for people to read: plain text, numbers flush right. */
import Table from 'cli-table3';

export type Cell = string | number;

/** @param rows each as long as the head. @returns lines without a last newline. */
export function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const aligns = head.map((_, column) =>
    rows.length > 0 && rows.every((row) => typeof row[column] === 'number') ? ('right' as const) : ('left' as const),
  );
  const table = new Table({ head: [...head], colAligns: aligns, style: { head: [], border: [], compact: true } });
  table.push(...rows.map((row) => row.map(String)));
  return table.toString();
}
