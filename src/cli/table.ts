/** Text in columns, for people. */

export type Cell = string | number;

const isNumber = (cell: Cell): boolean => typeof cell === 'number';

/** A number with thin separators: 1,234,567; at most one decimal. */
export function formatNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 1 });
}

function widthOf(text: string): number {
  return [...text].length;
}

/** Rows of text with the columns under each other, two blanks apart; numbers to the right. */
export function alignColumns(rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)),
  );
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(0, ...texts.map((row) => widthOf(row[column] ?? ''))),
  );
  const right = Array.from({ length: columns }, (_, column) =>
    rows.some((row) => isNumber(row[column] ?? '')),
  );
  return texts
    .map((row) => {
      const cells = row.map((text, column) => {
        const blanks = ' '.repeat((widths[column] ?? 0) - widthOf(text));
        return right[column] ? blanks + text : text + blanks;
      });
      return `${cells.join('  ').trimEnd()}\n`;
    })
    .join('');
}

/** A table with a line of heads; '' when there are no rows. */
export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return rows.length === 0 ? '' : alignColumns([head, ...rows]);
}
